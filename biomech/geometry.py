"""Angles of a skeleton, from one table. Image axes: x right, y down; degrees out.

Every function is vectorised over leading axes; NaN in gives NaN out. Directions are
``atan2(w_y, w_x)``, so a positive turn is clockwise on the screen.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech.skeleton import INDEX

Array = NDArray[np.float64]
Vector = dict[str, float]
"""Coefficients of keypoints: a weighted sum of points."""

TRUNK: Final[Vector] = {
    "left_hip": 0.5,
    "right_hip": 0.5,
    "left_shoulder": -0.5,
    "right_shoulder": -0.5,
}
"""From mid-shoulder to mid-hip."""


def _between(start: str, end: str) -> Vector:
    return {end: 1.0, start: -1.0}


def _of_side(side: str) -> dict[str, tuple[tuple[int, Vector], ...]]:
    def point(name: str) -> str:
        return f"{side}_{name}"

    thigh = _between(point("hip"), point("knee"))
    upper_arm = _between(point("shoulder"), point("elbow"))
    return {
        point("knee"): ((1, _between(point("knee"), point("ankle"))), (-1, thigh)),
        point("hip"): ((1, TRUNK), (-1, thigh)),
        point("shoulder"): ((1, TRUNK), (-1, upper_arm)),
        point("elbow"): ((1, upper_arm), (-1, _between(point("elbow"), point("wrist")))),
    }


ANGLES: Final[dict[str, tuple[tuple[int, Vector], ...]]] = _of_side("left") | _of_side("right")
"""Flexions as signed sums of directions; 0 is straight, or hanging for the shoulder.

Equal to Pose2Sim's definitions up to the sign of the side the person faces.
"""


def combine(vector: Vector, xy: Array) -> Array:
    """The vector (..., 2) of points (..., 17, 2); NaN where one it needs is NaN."""
    names = list(vector)
    weights = np.array([vector[name] for name in names])
    points = xy[..., [INDEX[name] for name in names], :]
    total: Array = (points * weights[:, None]).sum(-2)
    return total


def wrap(degrees: Array) -> Array:
    """Angles in (-180, 180]."""
    wrapped: Array = -(((-np.asarray(degrees, np.float64)) + 180.0) % 360.0 - 180.0)
    return wrapped


def direction(w: Array) -> Array:
    """Direction of vectors (..., 2), degrees; NaN for a vector of no length."""
    with np.errstate(invalid="ignore"):
        angle: Array = np.degrees(np.arctan2(w[..., 1], w[..., 0]))
        return np.where((w[..., 0] == 0) & (w[..., 1] == 0), np.nan, angle)


def flexion(name: str, xy: Array) -> Array:
    """Signed flexion ``name`` of :data:`ANGLES` for points (..., 17, 2), for facing right."""
    return wrap(
        np.sum([sign * direction(combine(vector, xy)) for sign, vector in ANGLES[name]], axis=0)
    )


def included(a: Array, b: Array, c: Array) -> Array:
    """Angle at ``b`` between ``a`` and ``c``, (..., 2) each, 0 to 180 degrees."""
    u, v = a - b, c - b
    cross = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    dot = (u * v).sum(-1)
    angle: Array = np.degrees(np.arctan2(np.abs(cross), dot))
    return np.where((cross == 0) & (dot == 0), np.nan, angle)


def trunk_lean(xy: Array) -> Array:
    """Inclination of the trunk, degrees: 0 upright, + toward image right."""
    t = combine(TRUNK, xy)
    lean: Array = np.degrees(np.arctan2(-t[..., 0], t[..., 1]))
    return lean


def tilt(part: str, xy: Array) -> Array:
    """Tilt of the line through both ``part`` (``hip``, ``shoulder``), + where left is higher."""
    left, right = xy[..., INDEX[f"left_{part}"], :], xy[..., INDEX[f"right_{part}"], :]
    angle: Array = np.degrees(
        np.arctan2(right[..., 1] - left[..., 1], np.abs(left[..., 0] - right[..., 0]))
    )
    return angle


def fppa(side: str, xy: Array) -> Array:
    """Frontal-plane projection angle of the knee, degrees: + valgus, - varus."""
    other = "right" if side == "left" else "left"
    inward = np.sign(xy[..., INDEX[f"{other}_hip"], 0] - xy[..., INDEX[f"{side}_hip"], 0])
    angle: Array = inward * flexion(f"{side}_knee", xy)
    return angle


def length(vector: Vector, xy: Array) -> Array:
    """Length of ``vector`` for points (..., 17, 2), pixels."""
    w = combine(vector, xy)
    size: Array = np.hypot(w[..., 0], w[..., 1])
    return size
