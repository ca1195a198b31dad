"""Compute biomechanics from keypoints, with numpy and scipy alone.

    >>> import numpy as np
    >>> import biomech
    >>> standing = np.array([(320, 100), (328, 92), (312, 92), (338, 96), (302, 96), (372, 160),
    ...     (268, 160), (400, 230), (240, 230), (460, 200), (230, 310), (345, 300), (295, 304),
    ...     (355, 400), (280, 402), (350, 500), (290, 498)])  # pixels, in COCO's order
    >>> xy, score = np.tile(standing, (60, 1, 1)), np.full((60, 17), 0.9)
    >>> clip = biomech.Track.from_coco(xy, score, fps=60)
    >>> result = biomech.analyze(clip, height_m=1.75)
    >>> result.angles["left_knee"].value[:2].round(1).tolist()
    [171.4, 171.4]

`docs/library.md` is the page for users. The names below are the public ones; they are imported
when they are first used, so that `biomech.skeleton` alone needs no numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from biomech.analysis import Result, analyze
    from biomech.files import FileError
    from biomech.files.importers import read_coco, read_csv, read_trc
    from biomech.kinematics.joint_angles import Angle
    from biomech.records.values import as_json
    from biomech.skeleton import KEYPOINTS
    from biomech.track import Track

__all__ = [
    "KEYPOINTS",
    "Angle",
    "FileError",
    "Result",
    "Track",
    "analyze",
    "as_json",
    "read_coco",
    "read_csv",
    "read_trc",
]

_MODULES: Final = {
    "biomech.analysis": ("Result", "analyze"),
    "biomech.files": ("FileError",),
    "biomech.files.importers": ("read_coco", "read_csv", "read_trc"),
    "biomech.kinematics.joint_angles": ("Angle",),
    "biomech.records.values": ("as_json",),
    "biomech.skeleton": ("KEYPOINTS",),
    "biomech.track": ("Track",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
