"""Routes of the pages at `/` and `/docs`: their files, and the sentences of a result."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic_core import from_json

from serve_app.http.compression import VARY
from serve_app.http.conditional import tag_of, unless_known
from serve_app.http.requests import caller_of
from serve_app.jobs.jobs import Jobs
from serve_app.jobs.result_file import read_head
from serve_app.report import tables
from serve_app.report.caution_sentences import listed, warnings
from serve_app.results.saved_result import read_summary
from serve_app.web import (
    DOCS_FILES,
    FOLDER,
    MEDIA_TYPES,
    PAGE_FILES,
    SWAGGER,
    SWAGGER_FILES,
)


def add_page(app: FastAPI) -> None:
    """Add a route for each file of the page to ``app``."""
    for path, name in PAGE_FILES.items():
        _add_file(app, path, FOLDER / name)


def add_docs(app: FastAPI) -> None:
    """Add a route for each file of the page of the description, with Swagger UI, to ``app``."""
    for path, name in DOCS_FILES.items():
        _add_file(app, path, FOLDER / name)
    for path, name in SWAGGER_FILES.items():
        _add_file(app, path, files(SWAGGER) / "static" / name)


def _add_file(app: FastAPI, path: str, file: Traversable) -> None:
    content = file.read_bytes()
    headers = {"ETag": tag_of(content), "Vary": VARY, "Cache-Control": "no-cache"}

    async def send(request: Request) -> Response:
        """Return the file, or 304 where the browser has it."""
        answer = Response(content, media_type=MEDIA_TYPES[Path(file.name).suffix], headers=headers)
        return unless_known(request, answer)

    app.add_api_route(path, send, methods=["GET", "HEAD"], include_in_schema=False)


def add_sentences(app: FastAPI, jobs: Jobs) -> None:
    """Add the route of the sentences of a result, as those of the printed report, to ``app``."""

    @app.get("/jobs/{job_id}/sentences", include_in_schema=False)
    async def sentences(job_id: str, request: Request) -> Response:
        """Return cautions and findings of each person in plain words."""
        record = await jobs.finished(job_id, caller_of(request).id)
        return JSONResponse(await jobs.read_result(record, _sentences))


def _sentences(folder: Path) -> dict[str, Any]:
    result = from_json(read_head(folder))
    notices = [notice["detail"] for notice in result.get("warnings") or ()]
    given = (result.get("data") or {}).get("biomechanics_summary") or ()
    summaries = [read_summary(summary) for summary in given]
    return {
        "people": [
            {
                "person_id": summary.person_id,
                "cautions": listed(warnings(notices, summary, calibrated=summary.sigma_calibrated)),
                "findings": listed(tables.findings(summary)),
                "judged": list(tables.judged(summary)),
            }
            for summary in summaries
        ]
    }
