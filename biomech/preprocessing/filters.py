"""Smooth over time: zero-phase Butterworth for clips, One Euro for streams.

Each run of values without NaN is filtered separately. NaN stays NaN.
"""

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import scipy

from biomech.kinematics.geometry import Array
from biomech.reasons import Flags
from biomech.time_windows import rate_of, runs_of

MIN_SAMPLES: Final = 10
"""Fewest samples to filter: the filter's reflection at both ends needs this many."""

MAX_SHARE: Final = 0.4
"""Highest cut-off as a share of the sampling rate."""

ORDER: Final = 4
"""Order of the resulting filter: second order, applied forward and backward."""

_UNEVEN: Final = 0.02
_MOST_RESAMPLED: Final = 8
"""Largest ratio of resampled to original frames; unevenly bunched frames are not filtered."""

_FORWARD_AND_BACKWARD: Final = (math.sqrt(2.0) - 1.0) ** 0.25
"""Factor on the cut-off when a second-order Butterworth filter is applied twice."""


def design_cutoff(cutoff_hz: float, rate_hz: float) -> float:
    """Return the cut-off of a single pass that gives -3.01 dB at ``cutoff_hz`` after both passes.

    The correction applies to the frequency after the bilinear transform (Winter; Robertson &
    Dowling 2003). Dividing the cut-off itself is wrong at the frame rates of video.
    """
    warped = math.tan(math.pi * cutoff_hz / rate_hz) / _FORWARD_AND_BACKWARD
    return rate_hz / math.pi * math.atan(warped)


class NoiseGains(NamedTuple):
    """Gains of the filter for noise of standard deviation 1.

    Attributes:
        taken: standard deviation of the noise that the low-pass removes.
        speed: of the speed (central differences, a second) of the noise that it passes.
        passed: standard deviation of the noise that it passes.
        neighbours: correlation of neighboring frames in the noise that it removes.
        crossings_hz: upward mean crossings a second of the noise that it passes.
    """

    taken: float
    speed: float
    passed: float
    neighbours: float
    crossings_hz: float


@lru_cache(maxsize=512)
def noise_gains(cutoff_hz: float, rate_hz: float, correlation: float = 0.0) -> NoiseGains:
    """Return the filter's gains for noise of this correlation of neighbors; 0 is white noise."""
    turn = np.pi * (np.arange(_BINS) + 0.5) / _BINS  # radians a sample, up to half the rate
    design = math.tan(math.pi * design_cutoff(cutoff_hz, rate_hz) / rate_hz)
    gain = 1.0 / (1.0 + (np.tan(turn / 2.0) / design) ** ORDER)
    last = 1.0 + correlation**2 - 2.0 * correlation * np.cos(turn)
    power = (1.0 - correlation**2) / last
    taken = np.mean((1.0 - gain) ** 2 * power)
    passed = np.mean(gain**2 * power)
    speed = np.sqrt(np.mean((rate_hz * np.sin(turn) * gain) ** 2 * power))
    neighbours = np.mean((1.0 - gain) ** 2 * power * np.cos(turn)) / taken
    crossings = rate_hz / math.tau * np.sqrt(np.mean(gain**2 * power * turn**2) / passed)
    return NoiseGains(
        *(float(v) for v in (np.sqrt(taken), speed, np.sqrt(passed), neighbours, crossings))
    )


_BINS: Final = 512


def lowpass(
    times_s: Array, values: Array, cutoff_hz: float, max_gap_s: float
) -> tuple[Array, Flags]:
    """Low-pass filter values at ``cutoff_hz``, and return which ones were filtered.

    A run whose intervals differ by more than 2 % from the usual one is resampled to that interval
    by a cubic spline, filtered, and resampled back. A run of fewer than 10 frames is not filtered.

    Args:
        times_s: (f,) ascending. values: (f, k, c), NaN missing in all c at once.
        cutoff_hz: at most 0.4 times the frame rate.
        max_gap_s: a longer interval ends a run.

    Returns:
        (f, k, c) filtered values, and (f, k) False where a value is missing or not filtered.

    Raises:
        ValueError: the cut-off is too high for the frame rate.
    """
    smooth = np.array(values, np.float64)
    done = np.zeros(values.shape[:2], np.bool_)
    rate_hz = rate_of(times_s)
    if cutoff_hz > MAX_SHARE * rate_hz * (1 + 1e-9):
        raise ValueError(f"a cut-off of {cutoff_hz} Hz is too high for {rate_hz:.4g} frames/s")
    for (start, stop), columns in _columns_by_run(times_s, values, max_gap_s).items():
        part = values[start:stop, columns].reshape(stop - start, -1)
        filtered = _filter_run(times_s[start:stop], part, cutoff_hz, rate_hz)
        if filtered is not None:
            smooth[start:stop, columns] = filtered.reshape(stop - start, len(columns), -1)
            done[start:stop, columns] = True
    return smooth, done


def _columns_by_run(
    times_s: Array, values: Array, max_gap_s: float
) -> dict[tuple[int, int], list[int]]:
    """Group the columns of (f, k, c) values by their runs that can be filtered.

    Most columns have the same runs, so that one call filters them all.
    """
    found: dict[tuple[int, int], list[int]] = {}
    there = np.asarray(np.isfinite(values).all(-1))
    for column in range(values.shape[1]):
        runs = runs_of(there[:, column], times_s, max_gap_s)
        for start, stop in runs[runs[:, 1] - runs[:, 0] >= MIN_SAMPLES].tolist():
            found.setdefault((start, stop), []).append(column)
    return found


def _filter_run(times_s: Array, values: Array, cutoff_hz: float, rate_hz: float) -> Array | None:
    """Filter a run (n, k); return None if its frames are too unevenly spaced."""
    if _is_even(times_s, rate_hz):
        return _filtfilt(values, cutoff_hz, rate_hz)
    span = float(times_s[-1] - times_s[0])
    steps = round(span * rate_hz)
    if not MIN_SAMPLES <= steps + 1 <= _MOST_RESAMPLED * len(times_s):
        return None
    even = np.linspace(times_s[0], times_s[-1], steps + 1)
    on_even = scipy.interpolate.CubicSpline(times_s, values)(even)
    resampled = _filtfilt(on_even, cutoff_hz, steps / span)
    back: Array = scipy.interpolate.CubicSpline(even, resampled)(times_s)
    return back


def is_even(times_s: Array) -> bool:
    """Return whether all intervals are within 2 % of the usual one."""
    return len(times_s) < 2 or _is_even(times_s, rate_of(times_s))


def _is_even(times_s: Array, rate_hz: float) -> bool:
    return bool(np.abs(np.diff(times_s) * rate_hz - 1.0).max() <= _UNEVEN)


def _filtfilt(values: Array, cutoff_hz: float, rate_hz: float) -> Array:
    """Filter (n, ...) along n forward and backward."""
    return scipy.signal.filtfilt(*_second_order(cutoff_hz, rate_hz), values, axis=0)


@lru_cache(maxsize=64)  # a residual analysis asks for the same ones of every person
def _second_order(cutoff_hz: float, rate_hz: float) -> tuple[Array, Array]:
    """Return numerator (3,) and denominator (3,) of a single pass."""
    b, a = scipy.signal.butter(ORDER // 2, design_cutoff(cutoff_hz, rate_hz), fs=rate_hz)
    return b, a


_LOWEST_HZ: Final = 1.0
_CANDIDATES: Final = 24
_TAIL: Final = 0.6
"""Share of the range of cut-offs above which the residual is taken to be noise alone."""
_ROUNDING_PX: Final = 1e-6


def residual_cutoffs(times_s: Array, values: Array) -> Array:
    """Suggest cut-offs by Winter's residual analysis for (n, p, k) values without NaN.

    At high cut-offs only noise is removed, and the residual falls along a line. The height of that
    line at 0 Hz is the noise; the suggested cut-off is the one whose residual equals it. The k
    columns are combined to one signal by their mean square.

    Returns:
        (p,) Hz; NaN where there are too few or uneven frames, or nothing but noise.
    """
    rate_hz = round(rate_of(times_s), 6)  # the same of all people, whose filters then are the same
    highest = MAX_SHARE * rate_hz
    if len(times_s) < 3 * MIN_SAMPLES or not is_even(times_s) or highest <= 2 * _LOWEST_HZ:
        return np.full(values.shape[1], np.nan)
    cutoffs = np.linspace(_LOWEST_HZ, highest, _CANDIDATES)
    residuals = [
        np.sqrt(np.mean((values - _filtfilt(values, fc, rate_hz)) ** 2, axis=(0, 2)))
        for fc in cutoffs
    ]
    return np.array([_crossing(cutoffs, residual) for residual in np.transpose(residuals)])


def _crossing(cutoffs: Array, residuals: Array) -> float:
    """Return the cut-off whose residual equals the noise; NaN if there is none."""
    tail = cutoffs >= cutoffs[0] + _TAIL * (cutoffs[-1] - cutoffs[0])
    noise = float(np.polynomial.polynomial.polyfit(cutoffs[tail], residuals[tail], 1)[0])
    below = np.flatnonzero(residuals <= noise)
    if noise <= _ROUNDING_PX or not len(below) or below[0] == 0:
        return float("nan")
    first = int(below[0])
    share = (residuals[first - 1] - noise) / (residuals[first - 1] - residuals[first])
    return float(cutoffs[first - 1] + share * (cutoffs[first] - cutoffs[first - 1]))
