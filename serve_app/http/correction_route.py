"""Route of corrections by hand: a new job that computes a result again without the networks."""

import asyncio
from typing import Final

from fastapi import FastAPI, Request, Response

from deployments.errors import (
    BadParameterError,
    BodyTimeoutError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    JobNotFinishedError,
    JobNotFoundError,
    PosesGoneError,
    QueueFullError,
    ResultFilesError,
    StorageError,
    TooLargeError,
)
from serve_app.http.job_routes import ACCEPTED, idempotency_key, submitted
from serve_app.http.openapi import problems_of
from serve_app.http.reception import Reception
from serve_app.http.requests import caller_of
from serve_app.http.uploads import JSON, content_type, read_json
from serve_app.jobs.content_key import digest_of
from serve_app.jobs.correction_files import CorrectionSource, ToCorrect
from serve_app.jobs.corrections import recorded
from serve_app.jobs.jobs import Jobs
from serve_app.results.correction_schema import CorrectionRequest
from serve_app.results.job_schema import Job, JobOptions
from serve_app.results.validation import parse_options

_MOST_BYTES: Final = 512 * 1024
"""Largest body: three times that of the most changes."""


def add_corrections(app: FastAPI, jobs: Jobs, reception: Reception) -> None:
    """Add the route to ``app``."""

    @app.post(
        "/jobs/{job_id}/corrections",
        status_code=202,
        response_model=Job,
        responses=problems_of(
            BadParameterError,
            BodyTimeoutError,
            TooLargeError,
            StorageError,
            ResultFilesError,
            IdempotencyKeyReusedError,
            IdempotencyInProgressError,
            QueueFullError,
            JobNotFoundError,
            JobNotFinishedError,
            PosesGoneError,
        )
        | {202: {"headers": ACCEPTED}},
        summary="Correct points and events of a result by hand",
        tags=["jobs"],
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": CorrectionRequest.model_json_schema()}},
            }
        },
    )
    async def correct(job_id: str, request: Request) -> Response:
        """Queue a job that computes the result again from corrected points and events.

        The networks do not run, and the corrected result stays as it is.
        """
        key, caller = idempotency_key(request), caller_of(request)
        origin = await jobs.finished(job_id, caller.id)
        content_type(request, JSON)
        body = await read_json(request, reception, _MOST_BYTES)
        asked: CorrectionRequest = parse_options(CorrectionRequest, body)
        made = await jobs.read_result(origin, recorded, origin.id, asked.changes, caller.id)
        segments = await asyncio.to_thread(jobs.segments_of, origin.id)
        asked_before = {"confidence": made.min_score, **origin.options}
        options: JobOptions = parse_options(JobOptions, asked_before)
        given = ToCorrect(corrections=made.corrections, segments=segments)
        source = CorrectionSource(jobs.files.source(origin.id), given)
        digest = key and digest_of(job_id, asked.model_dump_json().encode())
        idempotency = key and (key, digest)
        return await submitted(
            jobs, caller, options, [source], idempotency, corrected_from=origin.id
        )
