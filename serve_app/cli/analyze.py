"""Implement `mmpose-service analyze`: analyze videos and write results to a folder."""

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from deployments.concurrency import run_async
from deployments.errors import ServiceError, StorageError
from serve_app.cli.analysis_flags import analysis_flags, options_of
from serve_app.cli.completion import complete_file
from serve_app.cli.json_output import json_option, print_failure
from serve_app.cli.output_files import names_of, replacing, require_file, shown, source_id
from serve_app.cli.overview import print_summary
from serve_app.cli.progress_bar import STDERR, announce, progress_of
from serve_app.local import local_service
from serve_app.results.response_schema import PoseOptions, PoseResponse
from serve_app.results.response_writer import Answer, encode
from serve_app.results.wide_csv import write_csv
from serve_app.service import PoseService
from serve_app.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Formats:
    """Files to write in addition to the annotated video and the response."""

    csv: bool = False
    to_stdout: bool = False


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, metavar="FILE_OR_URL...", shell_complete=complete_file
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder for NAME.json (the response of POST /pose) and NAME.annotated.mp4. If it has "
    "results of another video with that name, they are kept and NAME gets a number.",
)
@json_option
@click.option("--csv", is_flag=True, help="Also write NAME.csv, one row per frame and person.")
@click.option("--video/--no-video", default=True, help="Make the annotated video.")
@analysis_flags
def analyze(
    sources: tuple[str, ...], out: Path, as_json: bool, csv: bool, video: bool, **flags: Any
) -> None:
    """Analyze videos without a server: files, or http(s)://, gs:// and s3:// addresses.

    Prints a summary of each video, or the response with --json. If a video fails, the others are
    still analyzed, and the exit code is 1.
    """
    formats, options = Formats(csv=csv, to_stdout=as_json), options_of(flags, video=video)
    failures = 0
    with local_service(results_in(out)) as service:
        announce(service.models)
        for source, name in zip(sources, names_of(sources, out), strict=True):
            try:
                response = analyze_one(service, source, options, out / name, formats)
            except ServiceError as error:
                failures += 1
                print_failure(error, source=shown(source))
            else:
                if not as_json:
                    print_summary(response, name, everybody=options.people != "primary")
    if failures:
        raise click.exceptions.Exit(1)


def results_in(folder: Path) -> Settings:
    """Load settings with ``folder`` for results and a temporary folder for working files.

    Raises:
        ConfigurationError: the environment has a wrong setting.
    """
    spool = Path(tempfile.gettempdir()) / "mmpose-service-local"
    return load_settings({"spool_dir": spool}).model_copy(update={"output": str(folder)})


def analyze_one(
    service: PoseService, source: str, options: PoseOptions, stem: Path, formats: Formats
) -> PoseResponse:
    """Analyze one video and write its results to ``stem`` with the suffixes of their kinds.

    Raises:
        ServiceError: the analysis failed; BadParameterError if there is no such file. In either
            case no result is written.
    """
    try:
        with progress_of(stem.name) as report:
            response = run_async(_analyze(service, source, options, report)).response()
        with ExitStack() as files:
            if response.video_url is not None:
                stored = stem.parent / response.video_url.rpartition("/")[2]
                files.callback(stored.unlink, missing_ok=True)
                video = Path(f"{stem}.annotated.mp4")
                # Copied rather than moved: files of the store are readable by their owner only.
                shutil.copyfile(stored, files.enter_context(replacing(video)))
                response.video_url = video.resolve().as_uri()
            _write_results(response, stem, formats, files)
    except OSError as error:
        raise StorageError(
            f"the results cannot be written: {error.strerror or type(error).__name__}",
            hint="Free space on the disk, or choose another folder with --out.",
        ) from error
    if formats.to_stdout:
        click.echo(encode(response))
    STDERR.print(f"{shown(source)}: {stem}.*  {_in_words(response)}")
    for notice in (n for n in response.warnings if n.code != "model_notice"):
        STDERR.print(f"  {notice.code}: {notice.detail}", style="yellow")
    return response


def _write_results(response: PoseResponse, stem: Path, formats: Formats, files: ExitStack) -> None:
    """Write a response to ``stem`` plus each suffix; the files appear when ``files`` closes."""
    document = files.enter_context(replacing(Path(f"{stem}.json")))
    document.write_bytes(encode(response) + b"\n")
    if formats.csv:
        table = files.enter_context(replacing(Path(f"{stem}.csv")))
        with table.open("w", encoding="utf-8", newline="") as file:
            write_csv(response, file)


async def _analyze(service: PoseService, source: str, options: PoseOptions, report: Any) -> Answer:
    if "://" in source:
        return await service.analyze_url(source, options, source_id(source), report)
    require_file(source)
    with service.workspace() as folder:
        return await service.analyze_file(Path(source), folder, options, source_id(source), report)


def _in_words(response: PoseResponse) -> str:
    if response.data is None:
        return ""
    summary = response.data.processing_summary
    return (
        f"{summary.successful_poses} of {summary.total_frames} frames with a pose, "
        f"{summary.people} people, {summary.timings_s['total']:.1f} s"
    )
