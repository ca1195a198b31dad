"""Write the tidy table, one row a person, frame and variable, as CSV or Parquet."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from biomech.config import DEFINITIONS
from biomech.results.person_summary import LIMITS
from biomech.skeleton import KEYPOINTS
from deployments.concurrency import Cancelled, never, while_wanted
from deployments.errors import TooLargeError
from serve_app.export.angle_intervals import frames_around
from serve_app.export.saved_clip import SavedPerson, SavedResult
from serve_app.export.variables import Variable, cells_of, variables
from serve_app.results.saved_result import HINT

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: Final = (
    "run_id",
    "person_id",
    "frame",
    "t_s",
    "variable",
    "side",
    "value",
    "unit",
    "sd",
    "ci_lo",
    "ci_hi",
    "stage",
    "null_reason",
)

_ROWS: Final = 1 << 16
_POINT_VARIABLES: Final = 3 * len(KEYPOINTS)
_ALWAYS: Final = 20_000
"""Rows and frames of people that any document may give; a larger one gives more, by its bytes."""

_ALWAYS_PEOPLE: Final = 20

_LEAST_ROW_BYTES: Final = 5
_LEAST_SPAN_BYTES: Final = 25
_LEAST_PERSON_BYTES: Final = 2500
"""Half of what an analysis writes at the least: nobody in most frames, people in one frame each."""


def csv(result: SavedResult, run_id: str, cancelled: Cancelled = never) -> Iterator[bytes]:
    """Write ``result`` as CSV, by person, variable and frame; an empty cell is missing.

    The primary person has rows in all frames, with the reason where it is not seen; others in those
    that show them. Pieces of the file come as they are made.

    Args:
        result: with any number of people, the primary one first.
        run_id: written in every row.
        cancelled: asked before each variable.

    Raises:
        TooLargeError: the table would be out of proportion to the document.
        WorkCancelledError: ``cancelled`` said so.
    """
    from pyarrow.csv import CSVWriter, WriteOptions

    options = WriteOptions(quoting_style="needed")
    _check_size(result)
    return _pieces(
        lambda sink: CSVWriter(sink, _schema(), write_options=options),
        _parts(result, run_id, cancelled),
    )


def parquet(result: SavedResult, run_id: str, cancelled: Cancelled = never) -> Iterator[bytes]:
    """Write the same rows as Parquet; the schema's metadata has the definitions and the limits."""
    from pyarrow.parquet import ParquetWriter

    _check_size(result)
    return _pieces(lambda sink: ParquetWriter(sink, _schema()), _parts(result, run_id, cancelled))


class _Taken(BytesIO):
    """Buffer what a writer writes until it is taken; ``tell`` counts all bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._before = 0

    def tell(self) -> int:
        return self._before + super().tell()

    def take(self) -> bytes:
        piece = self.getvalue()
        self._before += len(piece)
        self.seek(0)
        self.truncate()
        return piece


def _pieces(writer: "Callable[[BytesIO], Any]", parts: "Iterator[pa.Table]") -> Iterator[bytes]:
    """Yield what ``writer`` writes after each of ``parts``."""
    sink = _Taken()
    with writer(sink) as opened:
        for part in parts:
            opened.write_table(part)
            yield sink.take()
    yield sink.take()


def _parts(result: SavedResult, run_id: str, cancelled: Cancelled) -> "Iterator[pa.Table]":
    """Yield the rows in tables of some 64,000 each: an hour of video has millions."""
    import pyarrow as pa

    waiting, count, schema = [], 0, _schema()
    for person in while_wanted(result.people, cancelled):
        for variable in while_wanted(variables(result, person), cancelled):
            rows = _rows(result, person, variable, run_id, schema)
            waiting.append(rows)
            count += len(rows)
            if count >= _ROWS:
                yield pa.concat_tables(waiting)
                waiting, count = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _check_size(result: SavedResult) -> None:
    """Refuse a document that is small for what would be made of it: nobody's analysis wrote it."""
    rows = 0
    for person in result.people:
        variables = person.values, person.signed, person.included, person.levels
        count = _POINT_VARIABLES + sum(len(names) for names in variables)
        rows += count * len(result.frame if person.primary else person.rows)
    spans = sum(len(frames_around(result, person)) for person in result.people)
    for quantity, value, always, size in (
        ("people", len(result.people), _ALWAYS_PEOPLE, _LEAST_PERSON_BYTES),
        ("rows", rows, _ALWAYS, _LEAST_ROW_BYTES),
        ("frames of people", spans, _ALWAYS, _LEAST_SPAN_BYTES),
    ):
        limit = always + result.size_bytes // size
        if value > limit:
            raise TooLargeError(
                f"the result has {result.size_bytes} bytes, too few for {value} {quantity}",
                hint=HINT,
                quantity=quantity,
                value=value,
                limit=limit,
            )


def _schema() -> "pa.Schema":
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = {
        **dict.fromkeys(COLUMNS, pa.string()),
        **dict.fromkeys(("person_id", "frame"), pa.int32()),
        **dict.fromkeys(("t_s", "value", "sd", "ci_lo", "ci_hi"), pa.float64()),
    }
    metadata = {"definitions": DEFINITIONS, "limits": json.dumps(LIMITS)}
    return pa.schema([(name, kinds[name]) for name in COLUMNS], metadata)


def _rows(
    result: SavedResult, person: SavedPerson, variable: Variable, run_id: str, schema: "pa.Schema"
) -> "pa.Table":
    import pyarrow as pa

    columns = cells_of(result, person, variable, run_id)
    count = len(columns["frame"])
    arrays = [
        pa.nulls(count, field.type)
        if columns[field.name] is None
        else pa.array(columns[field.name], field.type, from_pandas=True)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
