"""Export one result as one file: formats, their names and media types."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from biomech.files import FileError, Profile
from biomech.files.opensim import mot, trc
from biomech.files.uniform_timebase import UniformTimebase
from deployments.concurrency import Cancelled, WorkCancelledError, never, while_wanted
from deployments.errors import BadParameterError
from serve_app.export.c3d import c3d
from serve_app.export.coco import coco
from serve_app.export.points import SCALE_DRIFT, markers_of
from serve_app.export.saved_clip import SavedResult
from serve_app.export.tidy import csv, parquet
from serve_app.http.export_query import Format

_RUN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TEXT: Final = "text/plain; charset=utf-8"
_PIECE: Final = 1 << 18
"""Size of the pieces of a file, bytes."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        run_id: of the table's rows; the result's request id by default.
        person: number of the track, for formats of one person; the primary one by default.
        height_m: of the athlete, 0.4 to 2.8; that of the result by default.
        profile, with_hip: of `.mot`, see :func:`biomech.files.opensim.mot`.
        cancelled: asked from time to time whether the file is wanted.
        folder: of working files; by default that of the system.
    """

    run_id: str | None = None
    person: int | None = None
    height_m: float | None = None
    profile: Profile = "2d"
    with_hip: bool = False
    cancelled: Cancelled = never
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file.

    Attributes:
        suffix: of its name, with what its content must be told by (``_px.trc``).
        media_type: for HTTP.
        pieces: the content, made while it is taken, once. notes: what a user of it must know.
    """

    suffix: str
    media_type: str
    pieces: Iterator[bytes]
    notes: tuple[str, ...] = field(default=())


def export(result: SavedResult, kind: Format, options: ExportOptions) -> ExportedFile:
    """Convert ``result`` to a file of ``kind``.

    Raises:
        BadParameterError: the result has not what the format needs; says what.
        WorkCancelledError: ``options.cancelled`` said so, here or while the content is taken.
    """
    if options.cancelled():
        raise WorkCancelledError(kind)
    try:
        return FORMATS[kind](result, options)
    except FileError as error:
        raise BadParameterError(error.args[0], hint=error.hint) from error


def _even(parts: Iterable[bytes], cancelled: Cancelled) -> Iterator[bytes]:
    """Yield ``parts`` in pieces of :data:`_PIECE` bytes; the last may be shorter."""
    waiting = bytearray()
    for part in while_wanted(parts, cancelled):
        waiting += part
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    if waiting:
        yield bytes(waiting)


def _encoded(texts: Iterable[str], cancelled: Cancelled) -> Iterator[bytes]:
    return _even((text.encode() for text in texts), cancelled)


def _table(
    write: Callable[[SavedResult, str, Cancelled], Iterator[bytes]], suffix: str, media_type: str
) -> Callable[[SavedResult, ExportOptions], ExportedFile]:
    def written(result: SavedResult, options: ExportOptions) -> ExportedFile:
        run_id = result.request_id if options.run_id is None else options.run_id
        if not _RUN_ID.fullmatch(run_id):
            raise BadParameterError(
                "run_id must be 1 to 64 letters, digits, dots, underscores and hyphens",
                field="run_id",
            )
        parts = write(result, run_id, options.cancelled)
        return ExportedFile(suffix, media_type, _even(parts, options.cancelled))

    return written


def _trc(result: SavedResult, options: ExportOptions) -> ExportedFile:
    person = result.person(options.person)
    markers = markers_of(result, person, options.height_m)
    if markers.metres:
        x, y = markers.origin_px
        note = f"metres: {markers.scale:.6g} a pixel; the origin is at pixel {x:.1f}, {y:.1f}"
        suffix = f".person{person.person_id}.trc"
    else:
        why = (
            "the apparent size drifts (scale_drift)"
            if SCALE_DRIFT in person.flags
            else "the athlete's height is not known"
        )
        note = f"pixels, y down, not for OpenSim: {why}"
        suffix = f".person{person.person_id}_px.trc"
    lines = _encoded(trc(markers, f"result{suffix}"), options.cancelled)
    return ExportedFile(suffix, _TEXT, lines, (note,))


def _mot(result: SavedResult, options: ExportOptions) -> ExportedFile:
    person = result.person(options.person)
    even, max_gap_s = UniformTimebase.of(result.times_s), result.config(person).max_gap_s
    signed = {name: result.over_frames(person, values) for name, values in person.signed.items()}
    lines = mot(even, signed, max_gap_s, options.profile, options.with_hip)
    return ExportedFile(f".person{person.person_id}.mot", _TEXT, _encoded(lines, options.cancelled))


def _c3d(result: SavedResult, options: ExportOptions) -> ExportedFile:
    person = result.person(options.person)
    body = c3d(markers_of(result, person, options.height_m), options.folder)
    return ExportedFile(
        f".person{person.person_id}.c3d",
        "application/octet-stream",
        _even([body], options.cancelled),
    )


def _coco(result: SavedResult, options: ExportOptions) -> ExportedFile:
    text = _encoded(coco(result), options.cancelled)
    return ExportedFile(".coco.json", "application/json", text)


FORMATS: Final[Mapping[Format, Callable[[SavedResult, ExportOptions], ExportedFile]]] = {
    "csv": _table(csv, ".tidy.csv", "text/csv; charset=utf-8"),
    "parquet": _table(parquet, ".tidy.parquet", "application/vnd.apache.parquet"),
    "trc": _trc,
    "mot": _mot,
    "c3d": _c3d,
    "coco": _coco,
}
