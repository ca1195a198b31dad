"""Route of the printable report of a job's result."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, Query, Request, Response

from deployments.errors import BadParameterError, ResultFilesError, TooLargeError
from serve_app.export.saved_clip import read_result
from serve_app.http.job_results import FINISHED, refuse_larger
from serve_app.http.openapi import problems_of
from serve_app.http.requests import owner_of
from serve_app.jobs.jobs import Jobs
from serve_app.jobs.result_file import read_bytes
from serve_app.report.build import report_of, to_html
from serve_app.service import PoseService

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Policy of the page, which has its style and pictures in itself, and no script."""

_HTML: Final = "text/html"


def add_report(app: FastAPI, service: PoseService, jobs: Jobs) -> None:
    """Add the route to ``app``."""

    @app.get(
        "/jobs/{job_id}/report",
        response_class=Response,
        responses=problems_of(BadParameterError, TooLargeError, ResultFilesError, *FINISHED)
        | {200: {"content": {_HTML: {"schema": {"type": "string"}}}}},
        summary="Printable report of a job's result",
        tags=["exports"],
    )
    async def report(
        job_id: str,
        request: Request,
        person: Annotated[int | None, Query(ge=0, description="Default: the primary one.")] = None,
        title: Annotated[str, Query(max_length=200, description="Of the page.")] = "",
    ) -> Response:
        """Return the report as one HTML page without external resources, for one A4 sheet."""
        record = await jobs.finished(job_id, owner_of(request))
        limit = service.settings.max_result_bytes
        refuse_larger(record, limit, f"a report is made of {limit}")
        video = jobs.stored_video(record.id)
        if video is not None and not await asyncio.to_thread(video.is_file):
            video = None

        def page(folder: Path) -> str:
            result = read_result(read_bytes(folder))
            return to_html(report_of(result, title or f"Job {record.id[:8]}", video, person))

        with service.request_slot():
            text = await jobs.read_result(record, page)
        return Response(text, media_type=_HTML, headers={"Content-Security-Policy": _POLICY})
