"""Read the fields that an athlete is compared to: a reference, an earlier result, norms.

They hold documents, as values or as text, and never the name of a file: a caller could name one of
the server's. Commands and the client read files themselves.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import pydantic_core
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, WithJsonSchema

from biomech.applications.norms_and_limits import Supplied
from biomech.config import DEFINITIONS
from deployments.biomechanics.comparable_results import (
    NormRow,
    SavedMovement,
    SavedSummary,
    checked,
    first,
    saved_summary,
)
from deployments.errors import BadParameterError, DefinitionsDifferError

MOST_NORMS: Final = 500
MOST_TABLE_BYTES: Final = 4 << 20
"""Of a table of angles: repetitions are looked for in every column."""

_RESULT: Final = (
    "a response of this service, of which the first person counts, or one object of its "
    "`data.biomechanics_summary`"
)


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON text.

    Raises:
        ValueError: it is none; says where.
    """
    try:
        return pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"must be JSON: {error}") from error


def _result(value: Any) -> Any:
    """Find the summary in a response, or in one object of it; either may be text."""
    if value is None or isinstance(value, SavedSummary):
        return value
    if isinstance(value, str | bytes):
        value = parse_json(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"must be {_RESULT}")  # noqa: TRY004  pydantic's
    try:
        return saved_summary(value) if "data" in value else checked(SavedSummary, value)
    except ValueError as error:
        raise ValueError(f"this is not a result of the service: {error}") from error


def _reference(value: Any) -> Any:
    """Find the same, or the mean movement of a table of angles."""
    if isinstance(value, str | bytes):
        value = _table(value) if is_table(value) else parse_json(value)
    if isinstance(value, SavedMovement):
        return value
    if isinstance(value, Mapping) and "cuts" in value:
        return checked(SavedMovement, value)
    return _result(value)


def is_table(text: str | bytes) -> bool:
    """Tell a table of angles from a result in JSON."""
    return text.lstrip()[:1] not in ("{", b"{")


def _table(table: str | bytes) -> SavedMovement:
    """Find the mean movement of a table in CSV."""
    from deployments.biomechanics.reference_files import (
        reference_in,
    )  # numpy, which clients may lack

    text = table.encode() if isinstance(table, str) else table
    if len(text) > MOST_TABLE_BYTES:
        raise ValueError(f"a table of angles must not be larger than {MOST_TABLE_BYTES >> 20} MiB")
    lines = io.TextIOWrapper(io.BytesIO(text), "utf-8-sig", newline="")
    return checked(SavedMovement, reference_in(lines))


def _norms(value: Any) -> Any:
    return parse_json(value) if isinstance(value, str | bytes) else value


def _described(*kinds: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [*kinds, {"type": "null"}], "default": None})


_OBJECT: Final = {"type": "object"}
_TEXT: Final = {"type": "string", "contentMediaType": "application/json"}

Reference = Annotated[
    SavedSummary | SavedMovement | None,
    BeforeValidator(_reference),
    _described(_OBJECT, {"type": "string", "contentMediaType": "text/csv"}, _TEXT),
    Field(
        description=f"Whose technique the primary person's is compared to: {_RESULT}; or a table "
        "of angles as CSV. In a form: a file, or text."
    ),
]
EarlierResult = Annotated[
    SavedSummary | None,
    BeforeValidator(_result),
    _described(_OBJECT, _TEXT),
    Field(
        description=f"Earlier result of the same athlete, for progress: {_RESULT}. In a form: a "
        "file, or text."
    ),
]
Norms = Annotated[
    Annotated[list[NormRow], Field(max_length=MOST_NORMS)] | None,
    BeforeValidator(_norms),
    _described(
        {"type": "array", "maxItems": MOST_NORMS, "items": NormRow.model_json_schema()}, _TEXT
    ),
    Field(
        description="Populations that the primary person is compared to. In a form: a file, or "
        "text."
    ),
]

SUPPLIED: Final = ("reference", "before", "norms")
"""The fields."""

_NORMS: Final = TypeAdapter(Norms)


def made(
    reference: SavedSummary | SavedMovement | None,
    before: SavedSummary | None,
    norms: list[NormRow] | None,
) -> Supplied:
    """Convert the fields to what the applications take."""
    return Supplied(
        norms=None if norms is None else tuple(row.made() for row in norms),
        reference=None if reference is None else reference.model_dump(),
        before=None if before is None else before.model_dump(),
    )


def require_our_definitions(supplied: Supplied) -> None:
    """Refuse results whose numbers mean something else than those that this service makes.

    Raises:
        DefinitionsDifferError: names the field and both versions.
    """
    for name, result in (("reference", supplied.reference), ("before", supplied.before)):
        if result is not None and "definitions" in result:  # a table says none
            versions = {name: result["definitions"], "this service": DEFINITIONS}
            require_same_definitions(versions, field=name)


def require_same_definitions(versions: Mapping[str, str], **facts: Any) -> None:
    """Refuse to compare results of different definitions.

    Args:
        versions: of the definitions, by what has them. facts: of the error.

    Raises:
        DefinitionsDifferError: they differ; names them all.
    """
    if len(set(versions.values())) > 1:
        listed = "; ".join(f"{name} has definitions {v or 'none'}" for name, v in versions.items())
        raise DefinitionsDifferError(
            f"{listed}: numbers of different definitions do not compare",
            hint="Analyze the older video again.",
            **facts,
        )


def read_supplied(files: Mapping[str, Path | None]) -> dict[str, Any]:
    """Read the fields from files of the caller's own machine; norms may be YAML.

    Args:
        files: by field; None leaves a field as it is.

    Raises:
        BadParameterError: a file cannot be read, or does not hold what it should; names both.
    """
    found: dict[str, Any] = {}
    for name, path in files.items():
        if path is not None:
            text = read_text(name, path)
            try:
                found[name] = _READERS[name](text)
            except ValueError as error:
                raise BadParameterError(f"{name}: {path}: {error}", field=name) from error
    return found


def read_text(name: str, path: Path) -> bytes:
    """Read the file of a field.

    Raises:
        BadParameterError: it cannot be read; names both.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadParameterError(
            f"{name}: {path}: {error.strerror}", hint="Check the path.", field=name
        ) from error


def _norms_in(text: bytes) -> Any:
    try:
        return _NORMS.validate_python(_rows(text))
    except ValidationError as error:
        raise ValueError(first(error)) from error


def _rows(text: bytes) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        import yaml  # which clients may lack

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"must be YAML or JSON: {error}") from error


_READERS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "reference": _reference,
    "before": _result,
    "norms": _norms_in,
}
