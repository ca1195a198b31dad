"""A pinhole camera that looks at the athlete."""

import math
from dataclasses import dataclass

import numpy as np

from tools.athlete.body import Array


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """Position and view of the camera.

    Attributes:
        size: (width, height) of the picture.
        azimuth: degrees around the vertical; 0 stands on the world's +x side, 90 on +y.
        elevation: degrees above the horizontal. roll: degrees, + turns the scene clockwise.
        distance: from the target, statures. target: (3,) point in the middle of the picture.
        height_px: of a stature that stands at the target.
        shift: (x, y) pixels by which the target lies off the middle of the picture.
    """

    size: tuple[int, int]
    azimuth: float = 0.0
    elevation: float = 3.0
    roll: float = 0.0
    distance: float = 4.0
    target: tuple[float, float, float] = (0.0, 0.0, 0.5)
    height_px: float = 400.0
    shift: tuple[float, float] = (0.0, 0.0)

    def project(self, points: Array) -> tuple[Array, Array]:
        """Points (..., 3) as pixels (..., 2), x right and y down, and depth (...) in pixels.

        Depth is measured in pixels at the target's distance, 0 there.
        """
        right, down, ahead = self._axes()
        relative = np.asarray(points, float) - np.array(self.target)
        depth = relative @ ahead + self.distance
        scale = self.height_px * self.distance / np.maximum(depth, 0.05)
        x = relative @ right * scale
        y = relative @ down * scale
        a = np.radians(self.roll)
        turned = np.stack([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)], axis=-1)
        # A pixel's center is at its whole coordinate.
        middle = (np.array(self.size) - 1) / 2 + self.shift
        return turned + middle, (depth - self.distance) * self.height_px

    def scale(self, points: Array) -> Array:
        """Pixels a stature at points (..., 3)."""
        ahead = self._axes()[2]
        depth = (np.asarray(points, float) - np.array(self.target)) @ ahead + self.distance
        pixels: Array = self.height_px * self.distance / np.maximum(depth, 0.05)
        return pixels

    def _axes(self) -> tuple[Array, Array, Array]:
        """Unit vectors of the picture's right and down, and of the way the camera looks."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        cos_a, sin_a, cos_e, sin_e = math.cos(a), math.sin(a), math.cos(e), math.sin(e)
        right = np.array([-sin_a, cos_a, 0.0])
        down = np.array([sin_e * cos_a, sin_e * sin_a, -cos_e])
        ahead = np.array([-cos_e * cos_a, -cos_e * sin_a, -sin_e])
        return right, down, ahead
