"""Let torchvision for CUDA be imported with a CPU torch."""

import sys

import torch

_operators: list[torch.library.Library] = []  # of torchvision, as long as they are declared


def declare_torchvision() -> None:
    """Declare the operators without which torchvision for CUDA is not imported beside CPU torch.

    MMPose's own runner and inference import it, for drawing; the service does not.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        _operators.append(torch.library.Library("torchvision", "DEF"))
        for name in ("nms", "qnms"):
            _operators[0].define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
