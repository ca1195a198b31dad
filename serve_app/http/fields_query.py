"""Parse the query parameter ``fields``, which chooses parts of a response."""

from typing import Any, Final, TypeVar

from fastapi import Request

from serve_app.results.response_schema import PoseOptions, selection_of

Options = TypeVar("Options", bound=PoseOptions)

_SCHEMA: Final = PoseOptions.model_json_schema()["properties"]["fields"]

FIELDS_PARAMETER: Final[dict[str, Any]] = {
    "name": "fields",
    "in": "query",
    "required": False,
    "description": _SCHEMA["description"],
    "schema": {"type": "string"},
    "example": _SCHEMA["examples"][0],
}
"""Description of the parameter for `openapi_extra` of a route that has it."""


def fields_of(request: Request) -> str | None:
    """Return the paths in the query, None without any.

    Raises:
        BadParameterError: the response has no such part.
    """
    given = request.query_params.getlist("fields")
    fields = ",".join(given) if given else None
    selection_of(fields)
    return fields


def with_fields(options: Options, fields: str | None) -> Options:
    """Return ``options`` with the paths of the query, which win over those of the body."""
    return options if fields is None else options.model_copy(update={"fields": fields})
