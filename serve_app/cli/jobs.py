"""Implement `mmpose-service jobs`: submit videos to a service, watch them, fetch results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import click
import httpx
from pydantic_core import to_json

from deployments.errors import BadParameterError, ServiceError
from serve_app.access.caller import API_KEY_VARIABLE, URL_VARIABLE
from serve_app.cli.analysis_flags import analysis_flags, files_in, values_in
from serve_app.cli.completion import complete_file, complete_job
from serve_app.cli.job_progress import in_words, watching
from serve_app.cli.json_output import (
    json_option,
    print_failure,
    print_json,
    require_file_beside_json,
)
from serve_app.cli.output_files import require_file, shown, write, writing
from serve_app.client import PoseClient
from serve_app.client.uploads import is_address
from serve_app.http.export_query import Format
from serve_app.results.job_schema import Job, JobOptions, StateName
from serve_app.results.validation import parse_options

_FILE = click.Path(dir_okay=False, path_type=Path)
_Command = Callable[..., None]
_ids = click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_job)


def _calling(command: _Command) -> _Command:
    """Give a command a client as its first argument, and the flags of the service."""

    @click.option(
        "--url",
        envvar=URL_VARIABLE,
        default="http://127.0.0.1:8003",
        show_default=True,
        help=f"Address of the service; also ${URL_VARIABLE}.",
    )
    @click.option(
        "--api-key", help=f"Key; better in ${API_KEY_VARIABLE}, which `ps` does not show."
    )
    @wraps(command)
    def called(url: str, api_key: str | None, **arguments: Any) -> None:
        try:
            client = PoseClient(url, api_key=api_key)
        except httpx.InvalidURL as error:
            raise BadParameterError(
                f"--url: {error}", hint="Give an address such as http://127.0.0.1:8003."
            ) from error
        with client:
            command(client, **arguments)

    return called


@click.group()
def jobs() -> None:
    """Submit videos to a service as jobs, watch them, and fetch their results."""


@jobs.command()
@click.argument(
    "sources", nargs=-1, required=True, metavar="FILE_OR_URL...", shell_complete=complete_file
)
@click.option("--video/--no-video", default=True, help="Make the annotated video.")
@click.option("--webhook-url", help="https address that is called when a job ends.")
@click.option(
    "--idempotency-key", metavar="KEY", help="Requests with the same KEY and videos make one job."
)
@click.option("--watch", "is_watched", is_flag=True, help="Show progress until all have ended.")
@json_option
@analysis_flags
@_calling
def submit(
    client: PoseClient,
    sources: tuple[str, ...],
    video: bool,
    webhook_url: str | None,
    idempotency_key: str | None,
    is_watched: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Queue videos, and print the ids of their jobs: files, or http(s), gs and s3 addresses.

    With --watch the exit code is 1 if a job did not succeed.
    """
    for source in sources:
        if not is_address(source):
            require_file(source)
    given = values_in(flags) | {"video": video, "webhook_url": webhook_url}
    values = {name: value for name, value in given.items() if value is not None}
    parse_options(JobOptions, values)
    options = values | files_in(flags) | {"idempotency_key": idempotency_key}
    if len(sources) == 1:
        made = [client.submit(sources[0], **options)]
    else:
        made = client.submit_all(sources, **options).jobs
    names = {job.id: shown(source) for job, source in zip(made, sources, strict=True)}
    if not is_watched:
        _print(made, as_json=as_json, line=lambda job: job.id)
        return
    click.echo("\n".join(f"{job}  {name}" for job, name in names.items()), err=True)
    _watch(client, list(names), names, as_json=as_json)


@jobs.command("list")
@click.option("--state", type=click.Choice(get_args(StateName)), help="Only jobs in this state.")
@click.option("--group", metavar="ID", help="Only jobs that were submitted together.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="Most jobs to list."
)
@json_option
@_calling
def list_(
    client: PoseClient, state: StateName | None, group: str | None, limit: int, as_json: bool
) -> None:
    """List your jobs, the newest first."""
    _print(islice(client.jobs(state=state, group=group), limit), as_json=as_json, line=_line)


@jobs.command()
@click.argument("ids", nargs=-1, metavar="ID...", shell_complete=complete_job)
@click.option("--group", metavar="ID", help="Watch all jobs that were submitted together.")
@json_option
@_calling
def watch(client: PoseClient, ids: tuple[str, ...], group: str | None, as_json: bool) -> None:
    """Show the progress of jobs until all have ended; the exit code is 1 unless all succeeded."""
    if bool(ids) == bool(group):
        raise click.UsageError("Name either jobs or a --group.")
    found = ids or [job.id for job in client.jobs(group=group)]
    if not found:
        raise BadParameterError(f"there is no group {group}", hint="See `jobs list`.")
    _watch(client, found, {}, as_json=as_json)


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=complete_job)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="File to write, - for stdout; default: ID.json, or ID with the suffix of the format.",
)
@click.option("--video", type=_FILE, help="Also fetch the annotated video into this file.")
@click.option("--fields", metavar="PATHS", help="Only parts, such as joint_angles,video_url.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(get_args(Format)),
    help="A file of another program in place of JSON: docs/exports.md.",
)
@click.option("--person", type=int, help="trc, mot, c3d: track number; default: the primary.")
@click.option("--height-m", type=click.FloatRange(0.4, 2.8), help="trc, c3d: the athlete's height.")
@json_option
@_calling
def result(
    client: PoseClient,
    job_id: str,
    out: Path | None,
    video: Path | None,
    fields: str | None,
    kind: Format | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Fetch the result of the job ID: the response of POST /pose as JSON, or an export.

    --json prints the paths and bytes of the files, a line each.
    """
    require_file_beside_json(out, as_json=as_json)
    chosen = {name: value for name, value in options.items() if value is not None}
    if kind is None and chosen:
        raise click.UsageError("--person and --height-m are of an export: name its --format.")
    if kind is not None and fields is not None:
        raise click.UsageError("Choose either --fields or --format.")
    if kind is not None:
        content = client.export_job(job_id, kind, **chosen)
    else:
        content = to_json(client.result_parts(job_id, fields)) + b"\n"
    target = out or Path(f"{job_id}.{kind or 'json'}")
    if str(target) == "-":
        click.echo(content, nl=False)
    else:
        _fetched(target, write(target, [content]), as_json=as_json)
    if video is not None:
        with writing(video):
            client.download_video(job_id, video)
        _fetched(video, video.stat().st_size, as_json=as_json)


def _fetched(path: Path, size: int, *, as_json: bool) -> None:
    click.echo(f"{path}: {size} bytes", err=True)
    if as_json:
        print_json({"path": path, "bytes": size})


@jobs.command()
@_ids
@json_option
@_calling
def cancel(client: PoseClient, ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel jobs that have not ended; others stay as they are."""
    _each(ids, lambda job_id: _print([client.cancel(job_id)], as_json=as_json, line=_line))


@jobs.command()
@_ids
@json_option
@_calling
def delete(client: PoseClient, ids: tuple[str, ...], as_json: bool) -> None:
    """Delete jobs with their results and videos; those that have not ended are cancelled first."""

    def one(job_id: str) -> None:
        client.delete(job_id)
        if as_json:
            print_json({"id": job_id, "deleted": True})

    _each(ids, one)


def _each(ids: Sequence[str], call: Callable[[str], None]) -> None:
    """Call a function for each job; report failures, and exit with 1 if there was one."""
    failures = 0
    for job_id in ids:
        try:
            call(job_id)
        except ServiceError as error:
            failures += 1
            print_failure(error, id=job_id)
    if failures:
        raise click.exceptions.Exit(1)


def _watch(
    client: PoseClient, ids: Sequence[str], names: Mapping[str, str], *, as_json: bool
) -> None:
    with watching(names) as show:
        ended = client.wait_all(ids, show)
    _print(ended, as_json=as_json, line=_line)
    if any(job.state != "succeeded" for job in ended):
        raise click.exceptions.Exit(1)


def _print(found: Iterable[Job], *, as_json: bool, line: Callable[[Job], str]) -> None:
    for job in found:
        click.echo(job.model_dump_json(by_alias=True) if as_json else line(job))


def _line(job: Job) -> str:
    made = datetime.fromtimestamp(job.created_at, UTC)
    return f"{job.id}  {made:%Y-%m-%d %H:%M} UTC  {job.percent:5.1f} %  {in_words(job)}"
