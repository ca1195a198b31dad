"""Find the peaks of a signal over true times, and their times between frames."""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from biomech.kinematics.geometry import Array
from biomech.reasons import Flags

Indices = NDArray[np.intp]


def peaks_of(times_s: Array, values: Array, prominence: float, apart_s: float = 0.0) -> Indices:
    """Return the frames of the peaks of (f,) values without NaN, ascending.

    Args:
        times_s: (f,). values: (f,).
        prominence: minimum prominence over the valleys on both sides.
        apart_s: minimum distance; of two closer peaks the lower is dropped.
    """
    return crests_of(times_s, values, prominence, apart_s).frames


class Crests(NamedTuple):
    """Peaks of a signal, ascending, all (n,).

    Attributes:
        frames: of the peaks. prominence: height of each over its higher valley.
        base: value of its lower valley.
    """

    frames: Indices
    prominence: Array
    base: Array


def crests_of(times_s: Array, values: Array, prominence: float, apart_s: float) -> Crests:
    """Return the peaks of (f,) values as :func:`peaks_of` does, with their valleys.

    Of peaks with exactly the same height the first counts as the higher one; otherwise both would
    have the full prominence.
    """
    found, about = scipy.signal.find_peaks(values, prominence=prominence)
    left, right = values[about["left_bases"]], values[about["right_bases"]]
    last: dict[float, int] = {}
    for i, (peak, height) in enumerate(zip(found.tolist(), values[found].tolist(), strict=True)):
        before = last.get(height)
        if before is not None and about["left_bases"][i] < before:
            left[i] = values[before:peak].min()
        last[height] = peak
    stands_out = values[found] - np.maximum(left, right)
    high = np.flatnonzero(stands_out >= prominence)
    high = high[_apart(times_s, values, found[high], apart_s)]
    return Crests(found[high], stands_out[high], np.minimum(left, right)[high])


def _apart(times_s: Array, values: Array, found: Indices, apart_s: float) -> Flags:
    """Return whether (n,) no higher peak is nearer than ``apart_s``."""
    kept = np.ones(len(found), np.bool_)
    if apart_s <= 0:
        return kept
    for i in np.argsort(-values[found], kind="stable").tolist():
        if kept[i]:
            kept &= np.abs(times_s[found] - times_s[found[i]]) >= apart_s
            kept[i] = True
    return kept


def vertex_s(times_s: Array, values: Array, peaks: Indices) -> Array:
    """Return the seconds (n,) of the parabola vertices through each peak and its neighbors."""
    inner = peaks[(peaks > 0) & (peaks < len(values) - 1)]
    t = [times_s[inner + k] - times_s[inner] for k in (-1, 1)]
    d = [values[inner + k] - values[inner] for k in (-1, 1)]
    # Through the origin: d = a t^2 + b t at both neighbours; the vertex is at -b / 2a.
    bend = d[0] * t[1] - d[1] * t[0]
    slope = d[1] * t[0] ** 2 - d[0] * t[1] ** 2
    offset = np.where(bend != 0, -0.5 * slope / np.where(bend != 0, bend, 1.0), 0.0)
    exact = times_s[peaks].copy()
    exact[(peaks > 0) & (peaks < len(values) - 1)] += np.clip(offset, t[0], t[1])
    return exact


def crest_s(times_s: Array, values: Array, peak: int, depth: float) -> float:
    """Return the seconds of the vertex of the parabola fitted to the crest about ``peak``.

    The crest is the run about the peak that lies less than ``depth`` below it. In a rounded peak
    the highest single frame depends on noise.
    """
    low = values[peak] - depth
    start, stop = peak, peak + 1
    while start > 0 and values[start - 1] >= low:
        start -= 1
    while stop < len(values) and values[stop] >= low:
        stop += 1
    if stop - start < _LEAST_FITTED:
        return float(vertex_s(times_s, values, np.array([peak]))[0])
    t = times_s[start:stop] - times_s[peak]
    scale = float(np.abs(t).max())
    _, slope, bend = np.polynomial.polynomial.polyfit(t / scale, values[start:stop], 2)
    if bend >= 0:
        return float(times_s[peak])
    vertex = float(np.clip(-0.5 * slope / bend * scale, t[0], t[-1]))
    return float(times_s[peak]) + vertex


_LEAST_FITTED = 4
