"""Find repetitions: excursions of the signal that moves most, from rest and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np

from biomech.events.peaks import Crests, Indices, crest_s, crests_of
from biomech.joints import joint_of
from biomech.kinematics.curves import BEYOND, Curves
from biomech.kinematics.geometry import Array
from biomech.reasons import Flags
from biomech.records.values import Direction
from biomech.time_windows import runs_of

HIP_HEIGHT: Final = "hip_depth"
"""Driver if no joint bends far enough: depth of mid-hip in statures."""

DIRECTIONS: Final[Mapping[int, Direction]] = {1: "flexion", -1: "extension"}
"""Direction of the driver away from rest."""

_PROMINENCE_SHARE: Final = 0.3
_PROMINENCE_SIGMAS: Final = 3.0
_PROMINENCE_DEG: Final = 10.0
_PROMINENCE_STATURE: Final = 0.03
_APART_S: Final = 0.4
_LEAST_VALID: Final = 0.7
REST_SHARE: Final = 0.10
"""Lowest share of the way from a valley to a peak, which counts as rest."""

_CREST_SHARE: Final = 0.15
_BOUNCE_SHARE: Final = 0.5
"""Share of the way back to rest between two repetitions; less is a bounce."""

_EXTENSION_HANDICAP: Final = 0.5
"""Repetitions by which extensions must exceed flexions to conclude that the person rests bent."""

FULL_SHARE: Final = 0.8
"""Share of the typical depth from which a repetition is full."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition.

    Attributes:
        start, peak, stop: frames of the valley before, the peak, and the valley after.
        start_s, peak_s, stop_s: seconds; at start and stop the driver is a tenth of its way above
            the valley.
        depth: way of the driver from the nearer valley to the peak, in its unit.
        share: ``depth`` over the typical depth of the clip.
        by_hand: whether somebody set its bounds, rather than the detection.
    """

    start: int
    peak: int
    stop: int
    start_s: float
    peak_s: float
    stop_s: float
    depth: float
    share: float = 1.0
    by_hand: bool = False

    @property
    def full(self) -> bool:
        """Return True if it is about as deep as the typical one."""
        return self.share >= FULL_SHARE


class Cut(NamedTuple):
    """A repetition of which the clip shows only the way out or back; it is not counted."""

    time_s: float
    depth: float


@dataclass(frozen=True, slots=True)
class Repetitions:
    """All repetitions of a clip.

    Attributes:
        driver: the flexion they are peaks of, :data:`HIP_HEIGHT`, or None if nothing moves.
        signal: (f,) the driver. prominence: minimum prominence of its peaks.
        items: sorted by time.
        direction: 1 for peaks, -1 for valleys, if the person rests bent.
        cut: repetitions cut by the first or last frame of a stretch in which the driver is seen.
    """

    driver: str | None
    signal: Array
    prominence: float
    items: list[Repetition]
    direction: int = 1
    cut: list[Cut] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A repeating signal: its peaks by run, the peaks kept, and their amount of movement."""

    driver: str
    signal: Array
    direction: int
    prominence: float
    typical: float
    runs: list[tuple[int, int, Indices]]
    energy: float


def repetitions(curves: Curves, present: Flags, striding: Flags | None = None) -> Repetitions:
    """Return the repetitions of the movement of a clip.

    Args:
        curves: of the person.
        present: (f,) frames in which the person is there at all.
        striding: (f,) frames of steps, whose strides are not repetitions; None for none.
    """
    away = np.zeros(len(present), np.bool_) if striding is None else striding
    there = present & ~away
    candidates = [
        made
        for name, signal in curves.flexion.items()
        if _valid(signal, there)
        for made in _both_ways(curves, name, np.where(away, np.nan, _bridged(curves, signal)))
    ]
    depth = np.where(away, np.nan, _bridged(curves, -curves.hip_height))
    if not candidates and _valid(depth, there):
        candidates = _both_ways(curves, HIP_HEIGHT, depth)
    if not candidates:
        return Repetitions(None, depth, _PROMINENCE_DEG, [])
    return _counted(curves, max(candidates, key=lambda candidate: candidate.energy))


def descents(curves: Curves, present: Flags) -> list[Repetition]:
    """Return the repetitions of the hips' height, whatever else moves: each a way down and up."""
    depth = _bridged(curves, -curves.hip_height)
    if not _valid(depth, present):
        return []
    made = _candidate(curves, HIP_HEIGHT, depth, 1)
    return [] if made is None else _counted(curves, made).items


def _bridged(curves: Curves, signal: Array) -> Array:
    """Return a signal (f,) with straight lines over gaps of at most ``max_gap_s``."""
    known = np.flatnonzero(np.isfinite(signal))
    if len(known) < 2:
        return signal
    times = curves.times_s
    line = np.interp(times, times[known], signal[known], left=np.nan, right=np.nan)
    after = np.clip(np.searchsorted(known, np.arange(len(signal))), 1, len(known) - 1)
    short = times[known[after]] - times[known[after - 1]] <= curves.max_gap_s
    return np.where(np.isfinite(signal), signal, np.where(short, line, np.nan))


def _least(curves: Curves, name: str) -> float:
    """Return the prominence above which a peak of a signal exceeds noise."""
    if name == HIP_HEIGHT:
        return max(_PROMINENCE_STATURE, curves.hip_noise_swing)
    sigma = curves.sigma[name]
    usual = float(np.median(sigma[np.isfinite(sigma)])) if np.isfinite(sigma).any() else 0.0
    return max(_PROMINENCE_SIGMAS * usual, _PROMINENCE_DEG, curves.least_swing(name))


def _both_ways(curves: Curves, name: str, signal: Array) -> list[_Candidate]:
    made = (_candidate(curves, name, signal, direction) for direction in (1, -1))
    return [candidate for candidate in made if candidate is not None]


def _candidate(curves: Curves, name: str, signal: Array, direction: int) -> _Candidate | None:
    """Return the peaks of a signal that count, or None.

    The typical depth and the rest are medians over the peaks, weighted by their squared prominence:
    half of the movement is in deeper peaks. Stillness adds no peaks and does not change them.
    """
    least = _least(curves, name)
    runs = runs_of(np.isfinite(signal), curves.times_s, curves.max_gap_s).tolist()
    found = [
        crests_of(curves.times_s[start:stop], direction * signal[start:stop], least, _APART_S)
        for start, stop in runs
    ]
    every = Crests(*(np.concatenate(part) for part in zip(*found, strict=True))) if found else None
    if every is None or not len(every.frames):
        return None
    weight = every.prominence**2
    typical, rest = (_weighted_median(v, weight) for v in (every.prominence, every.base))
    if name != HIP_HEIGHT:
        low, high = joint_of(name).motion_deg
        if typical > BEYOND * (high - low):
            return None
    prominence = max(_PROMINENCE_SHARE * typical, least)
    kept, energy = [], 0.0
    for (start, stop), crests in zip(runs, found, strict=True):
        height = direction * signal[start + crests.frames] - rest
        enough = crests.prominence >= prominence
        enough &= crests.prominence >= _BOUNCE_SHARE * np.minimum(height, typical)
        kept.append((start, stop, crests.frames[enough]))
        energy += float((crests.prominence[enough] ** 2).sum())
    handicap = _EXTENSION_HANDICAP * typical**2 if direction < 0 else 0.0
    return _Candidate(name, signal, direction, prominence, typical, kept, energy - handicap)


def _weighted_median(values: Array, weight: Array) -> float:
    order = np.argsort(-values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order[int(np.searchsorted(share, 0.5))]])


def _valid(signal: Array, present: Flags) -> bool:
    return bool(
        present.any() and np.isfinite(signal[present]).sum() >= _LEAST_VALID * present.sum()
    )


def _counted(curves: Curves, chosen: _Candidate) -> Repetitions:
    items: list[Repetition] = []
    cut: list[Cut] = []
    for start, stop, peaks in chosen.runs:
        times, values = curves.times_s[start:stop], chosen.direction * chosen.signal[start:stop]
        items += _in_run(times, values, peaks, start)
        ends = ((0, values[: peaks[0] + 1]), (-1, values[peaks[-1] :])) if len(peaks) else ()
        for end, way in ends:
            depth = float(way[end] - way.min())
            if depth >= _BOUNCE_SHARE * chosen.typical:
                cut.append(Cut(float(times[end]), depth))
    return Repetitions(
        chosen.driver,
        chosen.signal,
        chosen.prominence,
        shared(items),
        chosen.direction,
        cut,
    )


def shared(items: list[Repetition]) -> list[Repetition]:
    """Return the repetitions with their share of the typical depth, the weighted median."""
    if not items:
        return items
    depths = np.array([rep.depth for rep in items])
    usual = _weighted_median(depths, depths**2)
    return [replace(rep, share=rep.depth / usual) for rep in items]


def _in_run(times_s: Array, signal: Array, peaks: Indices, first: int) -> list[Repetition]:
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
                depth=float(height),
            )
        )
    return made


def _bound(times_s: Array, signal: Array, away: Indices) -> tuple[int, float]:
    """Return the frame of the valley on one side of a peak, and the time near its end.

    The time is that at which a tenth of the way is left, so that rest in the valley is excluded.

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
