"""Sides compared, trends, and how large a change must be to be one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import scipy

from biomech.kinematics.geometry import Array

Z95: Final = NormalDist().inv_cdf(0.975)
"""Half width of a nominal 95 % interval where the standard deviation is known."""

_UPPER: Final = 0.975


def symmetry_index(left: float, right: float) -> float:
    """Difference of the sides over their mean, per cent, + right larger (Robinson 1987).

    Of quantities with a true zero only; NaN where both are 0.
    """
    mean = (left + right) / 2
    return 100.0 * (right - left) / mean if mean else math.nan


def symmetry_angle(left: float, right: float) -> float:
    """Per cent, + right larger: how far (right, left) is off the line of equals (Zifchock 2008).

    NaN where both are 0.
    """
    if not left and not right:
        return math.nan
    return 100.0 * (45.0 - math.degrees(math.atan2(left, right))) / 90.0


def limb_symmetry(involved: float, uninvolved: float) -> float:
    """The injured side in per cent of the other; NaN where the other is 0."""
    return 100.0 * involved / uninvolved if uninvolved else math.nan


def detectable_change(error: float) -> float:
    """Smallest change of a measurement beyond its standard error, 95 % (Weir 2005)."""
    return Z95 * math.sqrt(2.0) * error


def t95(freedom: float) -> float:
    """Half width of a nominal 95 % interval in standard errors that are estimated (Student)."""
    return float(scipy.stats.t.ppf(_UPPER, freedom))


def half_width(sd: float, n: int) -> float:
    """Half width of the nominal 95 % interval of a mean of n values; NaN for a single value."""
    return t95(n - 1) * sd / math.sqrt(n) if n > 1 else math.nan


def difference_error(sds: tuple[float, float], counts: tuple[int, int]) -> tuple[float, float]:
    """Standard error of a difference of two means, and its nominal 95 % half width (Welch 1947).

    Both are NaN where one mean is of a single value: its scatter is not known.
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
    """A line through points by the median of all slopes between two of them (Theil, Sen).

    Attributes:
        slope, low, high: with its 95 % interval. intercept: at 0.
    """

    slope: float
    low: float
    high: float
    intercept: float


def theil_sen(times: Array, values: Array, trend: "Trend | None" = None) -> Slope:
    """Median slope of (n,) values over (n,) times, with its nominal 95 % interval.

    Args:
        times, values: (n,).
        trend: Mann and Kendall's test of the values, whose allowance for dependence widens the
            interval; None for values that are independent, and many.

    Returns:
        the interval's ends are NaN where the values cannot tell them.

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
    """Mann and Kendall's test for a trend.

    Attributes:
        s: pairs that rise less pairs that fall. z: standardised, with continuity. p: two-sided.
        correction: factor of the variance for values that depend on earlier ones, 1 for none.
        freedom: of Student's t for ``z``: as many values as are independent less three, as level,
            slope and dependence are estimated.
    """

    s: int
    z: float
    p: float
    correction: float
    freedom: float


LEAST_TREND: Final = 20
"""Values of which a test for a trend keeps its level: their dependence is estimated too."""


def mann_kendall(values: Array) -> Trend:
    """Test of (n,) values in the order of time; equal ones are allowed for.

    Values may depend on the ones before (autoregressive, of the first order): the variance is
    widened by Hamed & Rao (1998), never narrowed, and ``z`` is held against Student's t of as many
    values as are then independent. Below :data:`LEAST_TREND` values ``p`` is rough.

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
    """Correlation of neighbours among the ranks of what the slope leaves, 0 to 0.95.

    A fitted line takes dependence away: (2 + 4 rho) / n of it, which is put back.
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
    """Factor of the variance by Hamed & Rao (1998) where neighbours correlate by ``rho``."""
    lags = np.arange(1, n)
    weights = (n - lags) * (n - lags - 1) * (n - lags - 2)
    return 1.0 + 2.0 / max(n * (n - 1) * (n - 2), 1) * float((weights * rho**lags).sum())


_LEAST_OUTSIDE: Final = 1e-300
_FITTED: Final = 3
_LEAST_RANKED: Final = 3
_LEAST_DEPENDENT: Final = 4
_MOST_DEPENDENT: Final = 0.95


def holm(p: Sequence[float]) -> list[float]:
    """p-values of several tests at once, in their order, by Holm's step-down method."""
    order = np.argsort(p, kind="stable")
    scaled = np.asarray(p)[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(v) for v in adjusted]
