"""`POST /export`: a saved result in, a file out."""

import asyncio
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deployments.errors import BadParameterError
from serve_app.export.files import ExportedFile, ExportOptions, Format, export
from serve_app.export.opensim import Profile
from serve_app.export.saved import read_result
from serve_app.service import PoseService
from serve_app.upload import parse_options, read_json

_JSON = "application/json"


class ExportQuery(BaseModel):
    """The query of `POST /export`."""

    model_config = ConfigDict(extra="forbid")

    format: Format = Field(description="See docs/exports.md.")
    person: int | None = Field(
        None, ge=0, description="trc, mot, c3d: the track; default: the primary person."
    )
    height_m: float | None = Field(
        None, ge=0.4, le=2.8, description="trc, c3d: the athlete's height; default: the result's."
    )
    profile: Profile = Field("2d", description="mot: our names, or OpenSim's coordinates.")
    with_hip: bool = Field(False, description="mot of profile opensim: the hips too.")
    run_id: str | None = Field(
        None, description="csv, parquet: written in each row; default: the request id."
    )

    @property
    def options(self) -> ExportOptions:
        """What is asked beside the format."""
        return ExportOptions(**self.model_dump(exclude={"format"}))


def add_export(app: FastAPI, service: PoseService, problems: dict[int | str, Any]) -> None:
    """Add the route to ``app``; ``problems`` are the errors to document."""
    query = ExportQuery.model_json_schema()
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in query["required"],
            "description": schema.get("description", ""),
            "schema": {k: v for k, v in schema.items() if k not in ("description", "title")},
        }
        for name, schema in query["properties"].items()
    ]

    @app.post(
        "/export",
        response_class=Response,
        responses=problems | {200: {"description": "The file.", "content": _CONTENT}},
        summary="A result as a file of another program",
        openapi_extra={
            "parameters": parameters,
            "requestBody": {
                "required": True,
                "description": "A response of `POST /pose`, with its data.",
                "content": {_JSON: {"schema": {"type": "object"}}},
            },
        },
    )
    async def export_result(request: Request) -> Response:
        """The result in the body as CSV, Parquet, OpenSim .trc or .mot, C3D or COCO results."""
        asked: ExportQuery = parse_options(ExportQuery, dict(request.query_params))
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != _JSON:
            raise BadParameterError(f"the content type {kind or '(none)'} is not {_JSON}")
        with service.place():
            body = await read_json(request, service.settings.max_result_bytes)
            made = await asyncio.to_thread(_make, body, asked)
        return Response(
            made.body,
            media_type=made.media_type,
            headers={"Content-Disposition": f'attachment; filename="result{made.suffix}"'},
        )


_CONTENT: dict[str, dict[str, Any]] = {
    kind: {}
    for kind in (
        "text/csv",
        "application/vnd.apache.parquet",
        "text/plain",
        "application/octet-stream",
        "application/json",
    )
}


def _make(body: bytes, asked: ExportQuery) -> ExportedFile:
    return export(read_result(body), asked.format, asked.options)
