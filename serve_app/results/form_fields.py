"""Read the values of a request's fields, which a form has as text."""

import json
from typing import Any

from pydantic import BaseModel, BeforeValidator, WithJsonSchema


def parsed(value: Any) -> Any:
    """The object that a form has as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("must be a JSON object") from error


def no_truth(value: Any) -> Any:
    """Refuse true and false, which pydantic takes for the numbers 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004  pydantic's
    return value


def whole(value: Any) -> Any:
    """Return the number that a form has as text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


FormObject = BeforeValidator(parsed)


def inline(kind: type[BaseModel]) -> WithJsonSchema:
    """The schema of an optional object, in place: a reference would be to another document."""
    return WithJsonSchema({"anyOf": [kind.model_json_schema(), {"type": "null"}], "default": None})
