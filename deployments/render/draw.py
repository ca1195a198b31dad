"""Drawing people on a picture: box, skeleton by side, and the angles of the primary person."""

import math
from dataclasses import dataclass

import numpy as np

from biomech.skeleton import INDEX, JOINT_ANGLES, KEYPOINTS, LIMBS
from deployments.messages import F32, F64, I32, U8
from deployments.render.canvas import BLACK, WHITE, Box, Canvas, Point
from deployments.render.colour import Rgb
from deployments.render.labels import Label, label_size, write_labels

# Told apart by people who do not see red and green apart (Okabe and Ito's palette).
LEFT_RGB = (230, 159, 0)
RIGHT_RGB = (86, 180, 233)
CENTRE_RGB = WHITE
OTHER_RGB = (170, 170, 170)

_SIDE_RGB = {"left": LEFT_RGB, "right": RIGHT_RGB}
_GAP = 5.0  # between a joint and its label, the canvas's units


@dataclass(frozen=True, slots=True)
class FrameOverlay:
    """What is drawn on one picture: a row of :class:`deployments.messages.Overlay`.

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


@dataclass(frozen=True, slots=True)
class _Stroke:
    """Sizes in the canvas's units, and whether colours tell the sides apart."""

    limb: float
    joint: float
    box: float
    halo: float
    by_side: bool


_PRIMARY = _Stroke(limb=2.4, joint=2.4, box=1.1, halo=0.7, by_side=True)
_OTHER = _Stroke(limb=1.3, joint=1.4, box=0.8, halo=0.35, by_side=False)


@dataclass(frozen=True, slots=True)
class _Person:
    """What is seen of one person: points by keypoint index, and the box or None."""

    track_id: int
    points: dict[int, Point]
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
            rgb = CENTRE_RGB if person.stroke.by_side else OTHER_RGB
            canvas.outline(person.box, rgb, person.stroke.box * canvas.unit)
        _draw_skeleton(canvas, person)
    labels = [_id_label(canvas, person.track_id, person.box) for person in people if person.box]
    if people:
        labels += _angle_labels(canvas, people[0], overlay.angles_deg)
    write_labels(canvas, labels)


def _person(overlay: FrameOverlay, p: int) -> _Person:
    finite = np.isfinite(overlay.keypoints[p]).all(axis=-1)
    seen = finite & (overlay.score[p] >= overlay.min_score)
    points = overlay.keypoints[p].tolist()
    x1, y1, x2, y2 = overlay.box[p].tolist()
    return _Person(
        track_id=int(overlay.track_id[p]),
        points={k: (points[k][0], points[k][1]) for k in np.flatnonzero(seen).tolist()},
        box=(x1, y1, x2, y2) if math.isfinite(x1 + y1 + x2 + y2) else None,
        stroke=_OTHER if p else _PRIMARY,
    )


def _draw_skeleton(canvas: Canvas, person: _Person) -> None:
    points, stroke, unit = person.points, person.stroke, canvas.unit
    limbs = [(a, b) for a, b in LIMBS if a in points and b in points]
    for a, b in limbs:
        canvas.line(points[a], points[b], BLACK, (stroke.limb + 2 * stroke.halo) * unit)
    for point in points.values():
        canvas.disc(point, BLACK, (stroke.joint + stroke.halo) * unit)
    for a, b in limbs:
        canvas.line(points[a], points[b], _colour(stroke, a, b), stroke.limb * unit)
    for k, point in points.items():
        canvas.disc(point, _colour(stroke, k, k), stroke.joint * unit)


def _colour(stroke: _Stroke, a: int, b: int) -> Rgb:
    """By the side that both ends are on; the nose is on either."""
    sides = {KEYPOINTS[k].split("_")[0] for k in (a, b)} & _SIDE_RGB.keys()
    if not stroke.by_side:
        return OTHER_RGB
    return _SIDE_RGB[sides.pop()] if len(sides) == 1 else CENTRE_RGB


def _id_label(canvas: Canvas, track_id: int, box: Box) -> Label:
    text = f"#{track_id}"
    return Label(text, box[0], box[1] - label_size(text, canvas.unit)[1], CENTRE_RGB)


def _angle_labels(canvas: Canvas, person: _Person, angles_deg: F64) -> list[Label]:
    """Labels beside their joints, pointing away from the body's middle, from top to bottom."""
    known = [
        (*person.points[INDEX[name]], f"{round(angle)}°", _SIDE_RGB[name.split("_")[0]])
        for name, angle in zip(JOINT_ANGLES, angles_deg.tolist(), strict=True)
        if math.isfinite(angle) and INDEX[name] in person.points
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
