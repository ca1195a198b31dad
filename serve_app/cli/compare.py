"""Implement `mmpose-service compare`: compare two saved results."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from biomech.applications.norms_and_limits import Limits
from biomech.applications.outcome import NOT_COMPARABLE, OK
from biomech.applications.progress import progress
from biomech.applications.technique import technique
from biomech.records.application_records import (
    Change,
    Outcome,
    ProgressOutcome,
    TechniqueOutcome,
)
from deployments.biomechanics.comparable_results import summary_of
from deployments.biomechanics.guideline_files import load_guidelines
from deployments.errors import BadParameterError
from serve_app.cli.export import RESULT
from serve_app.cli.json_output import json_option, print_failure, print_json
from serve_app.export.saved_clip import load_result
from serve_app.report.tables import number, words
from serve_app.results.supplied import require_same_definitions
from serve_app.settings import load_settings

_FAILED = 1
_LEAST_WIDTH = 110


@click.command()
@click.argument("before", type=RESULT)
@click.argument("after", type=RESULT)
@click.option(
    "--people", type=int, nargs=2, help="Track numbers in BEFORE and AFTER; default: the primary."
)
@json_option
def compare(before: Path, after: Path, people: tuple[int, int] | None, as_json: bool) -> None:
    """Compare BEFORE with AFTER, two results of one athlete doing the same movement.

    A change counts if it exceeds the scatter of the repetitions and the smallest detectable change
    (MMPOSE_MDC). Results that were made or filmed differently are refused.
    """
    limits: Limits = load_guidelines(mdc=load_settings().mdc).limits
    numbers = people or (None, None)
    first, second = (_summary(path, n) for path, n in zip((before, after), numbers, strict=True))
    require_same_definitions({str(before): first["definitions"], str(after): second["definitions"]})
    changed, moved = progress(first, second, limits), technique(second, first)
    if as_json:
        print_json({"progress": asdict(changed), "technique": asdict(moved)})
    else:
        _show(changed, moved, (before.name, after.name))
    if changed.status == NOT_COMPARABLE or OK not in (changed.status, moved.status):
        print_failure(
            BadParameterError(
                f"the results cannot be compared: {_refusal(changed, moved)}",
                hint="Film both from the same side, and analyze both with the same --movement and "
                "model.",
            )
        )
        raise click.exceptions.Exit(_FAILED)


def _summary(path: Path, person: int | None) -> dict[str, Any]:
    """Return the summary of one person of a saved result.

    Raises:
        BadParameterError: the file has no result, not that person, or no summary of the person.
    """
    result = load_result(path)
    people = [summary for _, summary in sorted(result.summaries.items())]
    try:
        found: dict[str, Any] = summary_of(
            {"data": {"biomechanics_summary": people}}, result.person(person).person_id
        )
    except ValueError as error:
        raise BadParameterError(
            f"{path}: there is nothing to compare: {error}",
            hint="Analyze the video again with BIOMECHANICS_ANALYSIS=true.",
        ) from error
    return found


def _refusal(changed: Outcome, moved: Outcome) -> str:
    reasons = (o.reason for o in (changed, moved) if o.status != OK and o.reason)
    return "; ".join(dict.fromkeys(reasons))


def _show(changed: ProgressOutcome, moved: TechniqueOutcome, names: tuple[str, str]) -> None:
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, _LEAST_WIDTH)
    if changed.status == OK:
        console.print(f"{names[0]} to {names[1]}", soft_wrap=True)
        console.print(_changes(changed.changes))
    if moved.status == OK and moved.dtw_norm is not None and moved.timing is not None:
        console.print(
            f"mean {moved.of}: difference of {number(moved.dtw_norm, 2)} tolerances after "
            f"time warping, timing off by {100 * moved.timing:.1f} % of the movement",
            soft_wrap=True,
        )
        console.print(_technique(moved))
    elif changed.status == OK:
        console.print(f"technique: {moved.reason}", soft_wrap=True)


def _changes(changes: list[Change]) -> Table:
    table = Table(
        "measure", "side", "unit", "before", "after", "change", "detectable", "verdict"
    )  # fmt: skip
    for column in table.columns[3:7]:
        column.justify = "right"
    for item in changes:
        low, high = item.ci95 or (None, None)
        spread = "" if low is None or high is None else f" ± {number((high - low) / 2, 2)}"
        table.add_row(
            words(item.metric),
            item.side or "",
            item.unit,
            number(item.before, 2),
            number(item.after, 2),
            f"{number(item.delta, 2)}{spread}",
            "" if item.mdc is None else number(item.mdc, 2),
            words(item.verdict or "not judged"),
        )
    return table


def _technique(moved: TechniqueOutcome) -> Table:
    table = Table("mean curve of", "rms difference, °", "largest, °", "at % of the movement")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, item in moved.joints.items():
        table.add_row(
            words(name),
            number(item.rmsd_deg, 1),
            number(item.max_dev_deg, 1),
            number(item.at_pct, 0),
        )
    return table
