"""A kinematic body: joint angles in, points in space out.

Lengths are shares of stature. The world is right-handed: x, y on the ground, z up. The athlete's
own axes are x forward, y to the left, z up; at rest arms and legs hang along -z. Segment lengths
at rest are Winter's shares of stature.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from biomech.skeleton import KEYPOINTS

Array = np.ndarray[Any, Any]

SIDES = ("left", "right")
_SIGN = {"left": 1.0, "right": -1.0}  # of y

ANGLES = (
    "heading",
    "pelvis_tilt",
    "trunk_lean",
    "trunk_side",
    "trunk_twist",
    "head_yaw",
    "head_pitch",
    *(
        f"{side}_{name}"
        for side in SIDES
        for name in (
            *("hip_flexion", "hip_abduction", "hip_rotation", "knee_flexion", "ankle_flexion"),
            *("shoulder_flexion", "shoulder_abduction", "shoulder_rotation", "elbow_flexion"),
        )
    ),
)
"""Degrees of freedom; 0 is standing with arms and legs hanging straight."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Lengths and thicknesses as shares of stature."""

    trunk: float = 0.288
    neck: float = 0.052
    head: float = 0.13
    shoulder_half: float = 0.112
    hip_half: float = 0.062
    upper_arm: float = 0.186
    forearm: float = 0.146
    hand: float = 0.07
    thigh: float = 0.245
    shank: float = 0.246
    foot: float = 0.152
    ankle_height: float = 0.039
    girth: float = 1.0

    @staticmethod
    def sample(random: np.random.Generator) -> "Shape":
        """A person: every length within some per cent of the mean, slim to stout."""
        usual = Shape()
        varied = {
            f.name: getattr(usual, f.name) * random.uniform(0.92, 1.08)
            for f in fields(Shape)
            if f.name != "girth"
        }
        return Shape(**varied, girth=float(random.uniform(0.8, 1.35)))


@dataclass(frozen=True, slots=True)
class Body:
    """Positions of all points in T frames, shares of stature.

    Attributes:
        points: (T,3) by name: the 17 keypoints, and pelvis, chest, neck, head, hands, heels, toes.
        axes: (T,3,3) by segment name: its own axes as columns, in the world.
    """

    points: Mapping[str, Array]
    axes: Mapping[str, Array]

    @property
    def keypoints(self) -> Array:
        """(T,17,3) in COCO's order."""
        return np.stack([self.points[name] for name in KEYPOINTS], axis=1)


def pose(frames: int, **degrees: Array | float) -> dict[str, Array]:
    """Angles by name, (frames,) degrees each, 0 where not given.

    Raises:
        KeyError: there is no such angle.
    """
    unknown = degrees.keys() - set(ANGLES)
    if unknown:
        raise KeyError(f"no such angles: {sorted(unknown)}")
    return {name: np.broadcast_to(degrees.get(name, 0.0), frames).astype(float) for name in ANGLES}


def stand(
    angles: Mapping[str, Array], shape: Shape, *, at: Array | None = None, lift: Array | float = 0.0
) -> Body:
    """The body in these angles, its lowest foot on the ground.

    Args:
        angles: (T,) degrees by name, see :func:`pose`. shape: of the body.
        at: (T,2) place of the pelvis on the ground; the origin if not given.
        lift: (T,) height of the lowest foot above the ground.
    """
    heading = _turn("z", angles["heading"])
    pelvis = heading @ _turn("y", angles["pelvis_tilt"])
    trunk = pelvis @ _turn("y", angles["trunk_lean"]) @ _turn("x", angles["trunk_side"])
    trunk = trunk @ _turn("z", angles["trunk_twist"])
    axes = {"pelvis": pelvis, "trunk": trunk}
    points = {"pelvis": np.zeros((len(heading), 3))}
    chest = points["pelvis"] + trunk @ np.array([0, 0, shape.trunk])
    points["chest"] = chest
    points["neck"] = chest + trunk @ np.array([0, 0, shape.neck])
    _add_head(points, axes, angles, shape)
    for side in SIDES:
        _add_arm(points, axes, angles, shape, side)
        _add_leg(points, axes, angles, shape, side)
    lowest = np.min([points[f"{side}_{end}"][:, 2] for side in SIDES for end in _SOLES], axis=0)
    place = np.zeros((len(heading), 3))
    if at is not None:
        place[:, :2] = at
    place[:, 2] = lift - lowest
    return Body({name: point + place for name, point in points.items()}, axes)


_SOLES = ("heel", "toe")


def _add_head(
    points: dict[str, Array], axes: dict[str, Array], angles: Mapping[str, Array], shape: Shape
) -> None:
    head = axes["trunk"] @ _turn("z", angles["head_yaw"]) @ _turn("y", angles["head_pitch"])
    axes["head"] = head
    size = shape.head
    points["head"] = points["neck"] + head @ np.array([0.08 * size, 0, 0.52 * size])
    features = {"nose": (0.62, 0.0, -0.06), "left_eye": (0.5, 0.22, 0.1), "left_ear": (0, 0.52, 0)}
    for name, (x, y, z) in features.items():
        points[name] = points["head"] + head @ (np.array([x, y, z]) * size)
        if y:
            other = name.replace("left", "right")
            points[other] = points["head"] + head @ (np.array([x, -y, z]) * size)


def _add_arm(
    points: dict[str, Array],
    axes: dict[str, Array],
    angles: Mapping[str, Array],
    shape: Shape,
    side: str,
) -> None:
    beside = np.array([0, _SIGN[side] * shape.shoulder_half, 0])
    shoulder = points["chest"] + axes["trunk"] @ beside
    upper = _ball_joint(axes["trunk"], angles, side, "shoulder")
    fore = upper @ _turn("y", -angles[f"{side}_elbow_flexion"])
    points[f"{side}_shoulder"] = shoulder
    points[f"{side}_elbow"] = shoulder + upper @ np.array([0, 0, -shape.upper_arm])
    points[f"{side}_wrist"] = points[f"{side}_elbow"] + fore @ np.array([0, 0, -shape.forearm])
    points[f"{side}_hand"] = points[f"{side}_wrist"] + fore @ np.array([0, 0, -shape.hand])
    axes[f"{side}_upper_arm"], axes[f"{side}_forearm"] = upper, fore


def _add_leg(
    points: dict[str, Array],
    axes: dict[str, Array],
    angles: Mapping[str, Array],
    shape: Shape,
    side: str,
) -> None:
    beside = np.array([0, _SIGN[side] * shape.hip_half, 0])
    hip = points["pelvis"] + axes["pelvis"] @ beside
    thigh = _ball_joint(axes["pelvis"], angles, side, "hip")
    shank = thigh @ _turn("y", angles[f"{side}_knee_flexion"])
    foot = shank @ _turn("y", -angles[f"{side}_ankle_flexion"])
    knee = hip + thigh @ np.array([0, 0, -shape.thigh])
    ankle = knee + shank @ np.array([0, 0, -shape.shank])
    points |= {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": ankle}
    sole = -shape.ankle_height
    points[f"{side}_heel"] = ankle + foot @ np.array([-0.25 * shape.foot, 0, sole])
    points[f"{side}_toe"] = ankle + foot @ np.array([0.75 * shape.foot, 0, sole])
    axes |= {f"{side}_thigh": thigh, f"{side}_shank": shank, f"{side}_foot": foot}


def _ball_joint(parent: Array, angles: Mapping[str, Array], side: str, joint: str) -> Array:
    """(T,3,3) axes of the segment that hangs from ``parent`` by a shoulder or a hip."""
    sign = _SIGN[side]
    return (
        parent
        @ _turn("x", sign * angles[f"{side}_{joint}_abduction"])
        @ _turn("y", -angles[f"{side}_{joint}_flexion"])
        @ _turn("z", sign * angles[f"{side}_{joint}_rotation"])
    )


def _turn(axis: str, degrees: Array) -> Array:
    """(T,3,3) rotations about an axis, counter-clockwise seen from its tip."""
    a = np.radians(np.atleast_1d(degrees))
    c, s = np.cos(a), np.sin(a)
    turn = np.zeros((len(a), 3, 3))
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    turn[:, i, i] = 1
    turn[:, j, j] = turn[:, k, k] = c
    turn[:, j, k], turn[:, k, j] = -s, s
    return turn
