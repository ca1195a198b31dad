"""Read versions and devices from the packages and the machine."""

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serve_app.results.health_schema import HealthSystem

SERVICE_DISTRIBUTION = "mmpose-service"


@cache
def package_version(*names: str) -> str:
    """Return the version of the first of ``names`` that is installed, or ``not installed``."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "not installed"


def system(gpu: str | None) -> "HealthSystem":
    """Build the ``system`` block of ``/healthz``.

    Args:
        gpu: that the models run on: on a cluster, another machine's than this process's.
    """
    from serve_app.results.health_schema import HealthSystem

    here = _gpu_here()
    return HealthSystem(
        cuda_available=bool(gpu or here),
        gpu_device=gpu or here,
        mmpose_version=package_version("mmpose"),
        mmcv_version=package_version("mmcv", "mmcv-lite"),
        mmdet_version=package_version("mmdet"),
        torch_version=package_version("torch"),
        ray_version=package_version("ray"),
    )


_DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Where drivers of GPUs that torch uses show themselves on Linux, WSL among it."""


@cache
def _gpu_here() -> str | None:
    if sys.platform == "linux" and not any(Path(path).exists() for path in _DRIVERS):
        return None  # without torch, which takes seconds to import
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
