"""Repetitions: peaks of the signal that moves most, bounded by its valleys."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from biomech.curves import BEYOND, Curves
from biomech.geometry import MOTION_DEG, Array
from biomech.peaks import Indices, crest_s, peaks_of
from biomech.reasons import Flags
from biomech.timeline import percentile, runs_of

HIP_HEIGHT: Final = "hip_depth"
"""Driver where no joint bends far enough: how far mid-hip is down, in statures."""

_PROMINENCE_SHARE: Final = 0.3
_PROMINENCE_SIGMAS: Final = 3.0
_PROMINENCE_DEG: Final = 10.0
_PROMINENCE_STATURE: Final = 0.03
_APART_S: Final = 0.4
_LEAST_VALID: Final = 0.7
REST_SHARE: Final = 0.10
"""Of the way from a valley to a peak, the lowest part: there the person rests."""

_CREST_SHARE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition.

    Attributes:
        start, peak, stop: frames of the valley before, the peak, and the valley after.
        start_s, peak_s, stop_s: seconds; of the start and the stop where the driver is a tenth of
            its way above the valley.
    """

    start: int
    peak: int
    stop: int
    start_s: float
    peak_s: float
    stop_s: float


@dataclass(frozen=True, slots=True)
class Repetitions:
    """All repetitions of a clip.

    Attributes:
        driver: the flexion they are peaks of, :data:`HIP_HEIGHT`, or None where nothing moves.
        signal: (f,) the driver. prominence: by which its peaks had to stand out.
        items: in the order of time.
    """

    driver: str | None
    signal: Array
    prominence: float
    items: list[Repetition]


def repetitions(curves: Curves, present: Flags) -> Repetitions:
    """Repetitions of the movement of a clip.

    Args:
        curves: of the person.
        present: (f,) frames in which the person is there at all.
    """
    driver, signal, least = _driver(curves, present)
    if driver is None:
        return Repetitions(None, signal, least, [])
    spread = percentile(signal, 95) - percentile(signal, 5)
    prominence = max(_PROMINENCE_SHARE * spread, least)
    items: list[Repetition] = []
    for start, stop in runs_of(np.isfinite(signal), curves.times_s, curves.max_gap_s).tolist():
        part = slice(start, stop)
        items += _in_run(curves.times_s[part], signal[part], prominence, start)
    return Repetitions(driver, signal, prominence, items)


def _driver(curves: Curves, present: Flags) -> tuple[str | None, Array, float]:
    """Name, signal and least prominence of what moves most, of what can move so far."""
    found: list[tuple[float, str, Array, float]] = []
    for name, signal in curves.flexion.items():
        sigma = curves.sigma[name]
        usual = float(np.median(sigma[np.isfinite(sigma)])) if np.isfinite(sigma).any() else 0.0
        least = max(_PROMINENCE_SIGMAS * usual, _PROMINENCE_DEG, curves.least_swing(name))
        spread = percentile(signal, 95) - percentile(signal, 5)
        low, high = MOTION_DEG[name.partition("_")[2]]
        possible = spread <= BEYOND * (high - low)
        if _valid(signal, present) and possible and spread >= least:
            found.append((spread, name, signal, least))
    if found:
        _, name, signal, least = max(found, key=lambda item: item[0])
        return name, signal, least
    depth = -curves.hip_height
    if _valid(depth, present):
        spread = percentile(depth, 95) - percentile(depth, 5)
        least = max(_PROMINENCE_STATURE, curves.hip_noise_swing)
        if spread >= least:
            return HIP_HEIGHT, depth, least
    return None, depth, _PROMINENCE_DEG


def _valid(signal: Array, present: Flags) -> bool:
    return bool(np.isfinite(signal[present]).sum() >= _LEAST_VALID * max(present.sum(), 1))


def _in_run(times_s: Array, signal: Array, prominence: float, first: int) -> list[Repetition]:
    peaks = peaks_of(times_s, signal, prominence, _APART_S)
    edges = [0, *peaks.tolist(), len(signal) - 1]
    made = []
    for i, peak in enumerate(peaks.tolist()):
        start, start_s = _bound(times_s, signal, np.arange(peak, edges[i] - 1, -1))
        stop, stop_s = _bound(times_s, signal, np.arange(peak, edges[i + 2] + 1))
        height = signal[peak] - max(signal[start], signal[stop])
        made.append(
            Repetition(
                start=first + start,
                peak=first + peak,
                stop=first + stop,
                start_s=start_s,
                peak_s=crest_s(times_s, signal, peak, _CREST_SHARE * height),
                stop_s=stop_s,
            )
        )
    return made


def _bound(times_s: Array, signal: Array, away: Indices) -> tuple[int, float]:
    """Frame of the valley on one side of a peak, and seconds at which the way to it is nearly done.

    That is where a tenth of the way is left: how long somebody rests in the valley does not count.

    Args:
        away: frames from the peak outward to the next peak, or to the end.
    """
    values = signal[away]
    valley = int(values.argmin())
    low = values[valley] + REST_SHARE * (values[0] - values[valley])
    near = int(np.flatnonzero(values <= low)[0])
    share = (values[near - 1] - low) / (values[near - 1] - values[near])
    since, until = times_s[away[near - 1]], times_s[away[near]]
    return int(away[valley]), float(since + share * (until - since))
