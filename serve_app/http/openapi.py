"""The description of the interface at `/openapi.json`: whole, with named components."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from biomech.records.values import COMPONENT
from deployments.errors import (
    DeadlineExceededError,
    HeaderNotAllowedError,
    NotAcceptableError,
    NotReadyError,
    OverloadedError,
    QuotaExceededError,
    RateLimitedError,
    ServiceError,
    StageFailedError,
    UnauthorizedError,
)
from serve_app.http.compression import VARY
from serve_app.http.conditional import tag_of, unless_known
from serve_app.http.guard import describe_access
from serve_app.http.problems import CONTENT_TYPE
from serve_app.results.response_schema import Problem

Responses = dict[int | str, dict[str, Any]]

# Of a real video, cut down to one frame.
_EXAMPLE: Final = json.loads(
    Path(__file__).with_name("pose_response.example.json").read_text("utf-8")
)
_ANYWHERE: Final = (
    HeaderNotAllowedError,
    NotAcceptableError,
    UnauthorizedError,
    RateLimitedError,
    QuotaExceededError,
    OverloadedError,
    NotReadyError,
    StageFailedError,
    DeadlineExceededError,
)
"""Errors of any route: some of them are answers of the entrance in the application's place."""

_HEADERS: Final = {
    "X-Request-ID": {
        "description": "Id of the request: the caller's own, or a new one.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again, where they can be estimated.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "ETag": {
        "description": "Version of the answer, for `If-None-Match`.",
        "schema": {"type": "string"},
    },
}
_RETRIED: Final = frozenset(("429", "502", "503"))
_TAGS: Final = {
    "analysis": "A video in; poses, biomechanics and an annotated video out.",
    "jobs": "Work that waits its turn, and survives a restart.",
    "uploads": "Videos in parts, which resume where they broke off.",
    "exports": "Results as files of other programs.",
    "videos": "Annotated videos.",
    "health": "What is loaded, and whether requests can be answered.",
}


def header(name: str) -> dict[str, Any]:
    """Return ``headers`` of a response in which the component ``name`` is one."""
    return {name: {"$ref": f"#/components/headers/{name}"}}


def file_answers(*media_types: str) -> Responses:
    """Return ``responses=`` of a route that sends a file: whole, ranges of it, or 304."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    return {
        200: {"description": "The file.", "content": content, "headers": header("ETag")},
        206: {"description": "Ranges of it.", "content": content, "headers": header("ETag")},
        304: {"description": "The caller has it already.", "headers": header("ETag")},
    }


def problems_of(*kinds: type[ServiceError], also: Mapping[int, str] | None = None) -> Responses:
    """Return ``responses=`` of a route that raises errors of ``kinds`` or of classes below them.

    Errors that any route can have are among them.

    Args:
        also: descriptions by status of problems that are not of the tree, such as 404.
    """
    found: dict[int, dict[str, str]] = {}
    everywhere: tuple[type[ServiceError], ...] = (*_ANYWHERE, ServiceError)
    for kind in (*everywhere, *_tree(kinds)):
        found.setdefault(kind.status, {})[kind.code] = f"{kind.title} (`{kind.code}`)"
    for status, text in (also or {}).items():
        found.setdefault(status, {})[f"http_{status}"] = text
    return {
        status: {
            "description": "; ".join(texts.values()) + ".",
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, texts in sorted(found.items())
    }


def _tree(kinds: Iterable[type[ServiceError]]) -> Iterator[type[ServiceError]]:
    for kind in kinds:
        yield kind
        yield from _tree(kind.__subclasses__())


class DescribedApp(FastAPI):
    """An application whose description is whole, and is not sent again to who has it."""

    def __init__(self, **options: Any) -> None:
        self._written: dict[str, bytes] = {}
        super().__init__(
            openapi_url="/openapi.json",
            docs_url=None,  # FastAPI's pages load scripts of a CDN
            redoc_url=None,
            openapi_tags=[{"name": n, "description": text} for n, text in _TAGS.items()],
            # Names of functions: they stay when a path changes.
            generate_unique_id_function=lambda route: route.name,
            **options,
        )

    def setup(self) -> None:
        """Add the routes of the description; the first one of a path answers."""
        self.add_route("/openapi.json", self._document, include_in_schema=False)
        super().setup()

    async def _document(self, request: Request) -> Response:
        root = request.scope.get("root_path", "").rstrip("/")  # of the server's configuration
        if root not in self._written:
            servers = {"servers": [{"url": root}]} if root else {}
            self._written[root] = bytes(JSONResponse(self.openapi() | servers).body)
        content = self._written[root]
        headers = {"ETag": tag_of(content), "Vary": VARY, "Cache-Control": "no-cache"}
        answer = Response(content, media_type="application/json", headers=headers)
        return unless_known(request, answer)

    def openapi(self) -> dict[str, Any]:
        """Return the description."""
        if self.openapi_schema is None:
            _complete(super().openapi())
        return super().openapi()


def _complete(document: dict[str, Any]) -> None:
    """Add components and headers to a description, and nulls, which FastAPI drops from examples."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    components["headers"] = _HEADERS
    _hoist(document["paths"], schemas)
    _name(schemas, schemas)
    describe_access(document)
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's; ours are problems
        schemas.pop(name, None)
    unprocessable = problems_of(also={422: "Bad parameter (`bad_parameter`)"})[422]
    for path, operation in ((p, op) for p, ops in document["paths"].items() for op in ops.values()):
        operation.setdefault("tags", [path.split("/")[1]])
        responses = operation["responses"]
        for status, problem in problems_of().items():
            responses.setdefault(str(status), problem)
        if "HTTPValidationError" in str(responses.get("422")):
            responses["422"] = unprocessable
        for status, response in responses.items():
            headers = response.setdefault("headers", {})
            headers |= header("X-Request-ID")
            headers |= header("Retry-After") if status in _RETRIED else {}
    pose = document["paths"].get("/pose")
    if pose is not None:
        pose["post"]["responses"]["200"]["content"]["application/json"]["example"] = _EXAMPLE


def _name(node: Any, schemas: dict[str, Any]) -> None:
    """Move schemas that have a component's name to the components, and refer to them."""
    for inner in list(node.values() if isinstance(node, dict) else node):
        if not isinstance(inner, dict | list):
            continue
        _name(inner, schemas)
        if isinstance(inner, dict) and (name := inner.pop(COMPONENT, None)):
            about = {"description": inner.pop("description")} if "description" in inner else {}
            inner.pop("title", None)
            schemas[name] = dict(inner, title=name)
            inner.clear()
            inner |= {"$ref": f"#/components/schemas/{name}", **about}


def _hoist(part: Any, schemas: dict[str, Any]) -> None:
    """Move definitions of schemas in place, such as those of bodies, to the components."""
    if isinstance(part, list):
        for item in part:
            _hoist(item, schemas)
    elif isinstance(part, dict):
        for name, schema in part.pop("$defs", {}).items():
            _hoist(schema, schemas)
            schemas.setdefault(name, schema)
        for name, item in part.items():  # also the mapping of a discriminator
            if isinstance(item, str) and item.startswith("#/$defs/"):
                part[name] = item.replace("#/$defs/", "#/components/schemas/")
            _hoist(item, schemas)
