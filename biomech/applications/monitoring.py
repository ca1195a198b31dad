"""Monitor joint angles: report those outside a configured range, with time and probability.

An alert says that an angle left a range. It is not a diagnosis.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy

from biomech.applications.norms_and_limits import Rule
from biomech.applications.outcome import INSUFFICIENT_DATA, NOT_SUPPLIED, OK, number, rounded
from biomech.events.clip_events import ClipEvents
from biomech.events.measures import values_at
from biomech.joints import JOINTS
from biomech.kinematics.geometry import Array
from biomech.kinematics.joint_angles import Z95, Angle
from biomech.records.application_records import Alert, MonitoringOutcome, RuleChecked
from biomech.skeleton import SIDES, Side
from biomech.time_windows import runs_of

EXCURSION: Final = "knee_excursion"
"""Metric: knee flexion from the landing to its largest value after it."""

FPPA: Final = "fppa"

_SIDED: Final[Mapping[str, str]] = {
    **{f"{joint.name}_flexion": f"{{}}_{joint.name}_flexion" for joint in JOINTS},
    FPPA: "{}_fppa",
}
_WHOLE: Final = (
    "trunk_lean",
    "trunk_lateral_lean",
    "spine_angle",
    "hip_level_difference",
    "shoulder_level_difference",
)
METRICS: Final = (*_SIDED, EXCURSION, *_WHOLE)
PHASES: Final = ("any", "landing", "landing_peak", "peak")


@dataclass(frozen=True, slots=True)
class _Finding:
    """A value for a rule to judge, in degrees, with its start and end."""

    start_s: float
    stop_s: float
    value: float
    sigma: float


def monitoring(
    clip_events: ClipEvents, rules: tuple[Rule, ...], sex: str | None
) -> MonitoringOutcome:
    """Return the alerts of all rules; ``checked`` counts the values that each rule judged.

    Args:
        clip_events: of one person. rules: of the site, or the shipped ones.
        sex: for thresholds that depend on it.
    """
    if not rules:
        return MonitoringOutcome(status=NOT_SUPPLIED, reason="there are no rules")
    checked: list[RuleChecked] = []
    alerts: list[Alert] = []
    for rule in rules:
        threshold = rule.threshold.get(sex or "any", rule.threshold["any"])
        seen = 0
        for side, findings in _findings(clip_events, rule, threshold):
            seen += len(findings)
            alerts += [
                _alert(rule, side, finding, threshold)
                for finding in findings
                if _exceeds(rule, finding.value, finding.sigma, threshold) >= rule.p_min
            ]
        checked.append(RuleChecked(rule=rule.id, threshold=threshold, checked=seen))
    if not any(item.checked for item in checked):
        reason = "nothing was seen that a rule is about"
        return MonitoringOutcome(status=INSUFFICIENT_DATA, reason=reason, checked=checked)
    alerts.sort(key=lambda alert: alert.t_start_s)
    return MonitoringOutcome(status=OK, checked=checked, alerts=alerts)


def _exceeds(rule: Rule, value: float, sigma: float, threshold: float) -> float:
    """Return the probability that the true value is outside the range; NaN if unknown."""
    beyond = value - threshold if rule.op == ">" else threshold - value
    return float(scipy.special.ndtr(beyond / sigma)) if sigma > 0 else float("nan")


def _alert(rule: Rule, side: Side | None, finding: _Finding, threshold: float) -> Alert:
    half = Z95 * finding.sigma
    return Alert(
        rule=rule.id,
        side=side,
        t_start_s=rounded(finding.start_s),
        t_end_s=rounded(finding.stop_s),
        value=rounded(finding.value),
        ci95=(number(finding.value - half), number(finding.value + half)),
        threshold=threshold,
        p_exceed=rounded(_exceeds(rule, finding.value, finding.sigma, threshold)),
        text=f"{rule.metric} outside the configured range ({rule.op} {threshold:g})",
        source=rule.source,
        note=rule.note,
    )


def _findings(
    clip_events: ClipEvents, rule: Rule, threshold: float
) -> Iterator[tuple[Side | None, list[_Finding]]]:
    if rule.view is not None and rule.view != clip_events.view:
        return
    make = _PHASES[rule.phase]
    if rule.metric in _WHOLE:
        yield None, make(clip_events, rule, _angle(clip_events, rule.metric), threshold)
        return
    name = _SIDED["knee_flexion" if rule.metric == EXCURSION else rule.metric]
    for side in SIDES if rule.side is None else (rule.side,):
        yield side, make(clip_events, rule, _angle(clip_events, name.format(side)), threshold)


def _angle(clip_events: ClipEvents, name: str) -> Angle | None:
    metrics = clip_events.metrics
    every = {**metrics.sagittal, **metrics.frontal, **metrics.body_alignment}
    return every.get(name)


def _whenever(
    clip_events: ClipEvents, rule: Rule, angle: Angle | None, threshold: float
) -> list[_Finding]:
    """Return the extreme of each stretch outside the range, or of the clip if there is none."""
    if angle is None:
        return []
    times, value, sigma = clip_events.curves.times_s, angle.value, angle.sigma
    known = np.isfinite(value) & np.isfinite(sigma)
    if not known.any():
        return []
    sign = 1.0 if rule.op == ">" else -1.0
    beyond = sign * (value - threshold) / np.where(known, sigma, 1.0)
    sure = scipy.special.ndtr(beyond) >= rule.p_min
    outside = known & sure
    found = [
        _most(times, value, sigma, sign, start, stop)
        for start, stop in runs_of(outside, times, clip_events.curves.max_gap_s).tolist()
        if times[stop - 1] - times[start] >= rule.min_duration_s
    ]
    if found:
        return found
    inside = known & ~outside
    if not inside.any():
        return []
    most = int(np.argmax(np.where(inside, sign * value, -np.inf)))
    return [_at(times, value, sigma, most)]


def _most(
    times_s: Array, value: Array, sigma: Array, sign: float, start: int, stop: int
) -> _Finding:
    frame = start + int(np.argmax(sign * value[start:stop]))
    return _Finding(
        float(times_s[start]), float(times_s[stop - 1]), float(value[frame]), float(sigma[frame])
    )


def _at(times_s: Array, value: Array, sigma: Array, frame: int) -> _Finding:
    time = float(times_s[frame])
    return _Finding(time, time, float(value[frame]), float(sigma[frame]))


def _at_landing(
    clip_events: ClipEvents, rule: Rule, angle: Angle | None, threshold: float
) -> list[_Finding]:
    if angle is None:
        return []
    between = [flight.landing_between_s for flight in clip_events.landings]
    found = values_at(clip_events, angle.value, angle.sigma, between)
    return [
        _Finding(*ends, value, sigma)
        for ends, (value, sigma) in zip(between, found.tolist(), strict=True)
        if np.isfinite(value) and np.isfinite(sigma)
    ]


def _at_peak(
    clip_events: ClipEvents, rule: Rule, angle: Angle | None, threshold: float
) -> list[_Finding]:
    """Return the value at the peak of each repetition; FPPA where the hips are lowest.

    FPPA depends on load. It is therefore also read after landings, whichever joint moves most.
    """
    if rule.metric != FPPA:
        return _known(clip_events, angle, [rep.peak for rep in clip_events.repetitions.items])
    lows = _known(clip_events, angle, [rep.peak for rep in clip_events.lows])
    return lows + _after_landing(clip_events, rule, angle, threshold)


def _after_landing(
    clip_events: ClipEvents, rule: Rule, angle: Angle | None, threshold: float
) -> list[_Finding]:
    """Return the extreme after each landing; for the excursion, minus the value at the landing."""
    if angle is None:
        return []
    times, found = clip_events.curves.times_s, []
    between = [flight.landing_between_s for flight in clip_events.landings]
    contact = values_at(clip_events, angle.value, angle.sigma, between)
    for flight, (at, doubt) in zip(clip_events.landings, contact.tolist(), strict=True):
        after = clip_events.after(flight)
        values = angle.value[after]
        if not np.isfinite(values).any():
            continue
        time = float(times[after.start + int(np.nanargmax(values))])
        ((value, sigma),) = values_at(clip_events, angle.value, angle.sigma, [(time, time)])
        if rule.metric == EXCURSION:
            value, sigma = value - at, float(np.hypot(sigma, doubt))
        if np.isfinite(value) and np.isfinite(sigma):
            found.append(_Finding(flight.landing_between_s[0], time, float(value), float(sigma)))
    return found


def _known(clip_events: ClipEvents, angle: Angle | None, frames: list[int]) -> list[_Finding]:
    if angle is None:
        return []
    return [
        _at(clip_events.curves.times_s, angle.value, angle.sigma, frame)
        for frame in frames
        if np.isfinite(angle.value[frame]) and np.isfinite(angle.sigma[frame])
    ]


_PHASES: Final[Mapping[str, Callable[[ClipEvents, Rule, Angle | None, float], list[_Finding]]]] = {
    "any": _whenever,
    "landing": _at_landing,
    "landing_peak": _after_landing,
    "peak": _at_peak,
}
