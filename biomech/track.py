"""One person through a clip."""

from dataclasses import dataclass

import numpy as np

from biomech.kinematics.geometry import Array
from biomech.reasons import Flags


@dataclass(frozen=True, slots=True)
class Track:
    """Keypoints of one person as measured, NaN where absent.

    Attributes:
        times_s: (f,) ascending, from the container's time stamps.
        xy: (f, 17, 2) pixels, x right, y down. score: (f, 17).
        sigma: (f, 17, 2) standard deviations in pixels, NaN unknown.
        box: (f, 4) x1, y1, x2, y2 pixels.
        present: (f,) whether the person is in the frame.
        size: (width, height) of the picture.
        blur: (f,) of the person, 0 sharp to 1, NaN unknown; None without pictures.
    """

    times_s: Array
    xy: Array
    score: Array
    sigma: Array
    box: Array
    present: Flags
    size: tuple[int, int]
    blur: Array | None = None

    @property
    def center(self) -> Array:
        """(2,) pixels: the middle of the picture."""
        return (np.array(self.size, np.float64) - 1.0) / 2.0
