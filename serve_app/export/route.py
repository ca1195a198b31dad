"""`POST /export`: a saved result in, a file out."""

import asyncio
from typing import Any

from fastapi import FastAPI, Request, Response

from serve_app.export.files import ExportedFile, ExportOptions, export
from serve_app.export.query import ExportQuery
from serve_app.export.saved import read_result
from serve_app.reception import Reception
from serve_app.service import PoseService
from serve_app.upload import JSON, content_type, parse_options, read_json


def add_export(
    app: FastAPI, service: PoseService, reception: Reception, problems: dict[int | str, Any]
) -> None:
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
                "content": {JSON: {"schema": {"type": "object"}}},
            },
        },
    )
    async def export_result(request: Request) -> Response:
        """The result in the body as CSV, Parquet, OpenSim .trc or .mot, C3D or COCO results."""
        asked: ExportQuery = parse_options(ExportQuery, dict(request.query_params))
        content_type(request, JSON)
        service.refuse_if_full()
        body = await read_json(request, reception, service.settings.max_result_bytes)
        with service.place():
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
    options = ExportOptions(**asked.model_dump(exclude={"format"}))
    return export(read_result(body), asked.format, options)
