"""Align two movements of different pace by dynamic time warping."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech.kinematics.geometry import Array

BAND: Final = 0.10
"""Sakoe-Chiba band: largest time difference of matched points, as a share of the length."""


@dataclass(frozen=True, slots=True)
class Warp:
    """Alignment of two curves.

    Attributes:
        norm: mean cost along the path, in tolerances.
        path: (k, 2) matched indices of the first and of the second curve.
    """

    norm: float
    path: NDArray[np.intp]


def dtw(a: Array, b: Array, tolerance: Array, band: float = BAND) -> Warp:
    """Find the cheapest alignment of two curves, in steps of one along either or both.

    The cost of two points is the root mean square over quantities of their difference in
    tolerances. Curves are not normalized, because that would hide differences of range.

    Args:
        a: (n, j). b: (m, j). tolerance: (j,) or (n, j), above 0, in the units of the curves.
        band: share of the longer curve; widened to the difference of lengths if necessary.

    Raises:
        ValueError: a curve is empty or has NaN.
    """
    n, m = len(a), len(b)
    if not n or not m or not np.isfinite(a).all() or not np.isfinite(b).all():
        raise ValueError("curves must be known throughout")
    reach = max(math.ceil(band * max(n, m)), abs(n - m))
    tolerance = np.broadcast_to(np.asarray(tolerance, np.float64), a.shape)
    cost = np.sqrt((((a[:, None, :] - b[None, :, :]) / tolerance[:, None, :]) ** 2).mean(-1))
    total = np.full((n + 1, m + 1), math.inf)
    total[0, 0] = 0.0
    for i in range(n):
        for j in range(max(0, i - reach), min(m, i + reach + 1)):
            before = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = cost[i, j] + before
    path = _back(total)
    return Warp(float(total[n, m]) / len(path), path)


def _back(total: Array) -> NDArray[np.intp]:
    """Trace the path back through the sums; a tie takes the diagonal step."""
    i, j = total.shape[0] - 1, total.shape[1] - 1
    path = [(i - 1, j - 1)]
    while (i, j) != (1, 1):
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(steps, key=lambda step: total[step])
        path.append((i - 1, j - 1))
    return np.array(path[::-1], np.intp)


def timing(path: NDArray[np.intp], points: int) -> float:
    """Return the mean time difference of matched points as a share of ``points``."""
    return float(np.abs(path[:, 0] - path[:, 1]).mean()) / points
