"""Write numbers of a report as text: ranges of angles, measures of repetitions, findings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from biomech.applications.norms_and_limits import NEAR_FAR_BIAS
from biomech.applications.outcome import NOT_COMPARABLE, OK
from biomech.applications.progress import NO_CHANGE
from biomech.joints import JOINTS
from biomech.kinematics.geometry import Array
from biomech.records.application_records import Alert, Change, SideDifference, TrendRecord
from biomech.records.event_records import MeasureRecord
from biomech.records.person_record import FilterRecord, JointRange, PersonSummary
from biomech.records.values import Interval
from biomech.skeleton import SIDES, split_side
from biomech.statistics.inference import half_width
from biomech.time_windows import lasting, rate_of
from serve_app.export.saved_clip import SavedPerson, SavedResult

_LEAST_KNOWN: Final = 0.1
_SOURCES: Final = {
    "request": " (as asked for)",
    "movement": " (for the movement named)",
    "recognized": " (for the movement recognized)",
}
_UNITS: Final = {"deg": "°", "deg/s": "°/s", "1": "", "stature": "statures", "1/min": "per min"}
_DECIMALS: Final = {"deg": 1, "deg/s": 0, "1/min": 1}
_NAMES: Final = {"sparc": "smoothness (SPARC)"}

ANGLES: Final[Mapping[str, tuple[str, ...]]] = {
    **{joint.label: joint.angles for joint in JOINTS},
    "Trunk": ("spine_angle",),
    "Hip level": ("hip_level_difference",),
    "Shoulder level": ("shoulder_level_difference",),
}


def smoothing(used: FilterRecord | None) -> str:
    """Return the cut-off of a filter and who chose it; empty without a filter."""
    if used is None or used.cutoff_hz is None:
        return ""
    return f"{used.cutoff_hz:g} Hz{_SOURCES.get(used.cutoff_source or '', '')}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: what, its unit, and cells; empty where there is nothing.

    ``cells`` are of left and right, or one of the whole body; ``n`` is of how many values.
    """

    name: str
    unit: str
    cells: tuple[str, ...]
    n: str = ""


def values_of(person: SavedPerson, name: str) -> Array | None:
    """Return (n,) of an angle of the response by its name; None if it is not there."""
    found = person.values.get(name)
    return person.included.get(name) if found is None else found


def ranges(result: SavedResult, person: SavedPerson) -> Iterator[Row]:
    """Yield least to greatest of each angle, and the share of frames in which it is known.

    The ends last a tenth of a second in all, so that a single frame makes none.
    """
    for name, sides in ANGLES.items():
        cells = [_range(result, values_of(person, side)) for side in sides]
        if any(cells):
            yield Row(name, "°", tuple(cells))


def _range(result: SavedResult, values: Array | None) -> str:
    if values is None:
        return ""
    known = values[np.isfinite(values)]
    if len(known) < max(_LEAST_KNOWN * len(values), 2):
        return ""
    low, high = lasting(known, rate_of(result.times_s))
    return f"{low:.0f} to {high:.0f} ({len(known) / len(result.frame):.0%})"


def measures(summary: PersonSummary) -> Iterator[Row]:
    """Yield the mean of each measure, with its nominal 95 % interval of several values."""
    by_metric: dict[tuple[str, str], dict[str | None, MeasureRecord]] = {}
    for measure in summary.measures:
        by_metric.setdefault((measure.metric, measure.unit), {})[measure.side] = measure
    for (metric, unit), sides in by_metric.items():
        shown = (None,) if None in sides else SIDES
        counts = dict.fromkeys(str(sides[side].n) for side in shown if side in sides)
        yield Row(
            _NAMES.get(metric, words(metric)),
            _UNITS.get(unit, unit),
            tuple(_mean(sides.get(side), unit) for side in shown),
            ", ".join(counts),
        )


def flexions(summary: PersonSummary) -> Iterator[Row]:
    """Yield least to greatest flexion of each joint, and the range with its interval."""
    by_joint: dict[str, dict[str, JointRange]] = {}
    for name, joint in summary.joints.items():
        side, rest = split_side(name)
        title = f"{words(rest)} flexion" if side else words(name)
        by_joint.setdefault(title, {})[side or ""] = joint
    for name, sides in by_joint.items():
        cells = tuple(_flexion(sides.get(side)) for side in ([""] if "" in sides else SIDES))
        if any(cells):
            yield Row(name, "°", cells)


def _flexion(joint: JointRange | None) -> str:
    if joint is None or joint.rom is None or joint.min is None or joint.max is None:
        return ""
    ends = f"{number(joint.min, 0)} to {number(joint.max, 0)}"
    return f"{ends}: {number(joint.rom, 0)}{_within(joint.rom_ci95, 0)}"


def _mean(measure: MeasureRecord | None, unit: str) -> str:
    if measure is None:
        return ""
    decimals = _DECIMALS.get(unit, 2)
    ends = None
    if measure.sd is not None and measure.n > 1:
        half = half_width(measure.sd, measure.n)
        ends = (measure.mean - half, measure.mean + half)
    return number(measure.mean, decimals) + _within(ends, decimals)


def _within(ends: Interval | None, decimals: int) -> str:
    if ends is None or ends[0] is None or ends[1] is None:
        return ""
    return f" [{number(ends[0], decimals)}, {number(ends[1], decimals)}]"


def findings(summary: PersonSummary) -> Iterator[str]:
    """List the findings of the applications; none is a diagnosis."""
    told = summary.applications
    if told is None:
        return
    yield from _alerts(told.monitoring.alerts if told.monitoring else ())
    yield from _sides(told.asymmetry.differences if told.asymmetry else ())
    yield from _drifts(told.fatigue.trends if told.fatigue else ())
    if told.progress:
        if told.progress.status == NOT_COMPARABLE:
            yield f"the earlier result is not comparable: {told.progress.reason}"
        yield from _changes(told.progress.changes)


def _alerts(alerts: Iterable[Alert]) -> Iterator[str]:
    for alert in alerts:
        when = "" if alert.t_start_s is None else f" at {alert.t_start_s:.2f} s"
        value = (
            "" if alert.value is None else f": {number(alert.value, 1)}°{_within(alert.ci95, 1)}"
        )
        note = f". {alert.note}" if alert.note else ""
        yield f"{_sided(alert.side)}{words(alert.text)}{value}{when}{note}"


def _sides(differences: Iterable[SideDifference]) -> Iterator[str]:
    for item in differences:
        if item.real and item.diff is not None:
            larger = "right" if item.diff > 0 else "left"
            yield (
                f"{words(item.metric)} differs between sides: {larger} larger by "
                f"{_amount(abs(item.diff), item.unit)}; right less left "
                f"{_amount(item.diff, item.unit, item.ci95)}"
            )


def _drifts(trends: Iterable[TrendRecord]) -> Iterator[str]:
    for trend in trends:
        if trend.drift and trend.slope_per_min is not None:
            yield (
                f"{_sided(trend.side)}{words(trend.metric)} drifts within the clip by "
                f"{_amount(trend.slope_per_min, trend.unit, trend.ci95)} a minute"
            )


def _changes(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        if change.verdict not in (None, NO_CHANGE) and change.delta is not None:
            yield (
                f"{_sided(change.side)}{words(change.metric)} {words(change.verdict)} since "
                f"the earlier result by {_amount(change.delta, change.unit, change.ci95)}"
            )


def technique(summary: PersonSummary) -> str | None:
    """Say how the movement differs from the reference, or why it cannot be compared.

    None where there is no reference, or nothing to compare to it.
    """
    told = summary.applications.technique if summary.applications else None
    if told is not None and told.status == NOT_COMPARABLE:
        return f"not comparable: {told.reason}"
    if told is None or told.dtw_norm is None or told.timing is None or not told.joints:
        return None
    name, most = max(told.joints.items(), key=lambda item: item[1].rmsd_deg)
    more = "more" if most.max_dev_deg > 0 else "less"
    return (
        f"mean {told.of} {number(told.dtw_norm, 1)} tolerances off when warped, "
        f"{100 * told.timing:.0f} % out of step; most the {words(name)}, "
        f"{number(abs(most.max_dev_deg), 0)}° {more} at {number(most.at_pct, 0)} %"
        + (f" ({told.reason})" if told.reason else "")
    )


def judged(summary: PersonSummary) -> Iterator[str]:
    """Say what was looked for and not found."""
    told = summary.applications
    if told is None:
        return
    if told.monitoring and told.monitoring.status == OK:
        yield "no angle outside the configured ranges"
    sides = told.asymmetry.differences if told.asymmetry else []
    if any(d.real is not None for d in sides) and all(d.reason != NEAR_FAR_BIAS for d in sides):
        yield "no difference between sides beyond what can be detected"
    if told.fatigue and any(trend.drift is not None for trend in told.fatigue.trends):
        yield "no drift within the clip beyond what can be detected"
    if told.progress and any(change.verdict is not None for change in told.progress.changes):
        yield "no change since the earlier result beyond what can be detected"


def _amount(value: float, unit: str, ends: Interval | None = None) -> str:
    decimals, written = _DECIMALS.get(unit, 2), _UNITS.get(unit, unit)
    gap = " " if written[:1].isalpha() else ""
    return f"{number(value, decimals)}{gap}{written}{_within(ends, decimals)}"


def number(value: float, decimals: int) -> str:
    """Write a number with a real minus sign."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def words(name: str) -> str:
    """Write a name of the response as words."""
    return name.replace("_", " ").replace(" rom", " range")


def _sided(side: str | None) -> str:
    return f"{side} " if side else ""
