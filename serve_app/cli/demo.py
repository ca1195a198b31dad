"""Implement `mmpose-service demo`: analyze one video and draw the results."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deployments.errors import DownloadError
from deployments.roles import ModelRole
from serve_app.cli.analysis_flags import analysis_flags, options_of
from serve_app.cli.analyze import Formats, analyze_one, results_in
from serve_app.cli.downloads import DEMO_CONNECT_S, Downloads, find_demo_video, weights_folder
from serve_app.cli.json_output import json_option
from serve_app.cli.output_files import names_of
from serve_app.cli.overview import print_summary
from serve_app.cli.progress_bar import announce
from serve_app.local import local_service
from serve_app.model_plan import plan_models
from serve_app.report.contact_sheet import write_sheet
from serve_app.results.response_schema import PoseData, PoseResponse
from serve_app.settings import load_settings


@click.command()
@click.argument(
    "video", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Folder for the response, the annotated video, a table and a contact sheet.",
)
@click.option(
    "--offline",
    is_flag=True,
    envvar="DEMO_OFFLINE",
    help="Download nothing. [env: DEMO_OFFLINE=1]",
)
@json_option
@analysis_flags
def demo(video: Path | None, out: Path, offline: bool, as_json: bool, **flags: Any) -> None:
    """Analyze VIDEO, or the demonstration video, and show the results; --json prints the response.

    Published models that are not installed are downloaded first. If a server does not respond
    within 5 s, the default network is used instead.
    """
    if not offline:
        _download()
    video = video or find_demo_video()
    if video is None:
        raise DownloadError(
            "the demonstration video is not installed",
            hint="Run `mmpose-service models download --demo`, or give a VIDEO.",
        )
    with local_service(results_in(out)) as service:
        announce(service.models)
        (name,) = names_of([str(video)], out)
        stem = out / name
        formats = Formats(csv=True, to_stdout=as_json)
        response = analyze_one(service, str(video), options_of(flags), stem, formats)
    show(response, video.name, stem, as_json=as_json)


def _download() -> None:
    """Download missing models and the demonstration video; print the reasons of failures."""
    settings = load_settings()
    plan = plan_models(settings)
    downloads = Downloads(settings.mirrors, DEMO_CONNECT_S)
    for role in (ModelRole.PRIMARY, ModelRole.DETECTOR):
        downloads.have(plan.choices[role], weights_folder(settings), plan.search)
    downloads.demo_video()


def show(response: PoseResponse, title: str, stem: Path, *, as_json: bool = False) -> None:
    """Draw the contact sheet of the results at ``stem``, and print a summary and the paths.

    Args:
        response: with its data; the annotated video is ``stem`` plus ``.annotated.mp4``.
        title: title of the sheet. stem: path of the results without suffix.
        as_json: print nothing.
    """
    data = response.data
    if data is None:
        raise AssertionError("data was asked for")
    annotated, sheet = Path(f"{stem}.annotated.mp4"), Path(f"{stem}.png")
    models = ", ".join(data.processing_summary.models_used) or "no pose"
    write_sheet(response, annotated, sheet, f"{title}: {models}, primary person")
    if as_json:
        return
    console = Console()
    print_summary(response, title)
    console.print(_findings(data))
    for what, path in (
        ("response", f"{stem}.json"),
        ("table", f"{stem}.csv"),
        ("annotated video", annotated),
        ("contact sheet", sheet),
    ):
        console.print(f"{what:>16}: {path}", highlight=False, soft_wrap=True)


def _findings(data: PoseData) -> Table:
    summary = data.processing_summary
    info = summary.video_info
    table = Table("what", "found", title="clip")
    confidence = summary.average_confidence
    seconds = summary.timings_s["total"]
    for what, found in {
        "video": f"{info.width}x{info.height} {info.codec}, {info.fps:g} fps, "
        f"{info.duration_s:.1f} s",
        "answered by": ", ".join(summary.models_used) or "no model, as nobody was found",
        "frames with the primary person": f"{summary.successful_poses} of {summary.total_frames}",
        "frames with anybody": f"{summary.frames_with_people} of {summary.total_frames}",
        "mean confidence": "none" if confidence is None else f"{confidence:.2f}",
        "people": str(summary.people),
        "views": ", ".join(
            f"person {s.person_id}: {s.view or 'unknown'}" for s in data.biomechanics_summary
        ),
        "time": f"{seconds:.1f} s, {summary.total_frames / seconds:.0f} fps with the video drawn",
    }.items():
        table.add_row(what, found)
    return table
