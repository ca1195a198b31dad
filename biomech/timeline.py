"""Windows and derivatives on true time stamps; NaN is missing."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from biomech.geometry import Array


def half_width(times_s: Array, window_s: float) -> int:
    """Frames on each side that a window of ``window_s`` spans, by the median interval."""
    if len(times_s) < 2:
        return 0
    return max(round(window_s / 2 / float(np.median(np.diff(times_s)))), 0)


def windows(values: Array, half: int) -> Array:
    """(f, 2 half + 1) windows about each of (f,) values, NaN beyond the ends."""
    padded = np.pad(np.asarray(values, np.float64), half, constant_values=np.nan)
    return sliding_window_view(padded, 2 * half + 1)


def rolling_median(values: Array, half: int) -> Array:
    """Median over windows, of what is not NaN; NaN where nothing is."""
    w = windows(values, half)
    out = np.full(len(w), np.nan)
    some = np.isfinite(w).any(1)
    if some.any():
        out[some] = np.nanmedian(w[some], axis=1)
    return out


def rolling_mean(values: Array, half: int) -> Array:
    """Mean over windows, of what is not NaN; NaN where nothing is."""
    w = windows(values, half)
    valid = np.isfinite(w)
    count = valid.sum(1)
    total = np.where(valid, w, 0.0).sum(1)
    mean: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def percentile(values: Array, q: float) -> float:
    """Percentile of what is not NaN; NaN where nothing is."""
    valid = values[np.isfinite(values)]
    return float(np.percentile(valid, q)) if len(valid) else float("nan")


def velocity(times_s: Array, values: Array) -> Array:
    """Time derivative of (f, ...) values at true times, within runs without NaN.

    A run of one frame has no velocity: NaN.
    """
    out = np.full(values.shape, np.nan)
    valid = np.isfinite(values.reshape(len(values), -1)).all(1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start >= 2:
            out[start:stop] = np.gradient(values[start:stop], times_s[start:stop], axis=0)
    return out
