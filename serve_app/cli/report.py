"""Implement `mmpose-service report`: make a page of a saved result."""

from pathlib import Path

import click

from serve_app.cli.export import RESULT
from serve_app.cli.json_output import json_option, print_json
from serve_app.cli.output_files import readable, write
from serve_app.cli.progress_bar import STDERR
from serve_app.export.saved_clip import load_result
from serve_app.report.build import report_of, to_html


@click.command()
@click.argument("result", type=RESULT)
@click.option("--video", type=RESULT, help="Annotated video of RESULT, for key frames.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; default: RESULT with the suffix .report.html.",
)
@click.option("--person", type=int, help="Track number; default: the primary person.")
@click.option("--title", help="Title of the page; default: the name of RESULT.")
@json_option
def report(
    result: Path,
    video: Path | None,
    out: Path | None,
    person: int | None,
    title: str | None,
    as_json: bool,
) -> None:
    """Make one HTML page from RESULT, a JSON file of `analyze` or POST /pose.

    The page is a single file without external resources and prints on one A4 sheet. --json prints
    its path and bytes.
    """
    made = report_of(load_result(result), title or readable(result.stem), video, person)
    target = result.with_suffix(".report.html") if out is None else out
    body = to_html(made).encode()
    write(target, [body])
    STDERR.print(f"{readable(str(target))}: {len(body)} bytes")
    if as_json:
        print_json({"path": readable(str(target)), "bytes": len(body)})
