"""Write C3D by ezc3d, the points in millimetres."""

import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from biomech.files.markers import MARKERS, Markers
from deployments.errors import BadParameterError, WorkingFilesError, keeping

_MM: Final = 1000.0
_MISSING: Final = -1.0
_POINT_BYTES: Final = 16
_MOST_FRAMES: Final = 65_535
"""What the format's header can count."""


def c3d(markers: Markers, folder: Path | None = None) -> bytes:
    """Make a C3D file of ``markers``: X right, Y up, Z 0; a missing point has residual -1.

    Args:
        markers: in metres. folder: of working files; by default that of the system.

    Raises:
        BadParameterError: the points are pixels, or more than the format holds, or ezc3d is not
            installed.
        WorkingFilesError: the folder has no room for it.
    """
    if not markers.metres:
        raise BadParameterError(
            "C3D is in millimetres, and the scale of this result is not known",
            hint="Give the athlete's height; where the apparent size drifts (flag scale_drift), "
            "take trc, which is then in pixels.",
            field="height_m",
        )
    frames = len(markers.xy)
    if frames > _MOST_FRAMES:
        raise BadParameterError(
            f"C3D holds {_MOST_FRAMES} frames, and these are {frames}",
            hint="Cut the video, or take trc or parquet.",
        )
    try:
        import ezc3d
    except ModuleNotFoundError as error:  # no wheel for Linux on ARM
        raise BadParameterError(
            "C3D is written by ezc3d, which is not installed here",
            hint="Take trc, or convert the saved result on another machine.",
        ) from error

    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [markers.even.rate_hz]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(MARKERS)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    points = np.zeros((4, len(MARKERS), frames))
    points[:2] = _MM * markers.xy.transpose(2, 1, 0)
    points[3] = 1.0
    missing = ~np.isfinite(points[:2]).all(0)
    points[:3, missing] = np.nan
    file["data"]["points"] = points
    file["data"]["meta_points"]["residuals"] = np.where(missing, _MISSING, 0.0)[None]
    with keeping("the C3D file"), tempfile.TemporaryDirectory(dir=folder) as own:
        path = Path(own) / "points.c3d"
        file.write(str(path))  # ezc3d writes to a path, and says nothing of a full disk
        body = path.read_bytes()
    if len(body) < _POINT_BYTES * frames * len(MARKERS):
        raise WorkingFilesError("the C3D file cannot be written whole")
    return body
