"""Show progress on stderr, so that stdout has only results."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:  # they need numpy, which clients lack
    from deployments.messages import ModelStatus
    from serve_app.pipeline import Progress as Report

STDERR = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
_WORDS = {"fetch": "fetching", "analyze": "finding poses", "render": "drawing"}


def announce(models: "Iterable[ModelStatus]") -> None:
    """Print the models' notices, which a user of the results must know, before anything else."""
    notices = (f"{model.name} is {model.notice}" for model in models if model.notice)
    for notice in dict.fromkeys(notices):  # one network can be in two roles
        STDERR.print(notice, style="bold yellow")


def bars() -> Progress:
    """Return bars to show."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=STDERR,
    )


@contextmanager
def progress_of(what: str) -> "Iterator[Report]":
    """Show a bar for each stage of one job; yield a function of stage, done and total."""
    with bars() as shown:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task(f"{what}: {_WORDS.get(stage, stage)}", total=total)
            shown.update(tasks[stage], completed=done, total=total)

        yield report
