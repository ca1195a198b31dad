"""The optimiser of the training: kernels by Muon, everything else by AdamW."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tools.training.muon import MuonWithAdamW, is_kernel, orthogonal

SIDES = st.integers(8, 60)


@given(rows=SIDES, columns=SIDES, seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e3))
def test_every_direction_is_stepped_alike(rows, columns, seed, scale):
    matrix = np.random.default_rng(seed).normal(size=(rows, columns))
    u, sizes, vt = np.linalg.svd(matrix, full_matrices=False)
    sizes[:] = np.linspace(1, 0.2, len(sizes))  # none so small that five iterations miss it
    found = orthogonal(torch.tensor(u * sizes @ vt * scale)).double().numpy()
    gains = np.diag(u.T @ found @ vt.T)
    assert (gains > 0.5).all()
    assert (gains < 1.35).all()
    rest = found - u * gains @ vt
    assert np.linalg.norm(rest) < 0.1 * np.linalg.norm(found)


def network():
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(4, 12, 3, bias=False),
        torch.nn.BatchNorm2d(12),
        torch.nn.Conv2d(12, 12, 3, groups=12, bias=False),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 9),
    )


def learn(model, optimizer, steps, seed=0):
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(16, 4, 5, 5, generator=random)).square().mean().backward()
        optimizer.step()


def test_what_is_no_kernel_is_stepped_by_adamw():
    kernels = [name for name, p in network().named_parameters() if is_kernel(p)]
    assert kernels == ["0.weight"]  # not the one of single channels, nor that of few inputs
    ours, theirs = network(), network()
    for model in (ours, theirs):
        model[0].weight.requires_grad_(requires_grad=False)
    learn(ours, MuonWithAdamW(ours.parameters(), lr=1e-2, weight_decay=0.1), 6)
    learn(theirs, torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.1), 6)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-6)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_is_stepped_as_the_matrix_that_it_is(memory):
    model = network().to(memory_format=memory)
    kernel = model[0].weight
    before = kernel.detach().clone()
    optimizer = MuonWithAdamW([kernel], lr=1e-3, gain=4.0, weight_decay=0.5)
    learn(model, optimizer, 1)
    moved = (kernel.detach() - before * (1 - 1e-3 * 0.5)).flatten(1)
    along = orthogonal(kernel.grad.flatten(1)).float()
    expected = -1e-3 * 4 * 0.2 * 36**0.5 * along
    assert torch.allclose(moved, expected, atol=0.06 * expected.abs().max().item())


def test_learning_goes_on_where_it_stopped():
    through, first = network(), network()
    optimizer = MuonWithAdamW(through.parameters(), gain=5.0)
    learn(through, optimizer, 3)
    learn(through, optimizer, 3, seed=1)
    stopped = MuonWithAdamW(first.parameters(), gain=5.0)
    learn(first, stopped, 3)
    second = copy.deepcopy(first)
    resumed = MuonWithAdamW(second.parameters(), gain=5.0)
    resumed.load_state_dict(stopped.state_dict())
    learn(second, resumed, 3, seed=1)
    for straight, continued in zip(through.parameters(), second.parameters(), strict=True):
        assert torch.equal(straight, continued)
