"""Write text on pictures: legible at any size, inside the picture, without overlaps."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from deployments.render.canvas import WHITE, Canvas, Rectangle
from deployments.render.color_conversion import yuv
from deployments.side_colors import Rgb

_TEXT_UNITS = 9.5  # size of the font, 360ths of the picture's shorter side
_SMALLEST_PX = 8
_PADDING = 0.28  # of the size of the font
_WEIGHT = 600  # semi-bold
_FAR = 1 << 14
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Label:
    """A text, the preferred position of its plate, and the color of the plate's lower edge.

    Attributes:
        x, y: top left corner of the plate, pixels.
    """

    text: str
    x: float
    y: float
    rgb: Rgb


def write_labels(canvas: Canvas, labels: Sequence[Label]) -> list[Rectangle]:
    """Write labels at their preferred position, or as near to it as they fit.

    Labels that fit nowhere are left out, because they would hide others.

    Returns:
        The plates of those written.
    """
    taken: list[Rectangle] = []
    for label in labels:
        place = _nearest_free(label, taken, canvas)
        if place is not None:
            taken.append(place)
            _write(canvas, label, place)
    return taken


def label_size(text: str, unit: float) -> tuple[int, int]:
    """Return (width, height) of the plate behind ``text`` in pixels."""
    x1, x2 = _extent(text, _font_px(unit))
    pad = round(_PADDING * _font_px(unit))
    return x2 - x1 + 2 * pad, _font_px(unit) + pad


def _nearest_free(label: Label, taken: Sequence[Rectangle], canvas: Canvas) -> Rectangle | None:
    """Find the nearest free place, preferably above or below; None if there is none."""
    width, height = label_size(label.text, canvas.unit)
    right, bottom = canvas.width - width, canvas.height - height
    if right < 0 or bottom < 0:
        return None
    x, y = round(min(max(label.x, 0), right)), round(min(max(label.y, 0), bottom))
    # The nearest free place touches the preferred one, or existing plates.
    rows = [y, *(edge for _, y1, _, y2 in taken for edge in (y1 - height, y2))]
    columns = [edge for x1, _, x2, _ in taken for edge in (x1 - width, x2)]
    for places in (
        [(x, row) for row in rows],
        [(column, row) for column in columns for row in rows],
    ):
        for left, top in sorted(places, key=lambda p: math.dist(p, (x, y))):
            place = (left, top, left + width, top + height)
            inside = 0 <= left <= right and 0 <= top <= bottom
            if inside and not any(_intersect(place, other) for other in taken):
                return place
    return None


def _intersect(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _write(canvas: Canvas, label: Label, place: Rectangle) -> None:
    """Write white text on a dark plate with a colored lower edge."""
    canvas.plate(place)
    x1, _, x2, y2 = place
    edge = max(round(canvas.unit), 1)
    canvas.bar((x1, y2 - edge, x2, y2), label.rgb)
    size = _font_px(canvas.unit)
    pad = round(_PADDING * size)
    start = x1 + pad - _extent(label.text, size)[0]
    white = yuv(WHITE)[0]
    cv2.putText(canvas.y, label.text, (start, y2 - pad), (white,), _font(), size, _WEIGHT)


def _font_px(unit: float) -> int:
    return max(round(_TEXT_UNITS * unit), _SMALLEST_PX)


def _extent(text: str, size: int) -> tuple[int, int]:
    """Return the first and last column of the text, relative to its start."""
    x, _, width, _ = cv2.getTextSize((_FAR, _FAR), text, (0, 0), _font(), size, _WEIGHT)
    return x, x + width


def _font() -> cv2.FontFace:
    """Return this thread's font; its glyph cache is not thread-safe."""
    if not hasattr(_local, "font"):
        _local.font = cv2.FontFace("sans")
    font: cv2.FontFace = _local.font
    return font
