"""Three planes drawn on as one picture.

Drawn where the encoder reads: on Y at full size and on U and V at half size, which saves the
conversion to RGB and back. Colours are BT.709 in limited range.
"""

import math
from itertools import pairwise

import cv2
import numpy as np

from deployments.messages import U8
from deployments.render.colour import Rgb, yuv

Point = tuple[float, float]
"""x, y."""

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""

Rectangle = tuple[int, int, int, int]
"""x1, y1, x2, y2, whole pixels, the last ones outside."""

BLACK, WHITE = (0, 0, 0), (255, 255, 255)

_SHIFT = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_ONE = 1 << _SHIFT
_FAR = 1 << 14  # beyond any picture; keeps fixed-point coordinates in range
_PLATE = cv2.convertScaleAbs(np.arange(256, dtype=np.uint8), alpha=0.3, beta=11).reshape(-1)


class Canvas:
    """Writable planes of one picture; coordinates are pixels of Y.

    Args:
        y: (h, w), h and w even. u, v: (h/2, w/2).

    Attributes:
        unit: pixels a 360th of the shorter side; sizes are multiples of it.
    """

    def __init__(self, y: U8, u: U8, v: U8) -> None:
        self.y, self.u, self.v = y, u, v
        self.height, self.width = y.shape
        self.unit = max(min(y.shape) / 360, 0.25)

    def line(self, a: Point, b: Point, rgb: Rgb, width: float) -> None:
        """An anti-aliased line between two points, ``width`` pixels wide."""
        for plane, value, scale in self._planes(rgb):
            thick = max(round(width * scale), 1)
            cv2.line(plane, _fixed(a, scale), _fixed(b, scale), value, thick, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: Point, rgb: Rgb, radius: float) -> None:
        """An anti-aliased filled circle."""
        for plane, value, scale in self._planes(rgb):
            size = max(round(radius * scale * _ONE), _ONE // 2)
            cv2.circle(plane, _fixed(centre, scale), size, value, -1, cv2.LINE_AA, _SHIFT)

    def outline(self, box: Box, rgb: Rgb, width: float) -> None:
        """The four edges of a box."""
        x1, y1, x2, y2 = box
        for a, b in pairwise(((x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1))):
            self.line(a, b, rgb, width)

    def plate(self, place: Rectangle) -> None:
        """Darken a rectangle and take its colour away, so that text stands out."""
        x1, y1, x2, y2 = place
        self.y[y1:y2, x1:x2] = _PLATE[self.y[y1:y2, x1:x2]]
        for plane in (self.u, self.v):
            plane[y1 // 2 : math.ceil(y2 / 2), x1 // 2 : math.ceil(x2 / 2)] = 128

    def bar(self, place: Rectangle, rgb: Rgb) -> None:
        """Fill a rectangle, all colour samples that it touches included."""
        x1, y1, x2, y2 = place
        for plane, value, size in zip((self.y, self.u, self.v), yuv(rgb), (1, 2, 2), strict=True):
            rows = slice(y1 // size, math.ceil(y2 / size))
            plane[rows, x1 // size : math.ceil(x2 / size)] = value

    def _planes(self, rgb: Rgb) -> list[tuple[U8, int, float]]:
        y, u, v = yuv(rgb)
        return [(self.y, y, 1.0), (self.u, u, 0.5), (self.v, v, 0.5)]


def _fixed(point: Point, scale: float) -> tuple[int, int]:
    """Fixed-point coordinates on a plane ``scale`` times the size of Y."""
    x, y = (min(max(value, -_FAR), _FAR) for value in point)
    return round(((x + 0.5) * scale - 0.5) * _ONE), round(((y + 0.5) * scale - 0.5) * _ONE)
