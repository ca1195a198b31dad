"""Implement `mmpose-service export`: convert a saved result to another format."""

from pathlib import Path
from typing import Any, get_args

import click

from biomech.files import Profile
from serve_app.cli.json_output import json_option, print_json, require_file_beside_json
from serve_app.cli.output_files import readable, run_id_of, write
from serve_app.cli.progress_bar import STDERR
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import load_result
from serve_app.http.export_query import Format

RESULT = click.Path(exists=True, dir_okay=False, path_type=Path)
_PIXELS = "_px.trc"


@click.command("export")
@click.argument("result", type=RESULT)
@click.option("--format", "kind", type=click.Choice(get_args(Format)), required=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="File to write, - for stdout; default: in RESULT's folder, named after RESULT.",
)
@click.option("--person", type=int, help="trc, mot, c3d: track number; default: the primary.")
@click.option(
    "--height-m",
    type=click.FloatRange(0.4, 2.8),
    help="trc, c3d: the athlete's height; default: that of the result.",
)
@click.option(
    "--profile",
    type=click.Choice(get_args(Profile)),
    default="2d",
    show_default=True,
    help="mot: this service's angle names, or OpenSim's coordinates.",
)
@click.option("--with-hip", is_flag=True, help="mot with profile opensim: include the hips.")
@click.option("--run-id", help="csv, parquet: run_id of each row; default: the name of RESULT.")
@json_option
def export_command(
    result: Path, kind: Format, out: Path | None, run_id: str | None, as_json: bool, **options: Any
) -> None:
    """Convert RESULT, a JSON file of `analyze` or POST /pose, to another format.

    docs/exports.md describes columns, units and signs. --json prints the path, bytes and notes.
    """
    require_file_beside_json(out, as_json=as_json)
    made = export(
        load_result(result), kind, ExportOptions(run_id=run_id or run_id_of(result), **options)
    )
    target = result.with_name(result.stem + made.suffix) if out is None else out
    if made.suffix.endswith(_PIXELS) and str(target) != "-" and not target.name.endswith(_PIXELS):
        target = target.with_name(target.name.removesuffix(".trc") + _PIXELS)
    if str(target) == "-":
        for piece in made.pieces:
            click.echo(piece, nl=False)
    else:
        written = write(target, made.pieces)
        STDERR.print(f"{readable(str(target))}: {written} bytes")
        if as_json:
            print_json({"path": readable(str(target)), "bytes": written, "notes": list(made.notes)})
    for note in made.notes:
        STDERR.print(f"  {note}", style="yellow")
