"""Validate requests, and name the fields that are wrong."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from deployments.errors import BadParameterError
from serve_app.results.supplied import parse_json

LONGEST_NAME: Final = 100
_MOST_NAMED: Final = 10
_OF_OUR_VALIDATORS: Final = "Value error, "
"""Begins pydantic's message of a ``ValueError``."""


def parse_options(kind: type[Any], values: Any) -> Any:
    """Validate ``values``, which may be JSON, as a request model.

    Raises:
        BadParameterError: names the fields that are wrong.
    """
    try:
        return kind.model_validate(values_in(values) if isinstance(values, bytes) else values)
    except ValidationError as error:
        raise bad_parameters(error.errors(include_input=False, include_url=False)) from error


def bad_parameters(errors: Sequence[Any]) -> BadParameterError:
    """Return the error that names the fields of pydantic's ``errors``."""
    wrong = [
        {
            "field": _field_of(item["loc"]),
            "message": item["msg"].removeprefix(_OF_OUR_VALIDATORS),
        }
        for item in errors[:_MOST_NAMED]
    ]
    return BadParameterError(
        "; ".join(f"{item['field']}: {item['message']}" for item in wrong), errors=wrong
    )


def values_in(body: bytes) -> Any:
    """Parse a body of JSON.

    Raises:
        BadParameterError: it is none.
    """
    try:
        return parse_json(body)
    except ValueError as error:
        raise BadParameterError(f"body: {error}", field="body") from error


def _field_of(location: Sequence[str | int]) -> str:
    """Cut the name of a field, which a caller may have made up, to a length."""
    return ".".join(map(str, location))[:LONGEST_NAME] or "body"
