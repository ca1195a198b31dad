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


@cache
def system() -> HealthSystem:
    """The ``system`` block of ``/healthz``."""
    import torch

    cuda = torch.cuda.is_available()
    return HealthSystem(
        cuda_available=cuda,
        gpu_device=torch.cuda.get_device_name(0) if cuda else None,
        mmpose_version=package_version("mmpose"),
        mmcv_version=package_version("mmcv", "mmcv-lite"),
        mmdet_version=package_version("mmdet"),
        torch_version=package_version("torch"),
        ray_version=package_version("ray"),
    )
