"""Compute angles of a skeleton from one table. Image axes: x right, y down; degrees out.

Every function is vectorised over leading axes; NaN in gives NaN out. A direction is
``atan2(w_y, w_x)``, so a positive turn is clockwise on the screen. An angle is a signed sum of
directions of segments, a segment a weighted sum of keypoints: the same table gives the derivatives
of :mod:`biomech.kinematics.uncertainty`.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech.joints import JOINTS, joint_of
from biomech.skeleton import INDEX, SIDES, SKELETON

Array = NDArray[np.float64]
Vector = Mapping[str, float]
"""Weights of keypoints by name. They sum to 0 for a segment, to 1 for a point."""

TRUNK: Final[Vector] = {
    "left_hip": 0.5,
    "right_hip": 0.5,
    "left_shoulder": -0.5,
    "right_shoulder": -0.5,
}
"""From mid-shoulder to mid-hip."""


def between(start: str, end: str) -> Vector:
    """Return the vector from keypoint ``start`` to keypoint ``end``."""
    return {end: 1.0, start: -1.0}


def trunk_line(near_side: str | None) -> Vector:
    """Return the trunk from shoulder to hip: of ``near_side`` alone, or between the midpoints."""
    return between(f"{near_side}_shoulder", f"{near_side}_hip") if near_side else TRUNK


def segments_with(trunk: Vector) -> dict[str, Vector]:
    """Return the segments by name, each away from the head where a person hangs straight."""
    table = {"trunk": trunk}
    for side in SIDES:
        for name, (start, end) in SKELETON.bones.items():
            table[f"{side}_{name}"] = between(f"{side}_{start}", f"{side}_{end}")
    return table


SEGMENTS: Final[dict[str, Vector]] = segments_with(TRUNK)

ANGLES: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    f"{side}_{joint.name}": tuple((sign, name.format(side)) for sign, name in joint.terms)
    for side in SIDES
    for joint in JOINTS
}
"""(sign, segment) of the flexions of :data:`biomech.joints.JOINTS`, by angle."""

_ALONG: Final = 0.17
"""Sine of the 10 degrees from a leg within which the other hip lies to neither side of it."""

LEVELS: Final[dict[str, Vector]] = {
    part: between(f"left_{part}", f"right_{part}") for part in ("hip", "shoulder")
}
"""Lines whose slope is a tilt."""


def keypoints_of(angle: str, segments: Mapping[str, Vector] = SEGMENTS) -> tuple[str, ...]:
    """Return the names of the keypoints that the flexion ``angle`` needs, each once."""
    return tuple(dict.fromkeys(kp for _, segment in ANGLES[angle] for kp in segments[segment]))


def combine(vector: Vector, xy: Array) -> Array:
    """Return the vector (..., 2) of points (..., 17, 2); NaN where one it needs is NaN."""
    # A product with a row of zeros would make NaN of points that do not matter.
    weights = np.array(list(vector.values()))
    points = xy[..., [INDEX[name] for name in vector], :]
    total: Array = (points * weights[:, None]).sum(-2)
    return total


def length(vector: Vector, xy: Array) -> Array:
    """Return the length of ``vector`` for points (..., 17, 2), pixels."""
    w = combine(vector, xy)
    size: Array = np.hypot(w[..., 0], w[..., 1])
    return size


def derotated(xy: Array, roll_deg: float, center: Array) -> Array:
    """Turn points (..., 2) of a scene turned clockwise on the screen back about ``center``."""
    a = np.radians(roll_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    turned: Array = (xy - center) @ turn + center
    return turned


def wrap(degrees: Array) -> Array:
    """Wrap angles to (-180, 180]."""
    wrapped: Array = 180.0 - (180.0 - np.asarray(degrees, np.float64)) % 360.0
    # The remainder of a tiny negative number rounds up to the divisor.
    return np.where(wrapped <= -180.0, 180.0, wrapped)


def direction(w: Array) -> Array:
    """Return the direction of vectors (..., 2), degrees; NaN for a vector of no length."""
    angle: Array = np.degrees(np.arctan2(w[..., 1], w[..., 0]))
    return np.where((w == 0).all(-1), np.nan, angle)


def flexion(angle: str, xy: Array, segments: Mapping[str, Vector] = SEGMENTS) -> Array:
    """Return flexion ``angle`` of :data:`ANGLES` for points (..., 17, 2), as for facing right."""
    return wrap(
        np.sum(
            [sign * direction(combine(segments[name], xy)) for sign, name in ANGLES[angle]], axis=0
        )
    )


def possible(angle: str, flexed: Array) -> NDArray[np.bool_]:
    """Return whether a joint can flex by ``angle``, its sign unknown; NaN counts as possible."""
    low, high = joint_of(angle).possible_deg
    # A shoulder that goes beyond a half turn appears at the other end of it.
    return np.asarray((np.abs(flexed) <= max(high, -low)) | np.isnan(flexed))


def centered(angle: str, flexed: Array) -> Array:
    """Move signed flexions to within a half turn of the middle of the joint's range."""
    middle = sum(joint_of(angle).possible_deg) / 2
    return wrap(flexed - middle) + middle


def unsigned(angle: str, flexed: Array) -> Array:
    """Return the angle as reported, 0 to 180 degrees, with ``neutral_deg`` where flexion is 0.

    For elbow, knee and hip that is the included angle at the joint, for the shoulder the elevation
    of the upper arm from the trunk.
    """
    return np.abs(joint_of(angle).neutral_deg - np.abs(flexed))


def trunk_lean(xy: Array, trunk: Vector = TRUNK) -> Array:
    """Return the inclination of the trunk, degrees: 0 upright, + toward image right."""
    return wrap(direction(combine(trunk, xy)) - 90.0)


def tilt(part: str, xy: Array) -> Array:
    """Return the tilt of the line through both ``part`` (``hip``, ``shoulder``), -90 to 90 degrees.

    + where the left is higher, whether the person faces the camera or not.
    """
    w = combine(LEVELS[part], xy)
    angle: Array = np.degrees(np.arctan2(w[..., 1], np.abs(w[..., 0])))
    return np.where((w == 0).all(-1), np.nan, angle)


def fppa(side: str, xy: Array) -> Array:
    """Return the frontal-plane projection angle of the knee, degrees: + valgus, - varus.

    Inward is the side of the line from hip to ankle on which the other hip lies; NaN where that
    lies along it.
    """
    hips = combine(between(f"{side}_hip", f"{_other(side)}_hip"), xy)
    leg = combine(between(f"{side}_hip", f"{side}_ankle"), xy)
    across = hips[..., 0] * leg[..., 1] - hips[..., 1] * leg[..., 0]
    clear = np.abs(across) > _ALONG * np.hypot(*np.moveaxis(hips, -1, 0)) * np.hypot(
        *np.moveaxis(leg, -1, 0)
    )
    inward = np.where(clear, np.sign(across), 0.0)
    return np.where(inward == 0, np.nan, inward) * flexion(f"{side}_knee", xy)


def _other(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]
