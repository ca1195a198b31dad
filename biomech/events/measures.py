"""Compute measures: one value per repetition, stride, jump or landing, by metric and side.

The applications use only measures, so that they can be recomputed from the summary.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from biomech.events.clip_events import ClipEvents
from biomech.events.foot_contact import value_at
from biomech.events.gait import Gait
from biomech.events.repetitions import HIP_HEIGHT
from biomech.joints import JOINTS
from biomech.kinematics.curves import TRUNK, Curves, speed_of
from biomech.kinematics.geometry import Array
from biomech.kinematics.joint_angles import Z95
from biomech.scores.smoothness import LEAST_RATE_HZ, ldlj, sparc
from biomech.skeleton import SIDES, Side

_LEAST_ROM_DEG: Final = 10.0
_LEAST_KNOWN: Final = 0.7
_LEAST_SIGMAS: Final = 3.0
_BESIDE: Final = 3
"""Frames next to a phase that determine the speed at its ends."""

_SHORT: Final = 0.1
"""Largest share by which ankles underestimate a step, from figures with known feet."""

_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Measure:
    """Values of one metric of one side over a clip.

    Attributes:
        metric: as ``knee_flexion_peak``. side: ``left``, ``right`` or None.
        unit: ``deg``, ``deg/s``, ``s``, ``m``, ``stature`` or ``1``.
        times_s, values: (n,), n at least 1, all known.
        ratio: whether the metric has a true zero, so that ratios are meaningful.
        sigma: (n,) standard deviation of each value; None if unknown.
    """

    metric: str
    side: Side | None
    unit: str
    times_s: Array
    values: Array
    ratio: bool = False
    sigma: Array | None = None

    @property
    def mean(self) -> float:
        """Return the mean of the values."""
        return float(self.values.mean())

    @property
    def sd(self) -> float:
        """Return the standard deviation of the values; NaN for a single one."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else _NAN


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a movement from one time to another, with its smoothness.

    Attributes:
        start_s, stop_s: seconds. peak_speed: of the driver, a second; NaN if it was not seen.
        sparc, ldlj: NaN if the speed is within its noise; ``ldlj`` also below 60 frames a second.
    """

    start_s: float
    stop_s: float
    peak_speed: float
    sparc: float
    ldlj: float


def measures_of(clip_events: ClipEvents) -> list[Measure]:
    """Return all measures of a clip, of strides if the person walks, else of repetitions."""
    gait = clip_events.gait
    cycles = _gait(clip_events, gait) if gait else _repetitions(clip_events)
    made = [*cycles, *_frontal_knees(clip_events), *_jumps(clip_events), *_landings(clip_events)]
    known = (_known(measure) for measure in made)
    return [measure for measure in known if len(measure.values)]


def phases_of_repetitions(clip_events: ClipEvents) -> list[tuple[Phase, Phase]]:
    """Return two phases for each repetition: to the peak and back."""
    curves, reps = clip_events.curves, clip_events.repetitions
    noise = curves.jitter.get(reps.driver or "", 0.0)
    speed = speed_of(curves, reps.signal)
    return [
        (
            _phase(curves, speed, noise, rep.start_s, rep.peak_s),
            _phase(curves, speed, noise, rep.peak_s, rep.stop_s),
        )
        for rep in reps.items
    ]


def phases_of_strides(clip_events: ClipEvents, gait: Gait) -> dict[Side, list[Phase]]:
    """Return the strides by side, as phases of that side's knee."""
    curves = clip_events.curves
    found: dict[Side, list[Phase]] = {}
    for side in SIDES:
        knee = f"{side}_knee"
        speed, noise = speed_of(curves, curves.flexion[knee]), curves.jitter[knee]
        found[side] = [_phase(curves, speed, noise, a.t_s, b.t_s) for a, b in gait.strides(side)]
    return found


def length_unit(clip_events: ClipEvents) -> tuple[str, float]:
    """Return the unit of length, ``m`` or ``stature``, and one stature in it."""
    height = clip_events.metrics.size.height_m
    return ("stature", 1.0) if height is None else ("m", height)


def _known(measure: Measure) -> Measure:
    there = np.isfinite(measure.values)
    sigma = None if measure.sigma is None else measure.sigma[there]
    return replace(
        measure, times_s=measure.times_s[there], values=measure.values[there], sigma=sigma
    )


def _phase(curves: Curves, speed: Array, noise: float, start_s: float, stop_s: float) -> Phase:
    """Return the phase of a signal of ``speed`` (f,) with standard deviation ``noise``."""
    count = max(round((stop_s - start_s) * curves.rate_hz), 1) + 1
    near = slice(
        max(int(np.searchsorted(curves.times_s, start_s)) - _BESIDE, 0),
        int(np.searchsorted(curves.times_s, stop_s)) + _BESIDE,
    )
    times, part = curves.times_s[near], speed[near]
    known = np.isfinite(part)
    if not known.any():  # e.g. a stride, found by the ankles, with a hidden knee
        return Phase(start_s, stop_s, _NAN, _NAN, _NAN)
    even = np.interp(np.linspace(start_s, stop_s, count), times[known], part[known])
    peak = float(even.max())
    rate = (count - 1) / (stop_s - start_s)
    moves = peak >= _LEAST_SIGMAS * noise  # not for NaN
    return Phase(
        start_s,
        stop_s,
        peak,
        sparc(even, rate) if moves else _NAN,
        ldlj(even, rate) if moves and curves.rate_hz >= LEAST_RATE_HZ else _NAN,
    )


def _repetitions(clip_events: ClipEvents) -> Iterator[Measure]:
    reps = clip_events.repetitions.items
    if not reps:
        return
    curves = clip_events.curves
    at = np.array([rep.peak_s for rep in reps])
    windows = [(rep.start, rep.stop) for rep in reps]
    for joint in JOINTS:
        yield from _joint(clip_events, joint.name, dict.fromkeys(SIDES, (at, windows)))
    if curves.signed:
        yield Measure(f"{TRUNK}_peak", None, "deg", at, _over(curves.lean, windows, np.max))
    yield Measure(
        "repetition_duration", None, "s", at,
        np.array([rep.stop_s - rep.start_s for rep in reps]), ratio=True,
    )  # fmt: skip
    phases = phases_of_repetitions(clip_events)
    if clip_events.repetitions.driver != HIP_HEIGHT:
        speeds = np.array([max(p.peak_speed for p in pair) for pair in phases])
        yield Measure("peak_speed", None, "deg/s", at, speeds, ratio=True)
    smooth = np.array([np.mean([p.sparc for p in pair]) for pair in phases])
    yield Measure("sparc", None, "1", at, smooth)


def _frontal_knees(clip_events: ClipEvents) -> Iterator[Measure]:
    """Yield the knees' projection angle where the hips are lowest, and the most after a landing."""
    lows, landings = clip_events.lows, clip_events.landings
    at = np.array([rep.peak_s for rep in lows])
    landed = np.array([flight.landing_s for flight in landings])
    after = [clip_events.after(flight) for flight in landings]
    windows = [(part.start, part.stop - 1) for part in after]
    for side in SIDES:
        fppa = clip_events.metrics.frontal[f"{side}_fppa"].value
        yield Measure("fppa_peak", side, "deg", at, fppa[[rep.peak for rep in lows]])
        yield Measure("fppa_landing_peak", side, "deg", landed, _over(fppa, windows, np.max))


def _gait(clip_events: ClipEvents, gait: Gait) -> Iterator[Measure]:
    curves = clip_events.curves
    unit, scale = length_unit(clip_events)
    strides = {side: gait.strides(side) for side in SIDES}
    cycles = {
        side: (np.array([a.t_s for a, _ in own]), [(a.frame, b.frame) for a, b in own])
        for side, own in strides.items()
    }
    for joint in JOINTS:
        if joint.per_stride:
            yield from _joint(clip_events, joint.name, cycles)
    turned = phases_of_strides(clip_events, gait)
    for side in SIDES:
        own = strides[side]
        at = cycles[side][0]
        lengths = np.array([b.t_s - a.t_s for a, b in own])
        yield Measure("stride_time", side, "s", at, lengths, ratio=True)
        smooth = np.array([phase.sparc for phase in turned[side]])
        yield Measure("sparc", side, "1", at, smooth)
        steps = [(a, b) for a, b in gait.steps() if b.side == side]
        at = np.array([b.t_s for _, b in steps])
        times = np.array([b.t_s - a.t_s for a, b in steps])
        yield Measure("step_time", side, "s", at, times, ratio=True)
        if gait.stance_known:
            apart = np.abs(curves.ankle_ahead["left"] - curves.ankle_ahead["right"])
            frames = [b.frame for _, b in steps]
            far = scale * apart[frames]
            yield Measure("step_length", side, unit, at, far, ratio=True, sigma=_SHORT * far / Z95)
            at, times = _stances(gait, side)
            # Contacts are early and toe-offs late, so their errors add up.
            sigma = np.full(len(at), 2.0 * gait.event_error_s / Z95)
            yield Measure("stance_time", side, "s", at, times, ratio=True, sigma=sigma)
    every = gait.steps()
    at = np.array([b.t_s for _, b in every])
    pace = np.array([60.0 / (b.t_s - a.t_s) for a, b in every])
    yield Measure("cadence", None, "1/min", at, pace, ratio=True)


def _stances(gait: Gait, side: str) -> tuple[Array, Array]:
    """Return the start of each stride of a side, and the seconds until its toe-off."""
    offs = gait.times("toe_off", side)
    found = []
    for contact, following in gait.strides(side):
        inside = offs[(offs > contact.t_s) & (offs < following.t_s)]
        if len(inside):
            found.append((contact.t_s, float(inside[0]) - contact.t_s))
    pairs = np.array(found).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _joint(
    clip_events: ClipEvents,
    joint: str,
    cycles: dict[Side, tuple[Array, list[tuple[int, int]]]],
) -> Iterator[Measure]:
    """Yield peak, range and peak speed of both sides of a joint that moves on either side."""
    curves = clip_events.curves
    ranges = {
        side: _over(curves.flexion[f"{side}_{joint}"], windows, np.ptp)
        for side, (_, windows) in cycles.items()
        if f"{side}_{joint}" in curves.flexion
    }
    usual = [np.median(r[np.isfinite(r)]) for r in ranges.values() if np.isfinite(r).any()]
    if not usual or max(usual) < _LEAST_ROM_DEG:
        return
    for side, (at, windows) in cycles.items():
        name = f"{side}_{joint}"
        signal = curves.flexion[name]
        speed = speed_of(curves, signal)
        yield Measure(f"{joint}_flexion_peak", side, "deg", at, _over(signal, windows, np.max))
        yield Measure(f"{joint}_rom", side, "deg", at, ranges[side], ratio=True)
        fastest = _over(speed, windows, np.max)
        fastest = np.where(fastest >= _LEAST_SIGMAS * curves.jitter[name], fastest, np.nan)
        yield Measure(f"{joint}_peak_speed", side, "deg/s", at, fastest, ratio=True)


def _over(
    signal: Array, windows: Iterable[tuple[int, int]], of: Callable[[Array], object]
) -> Array:
    """Reduce the frames of each window to (n,), both ends included; NaN if too few are known."""
    values = []
    for start, stop in windows:
        part = signal[start : stop + 1]
        known = part[np.isfinite(part)]
        enough = len(known) >= _LEAST_KNOWN * len(part)
        values.append(float(np.asarray(of(known))) if enough and len(known) else _NAN)
    return np.array(values)


def _jumps(clip_events: ClipEvents) -> Iterator[Measure]:
    """Yield flight times and heights of jumps with sufficiently certain contacts."""
    jumps = [jump.contacts for jump in clip_events.jumps if jump.contacts]
    at = np.array([sum(jump.takeoff_s) / 2 for jump in jumps])
    for metric, unit, found in (
        ("flight_time", "s", [(jump.flight_s, jump.time_s) for jump in jumps]),
        ("jump_height", "m", [(jump.height_m, jump.height_range_m) for jump in jumps]),
    ):
        values = np.array([_NAN if value is None else value for value, _ in found])
        sigma = np.array([np.ptp(ends or (_NAN,)) / 2 / Z95 for _, ends in found])
        yield Measure(metric, None, unit, at, values, ratio=True, sigma=sigma)


def values_at(
    clip_events: ClipEvents, values: Array, sigma: Array, between_s: Iterable[tuple[float, float]]
) -> Array:
    """Return value and standard deviation (n, 2) of a signal (f,) at contacts between two times.

    NaN where the signal rotates too far between them.
    """
    cutoff = clip_events.metrics.points.filter.cutoff_hz
    corner = 0.0 if cutoff is None else 1 / (2 * np.pi * cutoff)
    times = clip_events.curves.times_s
    found = [value_at(times, values, sigma, ends, corner) for ends in between_s]
    return np.array(found).reshape(-1, 2)


def _landings(clip_events: ClipEvents) -> Iterator[Measure]:
    curves = clip_events.curves
    if not curves.signed:
        return
    between = [flight.landing_between_s for flight in clip_events.landings]
    at = np.array([sum(ends) / 2 for ends in between])
    signals = [
        ("knee_flexion_at_landing", side, curves.flexion[f"{side}_knee"],
         curves.sigma[f"{side}_knee"])
        for side in SIDES
    ]  # fmt: skip
    lean = clip_events.metrics.sagittal["trunk_lean"].sigma
    for metric, side, signal, own in [*signals, ("trunk_lean_at_landing", None, curves.lean, lean)]:
        value, sigma = values_at(clip_events, signal, own, between).T
        yield Measure(metric, side, "deg", at, value, sigma=sigma)
