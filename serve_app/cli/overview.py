"""Print the biomechanics of a clip: events with times, ranges of joints, cautions."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from rich.console import Console
from rich.table import Table

from biomech.events.repetitions import HIP_HEIGHT
from biomech.records.event_records import MeasureRecord
from biomech.records.person_record import PersonSummary
from serve_app.report.caution_sentences import cautions, listed
from serve_app.report.tables import findings, number, smoothing, technique, words
from serve_app.results.response_schema import PoseResponse

_MOST: Final = 12
"""Maximum number of rows for a kind of event."""

_UNITS: Final = {"m": "m", "stature": "statures"}

_Event = tuple[str, float | None, float | None, str]
"""Name, start and end in seconds, and a detail such as a height."""


def print_summary(response: PoseResponse, title: str, *, everybody: bool = False) -> None:
    """Print the summary of the primary person, or of ``everybody``, of a clip to stdout."""
    people = response.data.biomechanics_summary if response.data else []
    console = Console(highlight=False, markup=False)
    for summary in people if everybody else people[:1]:
        console.print(f"{title}, person {summary.person_id}: {_heading(summary)}", style="bold")
        for table in _tables(summary):
            console.print(table)


def _heading(summary: PersonSummary) -> str:
    if summary.reason is not None:
        return f"no biomechanics: {words(summary.reason)}"
    smoothed = smoothing(summary.filter)
    parts = [
        f"{summary.view or 'unknown'} view",
        f"movement {summary.movement}",
        f"smoothed at {smoothed}" if smoothed else "too short to be smoothed",
    ]
    if summary.height_m is not None:
        parts.append(f"{summary.height_m:.2f} m tall")
    if summary.gait and summary.gait.cadence_per_min is not None:
        pace = "runs" if summary.gait.running else "walks"
        parts.append(f"{pace} at {summary.gait.cadence_per_min:.0f} steps a minute")
    return ", ".join(parts)


def _tables(summary: PersonSummary) -> Iterator[Table]:
    """Yield the tables that have rows."""
    for table in (_events(summary), _ranges(summary), _sentences(summary)):
        if table.row_count:
            yield table


def _events(summary: PersonSummary) -> Table:
    table = _table("event", "from, s", "to, s", "lasts, s", "")
    # The repetitions of a walker are strides, which the steps already show.
    cycles = list(_steps(summary) if summary.gait else _repetitions(summary))
    for events in (cycles, list(_jumps(summary))):
        for what, start, stop, detail in events[:_MOST]:
            lasts = "" if start is None or stop is None else f"{stop - start:.2f}"
            table.add_row(what, _time(start), _time(stop), lasts, detail)
        if len(events) > _MOST:
            table.add_row(f"and {len(events) - _MOST} more")
    return table


def _repetitions(summary: PersonSummary) -> Iterator[_Event]:
    for count, rep in enumerate(summary.reps, 1):
        driver = summary.driver or ""
        peak = rep.peak_deg.get(driver)
        upward = summary.direction == "extension"
        far = ("highest" if upward else "lowest") if driver == HIP_HEIGHT else words(driver)
        if upward and driver != HIP_HEIGHT:
            far += " straightest"
        elif peak is not None:
            far += f" {number(peak, 0)}°"
        if rep.depth_class == "partial":
            far += ", partial,"
        yield f"repetition {count}", rep.t_start_s, rep.t_end_s, f"{far} at {rep.t_peak_s:.2f} s"


def _steps(summary: PersonSummary) -> Iterator[_Event]:
    """Yield the steps of both sides, each from the other foot's contact to its own."""
    lengths = {
        (m.side, t): f"{number(value, 2)} {_UNITS.get(m.unit, m.unit)} long"
        for m in _of(summary, "step_length")
        for t, value in zip(m.t_s, m.values, strict=False)
    }
    steps = [
        (t, lasts, measure.side)
        for measure in _of(summary, "step_time")
        for t, lasts in zip(measure.t_s, measure.values, strict=False)
    ]
    for t, lasts, side in sorted(steps, key=lambda step: step[0]):
        yield f"{side} step", t - lasts, t, lengths.get((side, t), "")


def _of(summary: PersonSummary, metric: str) -> Iterator[MeasureRecord]:
    return (measure for measure in summary.measures if measure.metric == metric)


def _jumps(summary: PersonSummary) -> Iterator[_Event]:
    for count, jump in enumerate(summary.jumps, 1):
        high = ""
        if jump.height_m is not None:
            error = jump.height_error_m
            doubt = "" if error is None else f" ± {number(error, 2)}"
            high = f"{number(jump.height_m, 2)}{doubt} m high"
        elif jump.height_range_m is not None:
            low, most = (number(height, 2) for height in jump.height_range_m)
            high = f"{low} to {most} m high"
        yield f"jump {count}", jump.t_takeoff_s, jump.t_landing_s, high


def _ranges(summary: PersonSummary) -> Table:
    table = _table("joint, ° of flexion", "least", "greatest", "range", "nominal 95 %")
    for name, joint in islice(summary.joints.items(), _MOST):
        if joint.rom is None or joint.min is None or joint.max is None:
            table.add_row(words(name), "", "", "", words(joint.reason or ""))
            continue
        low, high = joint.rom_ci95 or (None, None)
        interval = "" if low is None or high is None else f"{number(low, 0)} to {number(high, 0)}"
        table.add_row(
            words(name), *(number(v, 0) for v in (joint.min, joint.max, joint.rom)), interval
        )
    return table


def _sentences(summary: PersonSummary) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    compared = technique(summary)
    if compared is not None:
        table.add_row("-", f"Against the reference: {compared}")
    for sentence in (*listed(findings(summary)), *listed(cautions(summary))):
        table.add_row("-", sentence)
    return table


def _table(*headings: str) -> Table:
    table = Table(*headings)
    for column in table.columns[1:4]:
        column.justify = "right"
    return table


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"
