"""Compute windows, runs and derivatives on true time stamps, without smoothing.

NaN means missing. Windows are centered and closed, and shorter at the ends of a clip.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech.kinematics.geometry import Array

MAD_TO_SD: Final = 1.4826
"""Standard deviation of normal values over their median absolute deviation."""

_EDGE_S = 1e-6
"""Tolerance in seconds for frames on a window's edge, because time stamps are rounded."""

_CELLS = 1 << 21
"""Maximum number of values gathered at once, to bound memory at any frame rate."""


_COARSEST_TICK_S = 2e-3
"""Coarsest tick of containers in seconds: they count milliseconds or 1/600 s."""

_UNEVEN = 0.02


def rate_of(times_s: Array) -> float:
    """Return frames a second; NaN for a single frame.

    Time stamps are rounded to ticks, and in WebM a tick is 6 % of an interval at 60 Hz. If all
    intervals are multiples of one interval to within a tick (dropped frames give more than one),
    the rate is their number over the whole span. Otherwise it follows from the mean of the
    intervals that equal the median to within a tick.
    """
    if len(times_s) < 2:
        return float("nan")
    gaps = np.diff(times_s)
    median = float(np.median(gaps))
    reach = max(_UNEVEN * median, min(_COARSEST_TICK_S, median / 3)) + _EDGE_S
    near = gaps[np.abs(gaps - median) <= reach]
    usual = float(near.mean()) if len(near) else median
    steps = np.rint(gaps / usual)
    if (steps >= 1).all() and (np.abs(gaps - steps * usual) <= reach).all():
        usual = float((times_s[-1] - times_s[0]) / steps.sum())
    return round(1.0 / usual, 9)  # equal for each part of a clip, despite rounding


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows about each frame: frames ``start`` to ``stop`` (f,), within half a length."""

    start: NDArray[np.intp]
    stop: NDArray[np.intp]

    @staticmethod
    def of(times_s: Array, width_s: float) -> "Windows":
        """Build windows of ``width_s`` about the ascending ``times_s`` (f,)."""
        reach = width_s / 2 + _EDGE_S
        return Windows(
            np.searchsorted(times_s, times_s - reach, "left"),
            np.searchsorted(times_s, times_s + reach, "right"),
        )

    def median(self, values: Array) -> Array:
        """Return the median (f,) of the known values, NaN without any."""
        return self.quantile(values, 0.5)

    def quantile(self, values: Array, share: float) -> Array:
        """Return the quantile (f,) of the known values, NaN without any."""
        out = np.full(len(values), np.nan)
        for chunk, near in self._gathered(values, np.arange(len(values))):
            out[chunk] = _quantile(near, share)
        return out

    def median_deviation(self, values: Array, frames: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return median and median absolute deviation, (n,) both, in the windows of ``frames``."""
        middle, spread = np.full((2, len(frames)), np.nan)
        for chunk, near in self._gathered(values, frames):
            middle[chunk] = _quantile(near, 0.5)
            spread[chunk] = _quantile(np.abs(near - middle[chunk, None]), 0.5)
        return middle, spread

    def _gathered(self, values: Array, frames: NDArray[np.intp]) -> Iterator[tuple[slice, Array]]:
        """Yield the values in the windows of frames, one row each, padded with NaN."""
        width = int((self.stop - self.start).max(initial=0))
        step = max(_CELLS // max(width, 1), 1)
        for begin in range(0, len(frames), step):
            chunk = slice(begin, begin + step)
            index = self.start[frames[chunk], None] + np.arange(width)
            inside = index < self.stop[frames[chunk], None]
            yield chunk, np.where(inside, values[np.minimum(index, len(values) - 1)], np.nan)

    def sum(self, values: Array) -> Array:
        """Return the sum (f,) of the known values, 0 without any."""
        running = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
        total: Array = running[self.stop] - running[self.start]
        return total

    def mean(self, values: Array) -> Array:
        """Return the mean (f,) of the known values, NaN without any."""
        return ratio(self.sum(values), self.sum(np.isfinite(values).astype(np.float64)))

    def deviation(self, values: Array) -> Array:
        """Return the rms (f,) of the known values about their window's mean."""
        # Subtract the clip's mean first: the difference of two large squares loses digits.
        about = values - _mean(values)
        variance = self.mean(about**2) - self.mean(about) ** 2
        return np.sqrt(np.maximum(variance, 0.0))

    def span_s(self, times_s: Array, values: Array) -> Array:
        """Return the seconds (f,) from first to last value in the window; NaN without any."""
        valid = np.flatnonzero(np.isfinite(values))
        first = np.searchsorted(valid, self.start, "left")
        last = np.searchsorted(valid, self.stop, "left") - 1
        if not len(valid):
            return np.full(len(values), np.nan)
        span = (
            times_s[valid[np.maximum(last, 0)]] - times_s[valid[np.minimum(first, len(valid) - 1)]]
        )
        return np.where(last >= first, span, np.nan)


def runs_of(there: NDArray[np.bool_], times_s: Array, max_gap_s: float) -> NDArray[np.intp]:
    """Return the first frame, and the one after the last, (r, 2), of each run of ``there`` (f,).

    An interval of more than ``max_gap_s`` ends a run.
    """
    after_gap = np.concatenate([[True], np.diff(times_s) > max_gap_s + _EDGE_S])
    before = np.concatenate([[False], there[:-1]])
    first = np.flatnonzero(there & (~before | after_gap[: len(there)]))
    stop = np.flatnonzero(there & ~(np.append(there[1:], False) & ~np.append(after_gap[1:], True)))
    return np.stack([first, stop + 1], axis=1)


def _quantile(rows: Array, share: float) -> Array:
    """Return the quantiles (n,) of the known values in rows (n, w), which are sorted in place."""
    rows.sort(axis=1)  # NaN last
    last = np.maximum(np.isfinite(rows).sum(1) - 1, 0)
    low = np.floor(share * last).astype(np.intp)
    high = np.minimum(low + 1, last)
    index = np.arange(len(rows))
    at, above = rows[index, low], rows[index, high]
    quantiles: Array = at + (above - at) * (share * last - low)
    return quantiles


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return the quotient, NaN where the denominator is 0 or NaN."""
    usable = np.isfinite(denominator) & (denominator != 0)
    quotient: Array = numerator / np.where(usable, denominator, 1.0)
    return np.where(usable, quotient, np.nan)


def percentile(values: Array, q: float) -> float:
    """Return the percentile of the known values; NaN without any."""
    valid = values[np.isfinite(values)]
    return float(np.percentile(valid, q)) if len(valid) else float("nan")


LASTS_S = 0.1
"""Total duration in seconds of an extreme, so that single outlying frames do not count."""


def lasting(values: Array, rate_hz: float) -> tuple[float, float]:
    """Return the least and the greatest of values that last a tenth of a second; NaN of none.

    Not necessarily at a stretch. Unlike percentiles they are the same however long nothing happens
    before and after.
    """
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return float("nan"), float("nan")
    frames = round(LASTS_S * rate_hz) if np.isfinite(rate_hz) else 1
    least = min(max(frames, 1), (len(known) + 1) // 2)
    return float(known[least - 1]), float(known[-least])


def velocity(times_s: Array, values: Array) -> Array:
    """Time derivative of (f, ...) values, a second, within runs without NaN.

    What `numpy.gradient` gives at true times: central differences of second order, one-sided at
    the ends of a run. A run of one frame has no velocity, nor have time stamps that do not ascend.
    """
    steps = np.diff(times_s).reshape((-1,) + (1,) * (values.ndim - 1))
    slopes = np.diff(values, axis=0) / np.where(steps > 0, steps, np.nan)
    edge = np.full((1, *values.shape[1:]), np.nan)
    before, after = np.concatenate([edge, slopes]), np.concatenate([slopes, edge])
    step = np.ones((1, *steps.shape[1:]))
    since, until = np.concatenate([step, steps]), np.concatenate([steps, step])
    with np.errstate(divide="ignore", invalid="ignore"):  # steps of 0, whose slopes are NaN
        central = (before * until + after * since) / (since + until)
    one_sided = np.where(np.isfinite(before), before, after)
    result: Array = np.where(np.isfinite(central), central, one_sided)
    return result


def _mean(values: Array) -> float:
    valid = values[np.isfinite(values)]
    return float(valid.mean()) if len(valid) else 0.0
