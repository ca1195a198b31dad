"""Show progress on stderr, so that stdout has only results."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from deployments.messages import ModelStatus
from serve_app.pipeline import Progress as Report

STDERR = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
_WORDS = {"fetch": "fetching", "analyze": "finding poses", "render": "drawing"}


def announce(models: Iterable[ModelStatus]) -> None:
    """Print the models' notices, which a user of the results must know, before anything else."""
    notices = (f"{model.name} is {model.notice}" for model in models if model.notice)
    for notice in dict.fromkeys(notices):  # one network can be in two roles
        STDERR.print(notice, style="bold yellow")


@contextmanager
def progress_of(what: str) -> Iterator[Report]:
    """Show a bar for each stage of one job; yield a function of stage, done and total."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=STDERR,
    ) as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(f"{what}: {_WORDS.get(stage, stage)}", total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report
