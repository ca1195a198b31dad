"""The body as rounded cones: what is drawn, from where to where, how thick, in which cloth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tools.athlete.body import SIDES, Array, Body, Shape
from tools.athlete.look import Cloth, Look


@dataclass(frozen=True, slots=True)
class Part:
    """A rounded cone.

    Attributes:
        start, end: (T,3) statures. thick: radii at both ends, statures.
        cloth: of the part beyond ``split`` (share of the way), ``upper`` before it.
    """

    start: Array
    end: Array
    thick: tuple[float, float]
    cloth: Cloth
    upper: Cloth | None = None
    split: float = 0.0


def parts_of(body: Body, shape: Shape, look: Look) -> list[Part]:
    """All parts of a body, in no particular order: depth decides what hides what."""
    made = [*_trunk(body, shape, look), *_head(body, shape, look)]
    for side in SIDES:
        made += _arm(body, shape, look, side)
        made += _leg(body, shape, look, side)
    return made


def _trunk(body: Body, shape: Shape, look: Look) -> list[Part]:
    p, g = body.points, shape.girth
    made = [
        Part(p["left_shoulder"], p["right_shoulder"], (0.045 * g, 0.045 * g), look.shirt),
        Part(p["left_hip"], p["right_hip"], (0.062 * g, 0.062 * g), look.shorts),
        Part(p["chest"], p["neck"], (0.034 * g, 0.03 * g), look.skin),
    ]
    for sign in (1.0, -1.0):
        low = _at(body, "pelvis", "pelvis", (0.005, sign * 0.04, 0.03))
        waist = _at(body, "chest", "trunk", (0.0, sign * 0.035, -0.6 * shape.trunk))
        top = _at(body, "chest", "trunk", (0.012, sign * 0.062, -0.07))
        made.append(Part(waist, top, (0.052 * g, 0.064 * g), look.shirt))
        made.append(Part(low, waist, (0.058 * g, 0.05 * g), look.shirt, look.shorts, 0.35))
    return made


def _head(body: Body, shape: Shape, look: Look) -> list[Part]:
    size = shape.head
    dark, white = Cloth((0.05, 0.04, 0.04)), Cloth((0.93, 0.92, 0.9))
    lips = Cloth((0.62, 0.27, 0.26))

    def on_head(x: float, y: float, z: float) -> Array:
        return _at(body, "head", "head", (x * size, y * size, z * size))

    made = [
        Part(on_head(0.02, 0, 0.14), on_head(0.08, 0, -0.3), (0.5 * size, 0.34 * size), look.skin),
        Part(on_head(0.4, 0, 0.02), body.points["nose"], (0.06 * size, 0.09 * size), look.skin),
        Part(on_head(0.4, 0.12, -0.32), on_head(0.4, -0.12, -0.32), (0.05 * size,) * 2, lips),
    ]
    for side in SIDES:
        ear, eye = body.points[f"{side}_ear"], body.points[f"{side}_eye"]
        made.append(Part(ear, ear, (0.1 * size,) * 2, look.skin))
        made.append(Part(eye, eye, (0.085 * size,) * 2, white))
        pupil = eye + _offset(body, "head", (0.045 * size, 0, 0))
        made.append(Part(pupil, pupil, (0.06 * size,) * 2, dark))
    if look.hair_length > 0:
        made.append(
            Part(
                on_head(-0.1, 0, 0.3), on_head(-0.2, 0, 0.0), (0.48 * size, 0.45 * size), look.hair
            )
        )
    if look.hair_length > 1:
        made.append(
            Part(
                on_head(-0.3, 0, 0.1), on_head(-0.42, 0, -0.75), (0.3 * size, 0.2 * size), look.hair
            )
        )
    return made


def _arm(body: Body, shape: Shape, look: Look, side: str) -> list[Part]:
    p, g = body.points, shape.girth
    shoulder, elbow, wrist, hand = (
        p[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand")
    )
    long = look.sleeve > 1
    fore = look.shirt if long else look.skin
    split = 1.0 if long else look.sleeve
    return [
        Part(shoulder, elbow, (0.036 * g, 0.026 * g), look.skin, look.shirt, split),
        Part(elbow, wrist, (0.026 * g, 0.018 * g), fore),
        Part(wrist, hand, (0.018, 0.022), look.skin),
    ]


def _leg(body: Body, shape: Shape, look: Look, side: str) -> list[Part]:
    p, g = body.points, shape.girth
    hip, knee, ankle, heel, toe = (
        p[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "heel", "toe")
    )
    long = look.leg > 1
    split = 1.0 if long else look.leg
    upper = look.shorts if long else look.skin
    sole = np.array([0, 0, 0.018])
    return [
        Part(hip, knee, (0.058 * g, 0.036 * g), look.skin, look.shorts, split),
        Part(knee, ankle, (0.036 * g, 0.022 * g), look.socks, upper, 1 - look.sock),
        Part(ankle, heel + sole, (0.022 * g, 0.024), look.shoes),
        Part(heel + sole, toe + sole, (0.024, 0.018), look.shoes),
    ]


def _at(body: Body, point: str, axes: str, offset: tuple[float, float, float]) -> Array:
    return body.points[point] + _offset(body, axes, offset)


def _offset(body: Body, axes: str, offset: tuple[float, float, float]) -> Array:
    turn: Mapping[str, Array] = body.axes
    moved: Array = turn[axes] @ np.array(offset)
    return moved
