"""Provide parts of the training."""

import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.multiprocessing.spawn import spawn

from deployments.pose import compat
from deployments.process_setup import usable_cpus
from tools.torchvision_stub import declare_torchvision

MOST = 4
"""Processes: each normalizes by its own part of a batch, which must not be small."""


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


def train(make_config: Callable[[int], Config]) -> None:
    """Train by MMEngine's runner, from its last checkpoint if there is one.

    Without a GPU one process for each core learns from its part of each batch, in one thread:
    threads that share a batch wait for each other after each of the network's small layers.

    Args:
        make_config: called with the number of processes in each of them, when MMPose has been
            imported; pickled.
    """
    processes = 1 if torch.cuda.is_available() else min(usable_cpus(), MOST)
    if processes == 1:
        _run(0, 1, make_config, "")
        return
    with TemporaryDirectory() as folder:
        meet = f"file://{folder}/meet"
        spawn(_run, (processes, make_config, meet), processes)


def _run(rank: int, processes: int, make_config: Callable[[int], Config], meet: str) -> None:
    # MMEngine's checkpoints hold its loss histories; they are read as what this training wrote.
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    if processes > 1:
        os.environ["LOCAL_RANK"] = str(rank)  # MMEngine asks for it
        # Processes of one machine need no address that others can reach.
        os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
        torch.set_num_threads(1)
        torch.distributed.init_process_group(
            "gloo", init_method=meet, rank=rank, world_size=processes
        )
    compat.import_models("mmpose")
    with warnings.catch_warnings(action="ignore"):
        declare_torchvision()
    with DefaultScope.overwrite_default_scope("mmpose"):
        Runner.from_cfg(make_config(processes)).train()
