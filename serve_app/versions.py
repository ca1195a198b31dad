"""Versions and devices, read from the packages and the machine."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from serve_app.schemas import HealthSystem

SERVICE_DISTRIBUTION = "mmpose-service"


@cache
def package_version(*names: str) -> str:
    """Version of the first of ``names`` that is installed; ``not installed`` if none is."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "not installed"


def system(gpu: str | None) -> HealthSystem:
    """The ``system`` block of ``/healthz``.

    Args:
        gpu: that the models run on: on a cluster, another machine's than this process's.
    """
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


@cache
def _gpu_here() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
