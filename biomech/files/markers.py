"""Make the marker points of one person for OpenSim and C3D: smooth, at one rate, in metres.

Metres need the athlete's height. Without it, or where the apparent size drifts, there are pixels,
and they are called pixels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from biomech.files.uniform_timebase import UniformTimebase
from biomech.kinematics.geometry import Array, combine, derotated
from biomech.preprocessing.preprocess import Smoothed
from biomech.skeleton import INDEX

_SIDES = {"R": "right", "L": "left"}
MARKERS: Final[tuple[str, ...]] = (
    *(f"{side}{part}" for side in "RL" for part in ("Hip", "Knee", "Ankle")),
    "Nose",
    *(f"{side}{part}" for side in "RL" for part in ("Shoulder", "Elbow", "Wrist")),
    "Hip",
    "Neck",
)
"""Names and order as in Pose2Sim's COCO_17 and Sports2D; Hip and Neck are midpoints."""


@dataclass(frozen=True, slots=True)
class Markers:
    """Points of one person.

    Attributes:
        xy: (g, 15, 2) of :data:`MARKERS`, NaN missing: metres, x right and y up from ``origin_px``,
            or pixels of the picture, x right and y down.
        metres: which of the two.
        even: when.
        scale: metres a pixel, None in pixels. origin_px: (x, y) of the picture that is 0, 0.
    """

    xy: Array
    metres: bool
    even: UniformTimebase
    scale: float | None
    origin_px: tuple[float, float]


def markers_of(
    points: Smoothed,
    even: UniformTimebase,
    max_gap_s: float,
    roll_deg: float = 0.0,
    metres_per_px: float | None = None,
) -> Markers:
    """Return the markers of a person, cleaned, smoothed and filled as ``points`` are.

    Args:
        points: of the person. even: times of the file. max_gap_s: frames further apart are not
            joined.
        roll_deg: of the camera, by which ``points`` were turned back.
        metres_per_px: None to stay with pixels.
    """
    # Pixels are the picture's own; metres are of a scene that is level.
    curve = points.curve
    if metres_per_px is None:
        curve = derotated(curve, -roll_deg, points.track.center)
    columns = [_marker(name, curve) for name in MARKERS]
    flat = even.resampled(np.concatenate(columns, axis=1), max_gap_s)
    xy = flat.reshape(-1, len(MARKERS), 2)
    if metres_per_px is None:
        return Markers(xy, False, even, None, (0.0, 0.0))
    origin = _origin(curve)
    up = (xy - origin) * np.array([metres_per_px, -metres_per_px])
    return Markers(up, True, even, metres_per_px, origin)


def _marker(name: str, xy: Array) -> Array:
    """Return (f, 2) of points (f, 17, 2)."""
    if name in ("Hip", "Neck"):
        part = {"Hip": "hip", "Neck": "shoulder"}[name]
        return combine({f"left_{part}": 0.5, f"right_{part}": 0.5}, xy)
    keypoint = "nose" if name == "Nose" else f"{_SIDES[name[0]]}_{name[1:].lower()}"
    return xy[:, INDEX[keypoint]]


def _origin(curve: Array) -> tuple[float, float]:
    """Return the origin on the floor: first mid-hip at the height of the lowest ankle."""
    hips = _marker("Hip", curve)[:, 0]
    seen = hips[np.isfinite(hips)]
    ankles = curve[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 1]
    low = ankles[np.isfinite(ankles)]
    whole = curve[..., 1][np.isfinite(curve[..., 1])]
    floor = low if len(low) else whole
    return (float(seen[0]) if len(seen) else 0.0, float(floor.max()) if len(floor) else 0.0)
