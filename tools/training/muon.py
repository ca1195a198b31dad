"""Muon for the kernels of convolutions and layers, AdamW for everything else.

K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with the step
scaled to the size of AdamW's as in J. Liu et al., "Muon is scalable for LLM training" (2025).
:class:`torch.optim.Muon` takes parameters of two dimensions alone and leaves all others to another
optimiser; this one serves a convolutional network as it is, under one schedule.
"""

from collections.abc import Iterable
from typing import Any

import torch
from mmengine.registry import OPTIMIZERS
from torch import Tensor, distributed

_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_LEAST_SIDE = 8
_LEAST_FAN_IN = 32
"""Below, as in kernels of one channel each, there are too few directions to balance."""


@OPTIMIZERS.register_module(force=True)
class MuonWithAdamW(torch.optim.Optimizer):
    """Steps along the nearest orthogonal matrix to each kernel's momentum.

    Processes that train together must hold equal gradients: each works out its share of the
    matrices for all.

    Args:
        params: parameters or groups of them.
        lr: learning rate of AdamW's part.
        gain: by which the learning rate of kernels exceeds it.
        momentum: of kernels.
        betas, eps: of AdamW's part.
        weight_decay: of both, decoupled.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        gain: float = 1.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "gain": gain, "momentum": momentum, "betas": betas, "eps": eps}
        super().__init__(params, defaults | {"weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step by the gradients that the parameters hold."""
        kernels: list[tuple[dict[str, Any], Tensor]] = []
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                if is_kernel(parameter):
                    kernels.append((group, parameter))
                else:
                    self._step_adam(group, parameter)
        updates = _shared_out([self._heading(group, kernel) for group, kernel in kernels])
        for (group, kernel), update in zip(kernels, updates, strict=True):
            size = 0.2 * max(update.shape) ** 0.5  # root mean square 0.2, about that of AdamW
            kernel.add_(update.view(kernel.shape), alpha=-group["lr"] * group["gain"] * size)

    def _heading(self, group: dict[str, Any], kernel: Tensor) -> Tensor:
        """Nesterov's momentum of ``kernel``, which has a gradient, as (outputs, inputs)."""
        assert kernel.grad is not None
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        state["momentum"].lerp_(kernel.grad, 1 - group["momentum"])
        return kernel.grad.lerp(state["momentum"], group["momentum"]).flatten(1)

    def _step_adam(self, group: dict[str, Any], parameter: Tensor) -> None:
        state = self.state[parameter]
        if not state:
            state |= {
                "step": 0,
                "mean": torch.zeros_like(parameter),
                "square": torch.zeros_like(parameter),
            }
        first, second = group["betas"]
        state["step"] += 1
        state["mean"].lerp_(parameter.grad, 1 - first)
        state["square"].mul_(second).addcmul_(parameter.grad, parameter.grad, value=1 - second)
        scale = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        rate = group["lr"] / (1 - first ** state["step"])
        parameter.addcdiv_(state["mean"], scale, value=-rate)


def is_kernel(parameter: Tensor) -> bool:
    """Return whether a parameter is large enough to be stepped as a matrix."""
    return (
        parameter.ndim >= 2
        and parameter.shape[0] >= _LEAST_SIDE
        and parameter[0].numel() >= _LEAST_FAN_IN
    )


def orthogonal(matrix: Tensor) -> Tensor:
    """About U Vᵀ of the singular value decomposition U S Vᵀ of ``matrix`` (m, n), in bf16.

    Newton-Schulz iterations, which leave singular values between about 0.7 and 1.2.
    """
    a, b, c = _QUINTIC
    x = matrix.bfloat16()
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _shared_out(matrices: list[Tensor]) -> list[Tensor]:
    """:func:`orthogonal` of each, worked out once among the processes."""
    if not distributed.is_initialized():
        return [orthogonal(m).float() for m in matrices]
    largest_first = sorted(range(len(matrices)), key=lambda i: -matrices[i].numel())
    mine = set(largest_first[distributed.get_rank() :: distributed.get_world_size()])
    done = [
        orthogonal(m).float() if i in mine else torch.zeros_like(m) for i, m in enumerate(matrices)
    ]
    flat = torch.cat([m.flatten() for m in done])
    distributed.all_reduce(flat)
    parts = flat.split([m.numel() for m in done])
    return [part.view_as(m) for part, m in zip(parts, done, strict=True)]
