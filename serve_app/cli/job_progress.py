"""Show how far jobs are, on stderr: bars on a terminal, else a line for each step."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click

from serve_app.results.job_schema import Job

Watch = Callable[[Job], None]


@contextmanager
def watching(names: Mapping[str, str]) -> Iterator[Watch]:
    """Yield a function that shows a job.

    Args:
        names: of jobs, by id.
    """
    try:
        from rich.progress import TaskID

        from serve_app.cli.progress_bar import STDERR, bars
    except ModuleNotFoundError:  # of the extra `results`
        is_terminal = False
    else:
        is_terminal = STDERR.is_terminal
    if not is_terminal:
        yield _lines(names)
        return
    with bars() as shown:
        tasks: dict[str, TaskID] = {}

        def show(job: Job) -> None:
            if job.id not in tasks:
                tasks[job.id] = shown.add_task("", total=100)
            shown.update(
                tasks[job.id],
                completed=job.percent,
                description=f"{names.get(job.id, job.id)}: {in_words(job)}",
            )
            if job.ended:
                shown.stop_task(tasks[job.id])

        yield show


def _lines(names: Mapping[str, str]) -> Watch:
    said: dict[str, str] = {}

    def show(job: Job) -> None:
        words = in_words(job)
        if said.get(job.id) != words:
            said[job.id] = words
            click.echo(f"{names.get(job.id, job.id)}: {words}", err=True)

    return show


def in_words(job: Job) -> str:
    """Return the state of a job in words."""
    if job.error is not None:
        return f"{job.state}: {job.error.detail}"
    if job.position is not None:
        return f"{job.state}, number {job.position} in the queue"
    if job.cancel_requested and not job.ended:
        return "ends: it was cancelled"
    return f"{job.state}, {job.stage}" if job.stage else job.state
