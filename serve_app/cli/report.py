"""`mmpose-service report`: a saved result as one page."""

from pathlib import Path

import click

from serve_app.cli.export import RESULT, load_result, write
from serve_app.cli.output_files import readable
from serve_app.cli.progress_bar import STDERR
from serve_app.report.build import report_of, to_html


@click.command()
@click.argument("result", type=RESULT)
@click.option("--video", type=RESULT, help="Its annotated video, for key frames.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; default: RESULT with .report.html.",
)
@click.option("--person", type=int, help="Track number; default: the primary person.")
@click.option("--title", help="First line; default: the name of RESULT.")
def report(
    result: Path, video: Path | None, out: Path | None, person: int | None, title: str | None
) -> None:
    """Write RESULT, a JSON of `analyze` or of POST /pose, as one page of HTML.

    The page needs nothing beside itself, and prints on one sheet of A4.
    """
    made = report_of(load_result(result), title or readable(result.stem), video, person)
    target = result.with_suffix(".report.html") if out is None else out
    body = to_html(made).encode()
    write(target, [body])
    STDERR.print(f"{readable(str(target))}: {len(body)} bytes")
