"""`mmpose-service demo`: one video analysed, with pictures of the result."""

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from biomech.skeleton import JOINT_ANGLES
from serve_app.commands.analyze import Formats, analyze_one, results_in
from serve_app.commands.progress import announce
from serve_app.local import local_service
from serve_app.schemas import PoseData, PoseOptions, PoseResponse
from serve_app.sheet import angle_values, write_sheet


@click.command()
@click.argument("video", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Folder for the response, the annotated video, a table and a contact sheet.",
)
def demo(video: Path, out: Path) -> None:
    """Analyse VIDEO and show what was found."""
    with local_service(results_in(out)) as service:
        announce(service.models)
        stem = out / video.stem
        response = analyze_one(service, str(video), PoseOptions(), stem, Formats(csv=True))
    show(response, video.name, stem)


def show(response: PoseResponse, title: str, stem: Path) -> None:
    """Draw the contact sheet of results that lie at ``stem`` and print what was found and where.

    Args:
        response: with its data, the annotated video being ``stem`` with ``.annotated.mp4``.
        title: of the sheet. stem: path of the results without their suffixes.
    """
    data = response.data
    if data is None:
        raise AssertionError("data was asked for")
    annotated, sheet = Path(f"{stem}.annotated.mp4"), Path(f"{stem}.png")
    models = ", ".join(data.processing_summary.models_used) or "no pose"
    write_sheet(response, annotated, sheet, f"{title}: {models}, primary person")
    console = Console()
    console.print(_angles(data))
    console.print(_findings(data))
    for what, path in (
        ("response", f"{stem}.json"),
        ("table", f"{stem}.csv"),
        ("annotated video", annotated),
        ("contact sheet", sheet),
    ):
        console.print(f"{what:>16}: {path}", highlight=False, soft_wrap=True)


def _angles(data: PoseData) -> Table:
    table = Table(
        "joint angle", "least", "median", "greatest", "measured in", title="primary person, degrees"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name in JOINT_ANGLES:
        values = angle_values(data.poses_per_frame, name)
        there = values[np.isfinite(values)]
        numbers = (
            [f"{v:.0f}" for v in np.percentile(there, (0, 50, 100))] if len(there) else [""] * 3
        )
        table.add_row(name, *numbers, f"{len(there)} of {len(values)}")
    return table


def _findings(data: PoseData) -> Table:
    summary = data.processing_summary
    info = summary.video_info
    table = Table("what", "found", title="clip")
    confidence = summary.average_confidence
    seconds = summary.timings_s["total"]
    for what, found in {
        "video": f"{info.width}x{info.height} {info.codec}, {info.fps:g} fps, "
        f"{info.duration_s:.1f} s",
        "frames with a pose": f"{summary.successful_poses} of {summary.total_frames}",
        "mean confidence": "none" if confidence is None else f"{confidence:.2f}",
        "people": str(summary.people),
        "views": ", ".join(
            f"person {s.person_id}: {s.view or 'unknown'}" for s in data.biomechanics_summary
        ),
        "time": f"{seconds:.1f} s, {summary.total_frames / seconds:.0f} fps with the video drawn",
    }.items():
        table.add_row(what, found)
    return table
