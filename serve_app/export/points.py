"""The marker points of one person for OpenSim and C3D: smoothed, at a constant rate, in metres.

Metres need the athlete's height. Without it, or where the apparent size drifts, there are pixels,
and they are called pixels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from biomech.kinematics.geometry import Array, combine, derotated
from biomech.preprocessing.preprocess import preprocess
from biomech.skeleton import INDEX
from serve_app.export.resampling import UniformTimebase
from serve_app.export.saved_clip import SavedPerson, SavedResult

SCALE_DRIFT: Final = "scale_drift"

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


def markers_of(result: SavedResult, person: SavedPerson, height_m: float | None = None) -> Markers:
    """The points of ``person``, cleaned, smoothed and filled as the analysis did it.

    Args:
        result: that the person is of.
        height_m: stature in metres; that of the result by default.

    Raises:
        BadParameterError: a single picture, or times too uneven for a constant rate.
    """
    even = UniformTimebase.of(result.times_s)
    config = result.config(person)
    track = result.track(person)
    points = preprocess(track, config, person.roll_deg)
    height = person.height_m if height_m is None else height_m
    metres = (
        height is not None and person.stature_px is not None and SCALE_DRIFT not in person.flags
    )
    # Pixels are the picture's own; metres are of a scene that is level.
    curve = points.curve if metres else derotated(points.curve, -person.roll_deg, track.center)
    columns = [_marker(name, curve) for name in MARKERS]
    flat = even.resampled(np.concatenate(columns, axis=1), config.max_gap_s)
    xy = flat.reshape(-1, len(MARKERS), 2)
    if not metres or height is None or person.stature_px is None:
        return Markers(xy, False, even, None, (0.0, 0.0))
    scale = height / person.stature_px
    origin = _origin(curve)
    up = (xy - origin) * np.array([scale, -scale])
    return Markers(up, True, even, scale, origin)


def _marker(name: str, xy: Array) -> Array:
    """(f, 2) of (f, 17, 2)."""
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
