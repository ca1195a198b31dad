"""Print JSON for programs: one flag for all commands, a value a line on stdout, problems on stderr.

With ``--json`` stdout has one JSON value, or one a line for each item of a list, and nothing else.
An error is one line on stderr: a problem document, like that of the HTTP interface.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from deployments.errors import ServiceError

FLAG: Final = "--json"
_KEY: Final = f"{__name__}.is_json"

json_option = click.option(
    FLAG,
    "as_json",
    is_flag=True,
    help="Print JSON on stdout, one value a line, and errors as problem documents on stderr.",
)
"""Option of every command that prints something."""


def note_format(context: click.Context, arguments: Sequence[str]) -> None:
    """Remember whether a command line asks for JSON, before anything in it can be wrong."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    context.meta[_KEY] = FLAG in arguments[:end]


def is_json() -> bool:
    """Return whether the command that runs was asked for JSON."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_KEY))


def print_json(value: Any) -> None:
    """Print a JSON value on one line; paths and times are texts."""
    click.echo(json.dumps(value, default=_text, allow_nan=False))


def require_file_beside_json(out: Path | None, *, as_json: bool) -> None:
    """Refuse a file for stdout together with JSON.

    Raises:
        click.UsageError: ``out`` is ``-``, and JSON is asked for.
    """
    if as_json and str(out) == "-":
        raise click.UsageError("--json and --out - both write to stdout: choose one.")


def print_failure(error: ServiceError, **about: str) -> None:
    """Print an error on stderr: in words, or as a problem document.

    Args:
        error: with its hint. about: the one item that failed, such as ``source="run.mp4"``.
    """
    if is_json():
        click.echo(
            json.dumps(error.problem() | {"detail": str(error)} | about, default=_text), err=True
        )
        return
    subject = next(iter(about.values()), "error")
    click.echo(f"{subject}: {error}\n  {error.hint}", err=True)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, Path) else value.isoformat()
