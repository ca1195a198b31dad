"""Draw people on a picture: box, skeleton by side, and the angles of the primary person."""

import math
from dataclasses import dataclass

import numpy as np

from biomech.joints import JOINT_ANGLES, point_of
from biomech.skeleton import INDEX, KEYPOINTS, LIMBS, split_side
from deployments.messages import F32, F64, I32, U8, Bools
from deployments.render.canvas import BLACK, WHITE, Box, Canvas
from deployments.render.labels import Label, label_size, write_labels
from deployments.side_colors import SIDE_RGB, Rgb

CENTER_RGB = WHITE
OTHER_RGB = (170, 170, 170)

_GAP = 5.0  # between a joint and its label, the canvas's units


@dataclass(frozen=True, slots=True)
class FrameOverlay:
    """Overlay of one picture: a row of :class:`deployments.annotated_video.Overlay`.

    Attributes:
        keypoints: (p,17,2) pixels of the picture. score: (p,17). box: (p,4).
        track_id: (p,), the primary person first. angles_deg: (6,) of the primary person.
        min_score: keypoints below are not drawn.
    """

    keypoints: F32
    score: F32
    box: F32
    track_id: I32
    angles_deg: F64
    min_score: float


def _color(*ends: int) -> Rgb:
    """Return the color of the side that all keypoints are on; the nose is on either side."""
    sides = {side for k in ends if (side := split_side(KEYPOINTS[k])[0])}
    return SIDE_RGB[sides.pop()] if len(sides) == 1 else CENTER_RGB


_LIMBS = np.array(LIMBS)
_ANGLES_AT = [INDEX[point_of(name)] for name in JOINT_ANGLES]
_Colored = tuple[Rgb, Bools, Bools]
"""A color, which limbs have it, and which joints."""


def _of_color(rgb: Rgb) -> _Colored:
    joints = [_color(k) == rgb for k in range(len(KEYPOINTS))]
    return rgb, np.array([_color(*limb) == rgb for limb in LIMBS]), np.array(joints)


@dataclass(frozen=True, slots=True)
class _Stroke:
    """Sizes in the canvas's units, and colors."""

    limb: float
    joint: float
    box: float
    halo: float
    box_rgb: Rgb
    colored: tuple[_Colored, ...]


_PRIMARY = _Stroke(
    limb=2.4,
    joint=2.4,
    box=1.1,
    halo=0.7,
    box_rgb=CENTER_RGB,
    colored=tuple(_of_color(rgb) for rgb in (CENTER_RGB, *SIDE_RGB.values())),
)
_OTHER = _Stroke(
    limb=1.3,
    joint=1.4,
    box=0.8,
    halo=0.35,
    box_rgb=OTHER_RGB,
    colored=((OTHER_RGB, np.ones(len(LIMBS), np.bool_), np.ones(len(KEYPOINTS), np.bool_)),),
)


@dataclass(frozen=True, slots=True)
class _Person:
    """Drawing data of one person: (17,2) points, (17,) which of them count, box or None."""

    track_id: int
    points: F32
    seen: Bools
    box: Box | None
    stroke: _Stroke


def draw(y: U8, u: U8, v: U8, overlay: FrameOverlay) -> None:
    """Draw all people of a frame, the primary person on top, in place.

    Keypoints that are NaN, infinite or under the threshold are left out with their limbs and
    angles; so are angles and boxes that are not finite.

    Args:
        y: (h, w) in BT.709 limited range, writable, h and w even. u, v: (h/2, w/2).
        overlay: what to draw.
    """
    canvas = Canvas(y, u, v)
    people = [_person(overlay, p) for p in range(len(overlay.track_id))]
    for person in reversed(people):
        if person.box:
            canvas.outline(person.box, person.stroke.box_rgb, person.stroke.box * canvas.unit)
        _draw_skeleton(canvas, person)
    labels = [_id_label(canvas, person.track_id, person.box) for person in people if person.box]
    if people:
        labels += _angle_labels(canvas, people[0], overlay.angles_deg)
    write_labels(canvas, labels)


def _person(overlay: FrameOverlay, p: int) -> _Person:
    points = overlay.keypoints[p]
    x1, y1, x2, y2 = overlay.box[p].tolist()
    return _Person(
        track_id=int(overlay.track_id[p]),
        points=points,
        seen=np.isfinite(points).all(axis=-1) & (overlay.score[p] >= overlay.min_score),
        box=(x1, y1, x2, y2) if math.isfinite(x1 + y1 + x2 + y2) else None,
        stroke=_OTHER if p else _PRIMARY,
    )


def _draw_skeleton(canvas: Canvas, person: _Person) -> None:
    stroke, unit = person.stroke, canvas.unit
    points, joints = person.points, person.seen
    ends, limbs = points[_LIMBS], joints[_LIMBS].all(axis=-1)
    canvas.lines(ends[limbs], BLACK, (stroke.limb + 2 * stroke.halo) * unit)
    canvas.discs(points[joints], BLACK, (stroke.joint + stroke.halo) * unit)
    for rgb, of_limbs, _ in stroke.colored:
        canvas.lines(ends[limbs & of_limbs], rgb, stroke.limb * unit)
    for rgb, _, of_joints in stroke.colored:
        canvas.discs(points[joints & of_joints], rgb, stroke.joint * unit)


def _id_label(canvas: Canvas, track_id: int, box: Box) -> Label:
    text = f"#{track_id}"
    return Label(text, box[0], box[1] - label_size(text, canvas.unit)[1], CENTER_RGB)


def _angle_labels(canvas: Canvas, person: _Person, angles_deg: F64) -> list[Label]:
    """Return labels next to their joints, away from the body's middle, from top to bottom."""
    points = person.points.tolist()
    known = [
        (*points[at], f"{round(angle)}°", _color(at))
        for at, angle in zip(_ANGLES_AT, angles_deg.tolist(), strict=True)
        if math.isfinite(angle) and person.seen[at]
    ]
    known.sort(key=lambda label: label[1])
    middle = sum(x for x, *_ in known) / max(len(known), 1)
    gap = _GAP * canvas.unit
    labels = []
    for x, y, text, rgb in known:
        width, height = label_size(text, canvas.unit)
        left = x + gap if x >= middle else x - gap - width
        labels.append(Label(text, left, y - height / 2, rgb))
    return labels
