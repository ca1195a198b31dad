"""Parts of the training."""

import importlib.util
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from deployments.pose import compat
from tools.torchvision_stub import declare_torchvision


def backbone_type() -> str:
    """Registered name of the backbone: with a forward pass in bf16 on CPUs that have it.

    Weights, gradients, the head and the loss are in fp32 either way.
    """
    abilities = torch.cpu.get_capabilities()
    if torch.cuda.is_available() or not (abilities.get("avx512_bf16") or abilities.get("amx_bf16")):
        return "mmdet.CSPNeXt"
    compat.import_models("mmdet")
    from mmdet.models.backbones import CSPNeXt
    from mmdet.registry import MODELS

    @MODELS.register_module(force=True)
    class Bf16CSPNeXt(CSPNeXt):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            with torch.autocast("cpu", torch.bfloat16):
                levels = super().forward(x)
            return tuple(level.float() for level in levels)

    return "mmdet.Bf16CSPNeXt"


def package_file(package: str, below: str) -> Path:
    """A file that ``package`` ships below its ``.mim`` folder."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(package)
    return Path(spec.origin).parent / ".mim" / below


def train(make_config: Callable[[], Config]) -> None:
    """Train by MMEngine's runner, from its last checkpoint if there is one.

    Args:
        make_config: called when MMPose has been imported.
    """
    # MMEngine's checkpoints hold its loss histories; they are read as what this training wrote.
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    compat.import_models("mmpose")
    with warnings.catch_warnings(action="ignore"):
        declare_torchvision()
    with DefaultScope.overwrite_default_scope("mmpose"):
        runner = Runner.from_cfg(make_config())
        runner.model.to(memory_format=torch.channels_last)
        runner.train()
