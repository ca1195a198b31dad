"""Draw on the three planes of a picture.

Y at full size and U and V at half size are drawn directly, which saves the conversion to RGB and
back. Colors are BT.709 in limited range.
"""

import math
from itertools import pairwise

import cv2
import numpy as np

from deployments.messages import F32, F64, I32, U8
from deployments.render.color_conversion import yuv
from deployments.side_colors import Rgb

Points = F32 | F64
"""(..., 2) x, y."""

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

    def lines(self, ends: Points, rgb: Rgb, width: float) -> None:
        """Draw anti-aliased lines, ``width`` pixels wide, between the ends of rows (n, 2, 2)."""
        for planes, values, scale in self._planes(rgb):
            fixed = list(_fixed(ends, scale))
            thick = max(round(width * scale), 1)
            for plane, value in zip(planes, values, strict=True):
                cv2.polylines(plane, fixed, False, (value,), thick, cv2.LINE_AA, _SHIFT)

    def discs(self, centers: Points, rgb: Rgb, radius: float) -> None:
        """Draw anti-aliased filled circles about points (n, 2)."""
        for planes, values, scale in self._planes(rgb):
            size = max(round(radius * scale * _ONE), _ONE // 2)
            for center in _fixed(centers, scale).tolist():
                for plane, value in zip(planes, values, strict=True):
                    cv2.circle(plane, center, size, (value,), -1, cv2.LINE_AA, _SHIFT)

    def outline(self, box: Box, rgb: Rgb, width: float) -> None:
        """Draw the four edges of a box."""
        x1, y1, x2, y2 = box
        corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1))
        self.lines(np.array(list(pairwise(corners))), rgb, width)

    def plate(self, place: Rectangle) -> None:
        """Darken and desaturate a rectangle, so that text stands out."""
        x1, y1, x2, y2 = place
        self.y[y1:y2, x1:x2] = _PLATE[self.y[y1:y2, x1:x2]]
        for plane in (self.u, self.v):
            plane[y1 // 2 : math.ceil(y2 / 2), x1 // 2 : math.ceil(x2 / 2)] = 128

    def bar(self, place: Rectangle, rgb: Rgb) -> None:
        """Fill a rectangle, including all color samples that it touches."""
        x1, y1, x2, y2 = place
        for plane, value, size in zip((self.y, self.u, self.v), yuv(rgb), (1, 2, 2), strict=True):
            rows = slice(y1 // size, math.ceil(y2 / size))
            plane[rows, x1 // size : math.ceil(x2 / size)] = value

    def _planes(self, rgb: Rgb) -> tuple[tuple[tuple[U8, ...], tuple[int, ...], float], ...]:
        """Return planes of one size, the color in each, and their scale relative to Y."""
        y, u, v = yuv(rgb)
        return ((self.y,), (y,), 1.0), ((self.u, self.v), (u, v), 0.5)


def _fixed(points: Points, scale: float) -> I32:
    """Return fixed-point coordinates on a plane ``scale`` times the size of Y."""
    near = np.clip(points, -_FAR, _FAR, dtype=np.float64)
    fixed: I32 = np.rint(((near + 0.5) * scale - 0.5) * _ONE).astype(np.int32)
    return fixed
