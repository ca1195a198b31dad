"""Routes of jobs: submit, list, watch, read, export, cancel and delete."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from deployments.errors import (
    BadParameterError,
    BodyTimeoutError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    JobNotFoundError,
    OverloadedError,
    QueueFullError,
    ServiceError,
    SourceError,
    StorageError,
    TooLargeError,
    UploadError,
    keeping,
)
from deployments.file_digest import sha256_of
from serve_app.access.caller import Caller
from serve_app.http.openapi import problems_of
from serve_app.http.reception import Reception
from serve_app.http.requests import caller_of
from serve_app.http.uploads import FORM, JSON, body_described, content_type, read_body, save_upload
from serve_app.jobs.content_key import digest_of
from serve_app.jobs.job import JobState
from serve_app.jobs.jobs import Jobs, Placed
from serve_app.results.job_schema import (
    Job,
    JobGroup,
    JobList,
    JobOptions,
    JobRequest,
    JobSource,
    StateName,
)
from serve_app.service import PoseService

_LONGEST_KEY: Final = 255
_PING_S: Final = 15
_REPLAYED: Final = "Idempotent-Replayed"
ACCEPTED: Final = {
    "Location": {"schema": {"type": "string"}, "description": "Path of the job, or of the group."}
}
"""Headers of the answer to a submission."""


def add_jobs(app: FastAPI, service: PoseService, jobs: Jobs, reception: Reception) -> None:
    """Add the routes to ``app``."""
    _add_submit(app, service, jobs, reception)
    _add_state(app, jobs)


def _add_submit(app: FastAPI, service: PoseService, jobs: Jobs, reception: Reception) -> None:
    @app.post(
        "/jobs",
        status_code=202,
        response_model=Job | JobGroup,
        responses=problems_of(
            BadParameterError,
            BodyTimeoutError,
            TooLargeError,
            StorageError,
            SourceError,
            UploadError,
            IdempotencyKeyReusedError,
            IdempotencyInProgressError,
            QueueFullError,
        )
        | {202: {"headers": ACCEPTED}},
        summary="Submit a video, or several",
        tags=["jobs"],
        openapi_extra={"requestBody": body_described(JobRequest, JobOptions)},
    )
    async def submit(request: Request) -> Response:
        """Queue a video for analysis; it waits its turn."""
        key = idempotency_key(request)
        caller = caller_of(request)
        _ = jobs.store  # NotReadyError before the body is received
        if content_type(request, JSON, FORM) == FORM:
            with service.workspace() as folder:
                async with service.deadline():
                    limit = service.settings.max_bytes
                    path, options = await save_upload(request, folder, limit, reception, JobOptions)
                digest = key and await asyncio.to_thread(_digest_of_file, options, path)
                return await submitted(jobs, caller, options, [_moved(path)], key and (key, digest))
        async with service.deadline():
            body = await read_body(request, reception, JobRequest)
        sources = [source_of(service, source, caller) for source in body.sources()]
        digest = key and digest_of(body.model_dump_json().encode())
        return await submitted(
            jobs,
            caller,
            body,
            sources,
            key and (key, digest),
            grouped=body.videos is not None,
        )


async def submitted(
    jobs: Jobs,
    caller: Caller,
    options: JobOptions,
    sources: Sequence[str | Placed],
    idempotency: Any,
    *,
    grouped: bool = False,
    corrected_from: str | None = None,
) -> Response:
    """Submit jobs, and return the answer; see :meth:`Jobs.submit`."""
    records, is_new = await jobs.submit(
        caller,
        options,
        sources,
        grouped=grouped,
        idempotency=idempotency or None,
        corrected_from=corrected_from,
    )
    views = await jobs.views(records)
    headers = {} if is_new else {_REPLAYED: "true"}
    if grouped and views[0].group:
        group = JobGroup(group=views[0].group, jobs=views)
        headers["Location"] = f"/jobs?group={group.group}"
        return JSONResponse(group.model_dump(mode="json", by_alias=True), 202, headers)
    headers["Location"] = views[0].links.self_
    return JSONResponse(views[0].model_dump(mode="json", by_alias=True), 202, headers)


def _add_state(app: FastAPI, jobs: Jobs) -> None:
    @app.get(
        "/jobs",
        response_model=JobList,
        responses=problems_of(BadParameterError),
        summary="Your jobs",
        tags=["jobs"],
    )
    async def list_jobs(
        request: Request,
        state: StateName | None = None,
        group: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")] = None,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> JobList:
        """List jobs, the newest first, a page at a time."""
        return await jobs.list_jobs(
            caller_of(request).id,
            state=JobState(state) if state else None,
            group=group,
            cursor=cursor,
            limit=limit,
        )

    @app.get(
        "/jobs/{job_id}",
        response_model=Job,
        responses=problems_of(JobNotFoundError),
        summary="State of a job",
        tags=["jobs"],
    )
    async def get_job(job_id: str, request: Request) -> Job:
        """Return state, stage, percent, frames, estimate and place in the queue."""
        return await jobs.view(await jobs.get(job_id, caller_of(request).id))

    @app.delete(
        "/jobs/{job_id}",
        response_model=Job,
        status_code=202,
        responses=problems_of(JobNotFoundError, StorageError)
        | {204: {"description": "It had ended, and is deleted."}},
        summary="Cancel or delete a job",
        tags=["jobs"],
    )
    async def delete_job(job_id: str, request: Request) -> Response:
        """Cancel a job that is queued or running; delete one that has ended, with its files."""
        record = await jobs.delete(job_id, caller_of(request).id)
        if record is None:
            return Response(status_code=204)
        view = await jobs.view(record)
        return JSONResponse(view.model_dump(mode="json", by_alias=True), 202)

    @app.get(
        "/jobs/{job_id}/events",
        response_class=EventSourceResponse,
        responses=problems_of(BadParameterError, JobNotFoundError, OverloadedError)
        | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
        summary="Progress of a job as server-sent events",
        tags=["jobs"],
    )
    async def events(job_id: str, request: Request) -> Response:
        """Send events `state` and `progress`, with ids; `Last-Event-ID` continues after one."""
        owner = caller_of(request).id
        await jobs.get(job_id, owner)  # a problem document where there is none
        after = _last_event(request)
        jobs.refuse_reader()

        async def lines() -> AsyncIterator[ServerSentEvent]:
            # Deleted meanwhile, or no table: a new connection gets the reason.
            with suppress(ServiceError):
                async with aclosing(jobs.events(job_id, owner, after)) as coming:
                    async for event in coming:
                        yield ServerSentEvent(
                            json.dumps(event.data), event=event.kind, id=str(event.number)
                        )

        return EventSourceResponse(lines(), ping=_PING_S)


def idempotency_key(request: Request) -> str | None:
    """Return the ``Idempotency-Key`` of a request.

    Raises:
        BadParameterError: it is malformed.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not (
        key.isascii() and key.isprintable() and 0 < len(key) <= _LONGEST_KEY
    ):
        raise BadParameterError(
            f"the Idempotency-Key must be 1 to {_LONGEST_KEY} printable ASCII characters",
            field="idempotency-key",
        )
    return key


def _last_event(request: Request) -> int:
    given = request.headers.get("last-event-id", "0")
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise BadParameterError("Last-Event-ID must be a number", field="last-event-id")
    return int(given)


def _digest_of_file(options: JobOptions, path: Path) -> str:
    return digest_of(options.model_dump_json().encode(), bytes.fromhex(sha256_of(path)))


def source_of(service: PoseService, source: JobSource, caller: Caller) -> str | Placed:
    """Return the address of a video, or what moves its upload into place."""
    if source.video_url is not None:
        return source.video_url

    return partial(service.uploads.taking, source.upload_id or "", caller)


def _moved(path: Path) -> Placed:
    def move(to: Path) -> None:
        with keeping("the video of a job"):
            shutil.move(path, to)

    @asynccontextmanager
    async def place(to: Path) -> AsyncIterator[None]:
        await asyncio.to_thread(move, to)
        yield

    return place
