"""Drawing skeletons on the planes of a picture.

Drawn where the encoder reads: on Y at full size and on U and V at half size, which saves the
conversion to RGB and back.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from biomech.skeleton import INDEX, JOINT_ANGLES, KEYPOINTS, LIMBS
from deployments.messages import F32, F64, I32, U8
from deployments.render.labels import draw_label, place_labels

# Told apart by people who do not see red and green apart (Okabe and Ito's palette).
LEFT_RGB = (230, 159, 0)
RIGHT_RGB = (86, 180, 233)
CENTRE_RGB = (255, 255, 255)
OTHER_RGB = (170, 170, 170)

_SHIFT = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_FAR = 1 << 14  # beyond any picture; keeps fixed-point coordinates in range


@dataclass(frozen=True, slots=True)
class FrameOverlay:
    """What is drawn on one picture; see :class:`deployments.messages.Overlay` for the fields."""

    keypoints: F32
    score: F32
    box: F32
    track_id: I32
    angles_deg: F64
    min_score: float


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes and colours for one size of picture.

    Attributes:
        unit: pixels a 360th of the shorter side: all sizes are multiples of it.
        bt709, full_range: of the picture.
    """

    unit: float
    bt709: bool = True
    full_range: bool = False

    @staticmethod
    def of(width: int, height: int, *, bt709: bool = True, full_range: bool = False) -> "Style":
        """For pictures of this size."""
        return Style(max(min(width, height) / 360, 0.25), bt709, full_range)

    def yuv(self, rgb: tuple[int, int, int]) -> tuple[int, int, int]:
        """A colour in the picture's matrix and range."""
        kr, kb = (0.2126, 0.0722) if self.bt709 else (0.299, 0.114)
        r, g, b = (c / 255 for c in rgb)
        y = kr * r + (1 - kr - kb) * g + kb * b
        u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
        if self.full_range:
            return round(255 * y), round(128 + 255 * u), round(128 + 255 * v)
        return round(16 + 219 * y), round(128 + 224 * u), round(128 + 224 * v)


class Canvas:
    """Three planes drawn on as one; coordinates are those of Y."""

    def __init__(self, y: U8, u: U8, v: U8, style: Style) -> None:
        self.y, self.u, self.v = y, u, v
        self.style = style

    def line(self, a: F64, b: F64, rgb: tuple[int, int, int], width: float) -> None:
        """An anti-aliased line."""
        for plane, value, scale in self._planes(rgb):
            thickness = max(round(width * scale), 1)
            cv2.line(
                plane, _fixed(a, scale), _fixed(b, scale), value, thickness, cv2.LINE_AA, _SHIFT
            )

    def disc(self, centre: F64, rgb: tuple[int, int, int], radius: float) -> None:
        """An anti-aliased filled circle."""
        for plane, value, scale in self._planes(rgb):
            size = max(round(radius * scale * (1 << _SHIFT)), 1 << (_SHIFT - 1))
            cv2.circle(plane, _fixed(centre, scale), size, value, -1, cv2.LINE_AA, _SHIFT)

    def frame(self, box: F64, rgb: tuple[int, int, int], width: float) -> None:
        """The outline of a box."""
        corners = np.array([[box[i], box[j]] for i, j in ((0, 1), (2, 1), (2, 3), (0, 3))])
        for i in range(4):
            self.line(corners[i], corners[(i + 1) % 4], rgb, width)

    def _planes(self, rgb: tuple[int, int, int]) -> list[tuple[U8, int, float]]:
        y, u, v = self.style.yuv(rgb)
        return [(self.y, y, 1.0), (self.u, u, 0.5), (self.v, v, 0.5)]


def draw(canvas: Canvas, overlay: FrameOverlay) -> None:
    """Draw all people of a frame: the primary person (the first) last, with angles.

    Points that are NaN, infinite or under the threshold are left out.
    """
    for p in reversed(range(len(overlay.track_id))):
        _draw_person(canvas, overlay, p)
    if len(overlay.track_id):
        _draw_angles(canvas, overlay)


def _draw_person(canvas: Canvas, overlay: FrameOverlay, p: int) -> None:
    primary = p == 0
    unit = canvas.style.unit
    width = (2.2 if primary else 1.2) * unit
    points, box = overlay.keypoints[p].astype(np.float64), overlay.box[p].astype(np.float64)
    if np.isfinite(box).all():
        canvas.frame(box, CENTRE_RGB if primary else OTHER_RGB, (1.0 if primary else 0.7) * unit)
        draw_label(canvas, f"{overlay.track_id[p]}", box[:2], above=True)
    seen = np.isfinite(points).all(-1) & (overlay.score[p] >= overlay.min_score)
    for a, b in LIMBS:
        if seen[a] and seen[b]:
            canvas.line(points[a], points[b], _colour(a, b, primary), width)
    for k in np.flatnonzero(seen).tolist():
        canvas.disc(points[k], _colour(k, k, primary), (2.6 if primary else 1.6) * unit)


def _colour(a: int, b: int, primary: bool) -> tuple[int, int, int]:
    if not primary:
        return OTHER_RGB
    sides = {KEYPOINTS[k].split("_")[0] for k in (a, b)}
    if sides in ({"left"}, {"nose", "left"}):
        return LEFT_RGB
    if sides in ({"right"}, {"nose", "right"}):
        return RIGHT_RGB
    return CENTRE_RGB


def _draw_angles(canvas: Canvas, overlay: FrameOverlay) -> None:
    points = overlay.keypoints[0].astype(np.float64)
    labels = []
    for name, angle in zip(JOINT_ANGLES, overlay.angles_deg, strict=True):
        joint = points[INDEX[name]]
        if math.isfinite(angle) and np.isfinite(joint).all():
            rgb = LEFT_RGB if name.startswith("left") else RIGHT_RGB
            labels.append((f"{angle:.0f}°", joint, rgb))
    middle = float(np.mean([joint[0] for _, joint, _ in labels])) if labels else 0.0
    place_labels(canvas, labels, middle)


def _fixed(point: F64, scale: float) -> tuple[int, int]:
    """Fixed-point coordinates on a plane ``scale`` times the size of Y."""
    x, y = np.clip((np.asarray(point) + 0.5) * scale - 0.5, -_FAR, _FAR) * (1 << _SHIFT)
    return round(float(x)), round(float(y))
