"""Text on pictures: legible at any size, inside the picture, apart from other text."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from deployments.messages import F64

if TYPE_CHECKING:
    from deployments.render.draw import Canvas

TEXT_UNITS = 9.5
"""Height of the text in 360ths of the picture's shorter side."""

_PADDING = 0.28  # of the text's height
_WEIGHT = 600
_PLATE_DARKNESS = 0.3
_NEUTRAL = 128
_local = threading.local()

Rectangle = tuple[int, int, int, int]
"""x1, y1, x2, y2, whole pixels."""


def place_labels(
    canvas: "Canvas", labels: Sequence[tuple[str, F64, tuple[int, int, int]]], middle: float
) -> None:
    """Write labels beside their points, away from ``middle``, none over another.

    Args:
        canvas: to write on.
        labels: text, point and colour of the mark at its edge.
        middle: x from which the labels point away.
    """
    taken: list[Rectangle] = []
    gap = 5 * canvas.style.unit
    for text, point, rgb in sorted(labels, key=lambda label: float(label[1][1])):
        width, height = label_size(text, canvas.style.unit)
        x = point[0] + gap if point[0] >= middle else point[0] - gap - width
        wanted = _rectangle(x, point[1] - height / 2, width, height, canvas.y.shape)
        place = _free(wanted, taken, canvas.y.shape[0])
        taken.append(place)
        _write(canvas, text, place, rgb)


def draw_label(canvas: "Canvas", text: str, corner: F64, *, above: bool) -> Rectangle:
    """Write ``text`` at a corner of a box; returns the plate's rectangle."""
    width, height = label_size(text, canvas.style.unit)
    y = corner[1] - height if above else corner[1]
    place = _rectangle(corner[0], y, width, height, canvas.y.shape)
    _write(canvas, text, place, None)
    return place


def label_size(text: str, unit: float) -> tuple[int, int]:
    """(width, height) of the plate behind ``text``."""
    size = text_px(unit)
    x1, _, x2, _ = _bounds(text, size)
    pad = round(_PADDING * size)
    return x2 - x1 + 2 * pad, size + pad


def text_px(unit: float) -> int:
    """Font size for a picture, pixels."""
    return max(round(TEXT_UNITS * unit), 8)


def _bounds(text: str, size: int) -> Rectangle:
    x, y, width, height = cv2.getTextSize((1 << 14, 1 << 14), text, (0, 0), _font(), size, _WEIGHT)
    return x, y, x + width, y + height


def _rectangle(x: float, y: float, width: int, height: int, shape: tuple[int, ...]) -> Rectangle:
    """A plate moved inside the picture."""
    rows, columns = shape
    left = int(np.clip(x, 0, max(columns - width, 0)))
    top = int(np.clip(y, 0, max(rows - height, 0)))
    return left, top, min(left + width, columns), min(top + height, rows)


def _free(wanted: Rectangle, taken: Sequence[Rectangle], rows: int) -> Rectangle:
    """``wanted``, moved down past what it would cover, as long as it stays in the picture."""
    x1, y1, x2, y2 = wanted
    for a1, b1, a2, b2 in sorted(taken, key=lambda r: r[1]):
        if x1 < a2 and a1 < x2 and y1 < b2 and b1 < y2 and b2 + (y2 - y1) <= rows:
            y1, y2 = b2, b2 + (y2 - y1)
    return x1, y1, x2, y2


def _write(canvas: "Canvas", text: str, place: Rectangle, rgb: tuple[int, int, int] | None) -> None:
    """White text on a darkened, colourless plate, with a coloured edge."""
    x1, y1, x2, y2 = place
    plate = canvas.y[y1:y2, x1:x2]
    plate[:] = (plate * _PLATE_DARKNESS).astype(np.uint8) + 16
    for plane in (canvas.u, canvas.v):
        plane[(y1 + 1) // 2 : y2 // 2, (x1 + 1) // 2 : x2 // 2] = _NEUTRAL
    size = text_px(canvas.style.unit)
    pad = round(_PADDING * size)
    left, _, _, _ = _bounds(text, size)
    baseline = y2 - pad
    white = canvas.style.yuv((255, 255, 255))[0]
    cv2.putText(canvas.y, text, (x1 + pad - left, baseline), (white,), _font(), size, _WEIGHT)
    if rgb is not None:
        edge = np.array([[x1, y2 - 1], [x2 - 1, y2 - 1]], np.float64)
        canvas.line(edge[0], edge[1], rgb, max(canvas.style.unit, 1.0))


def _font() -> cv2.FontFace:
    """One font a thread: its glyph cache is not shared safely."""
    if not hasattr(_local, "font"):
        _local.font = cv2.FontFace("sans")
    font: cv2.FontFace = _local.font
    return font
