"""Compare sides, test trends, and compute detectable changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy

from biomech.kinematics.geometry import Array
from biomech.kinematics.joint_angles import Z95

_UPPER: Final = 0.975


def symmetry_index(left: float, right: float) -> float:
    """Return the difference of the sides over their mean, per cent, + right larger (Robinson 1987).

    Valid only for quantities with a true zero; NaN if both are 0.
    """
    mean = (left + right) / 2
    return 100.0 * (right - left) / mean if mean else math.nan


def symmetry_angle(left: float, right: float) -> float:
    """Return the angle of (right, left) from equality, per cent, + right larger (Zifchock 2008).

    NaN if both are 0.
    """
    if not left and not right:
        return math.nan
    return 100.0 * (45.0 - math.degrees(math.atan2(left, right))) / 90.0


def limb_symmetry(involved: float, uninvolved: float) -> float:
    """Return the injured side in per cent of the other; NaN if the other is 0."""
    return 100.0 * involved / uninvolved if uninvolved else math.nan


def detectable_change(error: float) -> float:
    """Return the smallest detectable change for a standard error, 95 % (Weir 2005)."""
    return Z95 * math.sqrt(2.0) * error


def t95(freedom: float) -> float:
    """Return the half width of a 95 % interval in estimated standard errors (Student)."""
    return float(scipy.stats.t.ppf(_UPPER, freedom))


def half_width(sd: float, n: int) -> float:
    """Return the half width of the 95 % interval of a mean of n values; NaN for one value."""
    return t95(n - 1) * sd / math.sqrt(n) if n > 1 else math.nan


def difference_error(sds: tuple[float, float], counts: tuple[int, int]) -> tuple[float, float]:
    """Return standard error and 95 % half width of a difference of two means (Welch 1947).

    Both are NaN if a mean is of a single value, because its scatter is unknown.
    """
    if min(counts) < 2:
        return math.nan, math.nan
    squares = [sd**2 / n for sd, n in zip(sds, counts, strict=True)]
    total = sum(squares)
    if not total:
        return 0.0, 0.0
    weights = (square**2 / (n - 1) for square, n in zip(squares, counts, strict=True))
    error = math.sqrt(total)
    return error, t95(total**2 / sum(weights)) * error


@dataclass(frozen=True, slots=True)
class Slope:
    """A Theil-Sen line: the median of all slopes between two points.

    Attributes:
        slope, low, high: with its 95 % interval. intercept: at 0.
    """

    slope: float
    low: float
    high: float
    intercept: float


def theil_sen(times: Array, values: Array, trend: "Trend | None" = None) -> Slope:
    """Fit the median slope of (n,) values over (n,) times, with its nominal 95 % interval.

    Args:
        times, values: (n,).
        trend: Mann-Kendall test of the values, whose correction for serial correlation widens the
            interval; None for many independent values.

    Returns:
        the line; the interval's ends are NaN if there are too few values.

    Raises:
        ValueError: fewer than two points, or all at one time.
    """
    n = len(values)
    if n < 2 or np.ptp(times) == 0:
        raise ValueError("a slope needs points at two times")
    reach = Z95 if trend is None else t95(trend.freedom) * math.sqrt(trend.correction)
    outside = max(2 * float(scipy.stats.norm.sf(reach)), _LEAST_OUTSIDE)
    found = scipy.stats.theilslopes(values, times, alpha=outside)
    slope, intercept, low, high = (float(v) for v in found)
    if trend and reach * math.sqrt(n * (n - 1) * (2 * n + 5) / 18) >= n * (n - 1) / 2:
        low = high = math.nan  # beyond the least and the greatest slope
    return Slope(slope, low, high, intercept)


@dataclass(frozen=True, slots=True)
class Trend:
    """Result of a Mann-Kendall test for a trend.

    Attributes:
        s: rising pairs minus falling pairs. z: standardized, with continuity. p: two-sided.
        correction: factor of the variance for serial correlation, 1 for none.
        freedom: of Student's t for ``z``: number of independent values minus three, because level,
            slope and correlation are estimated.
    """

    s: int
    z: float
    p: float
    correction: float
    freedom: float


LEAST_TREND: Final = 20
"""Fewest values for which the test keeps its level, as their correlation is estimated too."""


def mann_kendall(values: Array) -> Trend:
    """Test (n,) values in the order of time for a trend, with a correction for ties.

    Values may be serially correlated (first-order autoregressive). The variance is then increased
    by Hamed & Rao (1998), never decreased, and ``z`` is compared with Student's t for the effective
    number of independent values. Below :data:`LEAST_TREND` values ``p`` is rough.

    Raises:
        ValueError: fewer than three values.
    """
    n = len(values)
    if n < _LEAST_RANKED:
        raise ValueError(f"{n} values have no trend, {_LEAST_RANKED} are needed")
    s = int(np.sign(values[None, :] - values[:, None])[np.triu_indices(n, 1)].sum())
    _, ties = np.unique(values, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - np.sum(ties * (ties - 1) * (2 * ties + 5))) / 18
    correction = _widening(n, _dependence(values))
    freedom = max(n / correction - _FITTED, 1.0)
    z = (s - np.sign(s)) / math.sqrt(variance * correction) if variance else 0.0
    return Trend(s, float(z), float(2 * scipy.stats.t.sf(abs(z), freedom)), correction, freedom)


def _dependence(values: Array) -> float:
    """Return the correlation of neighboring ranks of the residuals, 0 to 0.95.

    Fitting a line reduces it by (2 + 4 rho) / n, which is added back.
    """
    n = len(values)
    times = np.arange(n, dtype=float)
    rest = values - theil_sen(times, values).slope * times
    ranks = scipy.stats.rankdata(rest) - (n + 1) / 2
    power = float((ranks**2).sum())
    if not power or n <= _LEAST_DEPENDENT:
        return 0.0
    found = float((ranks[1:] * ranks[:-1]).sum()) / power
    return min(max((n * found + 2) / (n - 4), 0.0), _MOST_DEPENDENT)


def _widening(n: int, rho: float) -> float:
    """Return the variance factor of Hamed & Rao (1998) for a correlation ``rho`` of neighbors."""
    lags = np.arange(1, n)
    weights = (n - lags) * (n - lags - 1) * (n - lags - 2)
    return 1.0 + 2.0 / max(n * (n - 1) * (n - 2), 1) * float((weights * rho**lags).sum())


_LEAST_OUTSIDE: Final = 1e-300
_FITTED: Final = 3
_LEAST_RANKED: Final = 3
_LEAST_DEPENDENT: Final = 4
_MOST_DEPENDENT: Final = 0.95


def holm(p: Sequence[float]) -> list[float]:
    """Adjust the p-values of several tests, in their order, by Holm's step-down method."""
    order = np.argsort(p, kind="stable")
    scaled = np.asarray(p)[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(v) for v in adjusted]
