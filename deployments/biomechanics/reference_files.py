"""Read a reference for technique from a CSV table of joint angles over time."""

import csv
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from biomech.applications.technique_reference import MAX_GAP_S, SIGNED, SIZES, reference_of
from biomech.kinematics.geometry import Array
from deployments.errors import ConfigurationError

MOST_BYTES: Final = 64 << 20

_NAMES: Final = frozenset((*SIZES, *SIGNED))
_TIDY: Final = frozenset(("t_s", "variable", "side", "value"))
_HINT: Final = "docs/biomechanics/technique.md has the layout."
_SHOWN: Final = 60
_LARGEST: Final = 1e12
"""Largest number in a table; seconds since 1970 are far below."""

_Table = tuple[Array, dict[str, Array]]
_Lines = Iterator[tuple[int, dict[str, str]]]
"""Number of each line of the file, and its cells by column."""


def read_reference(path: Path) -> dict[str, Any]:
    """Read the reference from a wide or tidy file; see docs/biomechanics/technique.md.

    Raises:
        ConfigurationError: the file cannot be read or is too large, lacks a column, or has a wrong
            number or angle; its times do not ascend or are too far apart; or it has no repetition.
            The error gives the place.
    """
    try:
        _check_size(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return reference_in(file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no reference: {error}", hint=_HINT) from error


def reference_in(lines: Iterable[str]) -> dict[str, Any]:
    """Read the reference from the lines of a table.

    Raises:
        ValueError: see :func:`read_reference`.
    """
    try:
        times_s, angles_deg = _table(lines)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    _check_times(times_s)
    _check_angles(times_s, angles_deg)
    return reference_of(times_s, angles_deg)


def _check_size(path: Path) -> None:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES >> 20} MiB")


def _table(file: Iterable[str]) -> _Table:
    """Read times (f,), and angles (f,) by name, NaN where a cell is empty."""
    reader = csv.reader(file)
    header = [name.strip() for name in next(reader, [])]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"it has several columns {twice[0]}")
    lines = _lines(reader, header)
    if set(header) >= _TIDY:
        return _tidy(lines)
    if "time_s" not in header:
        raise ValueError(f"it has no column time_s; its first line is {_short(','.join(header))}")
    return _wide(lines, [name for name in header if name in _NAMES])


def _lines(reader: Any, header: list[str]) -> _Lines:
    for cells in reader:
        if cells and len(cells) != len(header):
            raise ValueError(
                f"line {reader.line_num} has {len(cells)} cells, the first one {len(header)}"
            )
        if cells:
            yield reader.line_num, dict(zip(header, cells, strict=True))


def _wide(lines: _Lines, names: list[str]) -> _Table:
    """Read a wide table, one column an angle; `analyze --csv`: rows of the primary person."""
    if not names:
        raise ValueError(f"it has no joint angle: a column is called {SIZES[0]} or {SIGNED[0]}")
    rows = [
        [_number(row[name], line, name) for name in ("time_s", *names)]
        for line, row in lines
        if row.get("primary", "1") == "1"
    ]
    columns = np.array(rows, np.float64).reshape(-1, len(names) + 1).T
    return columns[0], dict(zip(names, columns[1:], strict=True))


def _tidy(lines: _Lines) -> _Table:
    """Read a tidy table, one row per angle and frame; of several people the first is used."""
    run = person = None
    series: dict[str, list[tuple[float, float]]] = {}
    for line, row in lines:
        if run is None:
            run, person = row.get("run_id", ""), row.get("person_id", "")
        if row.get("run_id", "") != run:
            raise ValueError(f"line {line}: there is more than one recording (run_id)")
        name = f"{row['side']}_{row['variable']}" if row["side"] else row["variable"]
        if name in _NAMES and row.get("person_id", "") == person:
            pair = _number(row["t_s"], line, "t_s"), _number(row["value"], line, "value")
            series.setdefault(name, []).append(pair)
    if not series:
        raise ValueError("it has no joint angle: no variable is knee or knee_flexion, or another")
    columns = {name: np.array(pairs).T for name, pairs in series.items()}
    first, (times_s, _) = next(iter(columns.items()))
    for name, (times, _) in columns.items():
        if not np.array_equal(times, times_s):
            raise ValueError(f"{name} is not told at the same times as {first}")
    return times_s, {name: values for name, (_, values) in columns.items()}


def _number(text: str, line: int, name: str) -> float:
    """Parse a number, NaN for an empty cell."""
    try:
        number = float(text) if text.strip() else math.nan
    except ValueError:
        number = math.inf
    if abs(number) > _LARGEST:
        raise ValueError(f"line {line}, {name}: {_short(text)} is no number of seconds or degrees")
    return number


def _check_times(times_s: Array) -> None:
    if not len(times_s):
        raise ValueError("it has no rows")
    if not np.isfinite(times_s).all():
        raise ValueError("a row has no time")
    steps = np.diff(times_s)
    wrong = np.flatnonzero((steps <= 0) | (steps > MAX_GAP_S + 1e-6))
    if len(wrong):
        before, after = times_s[wrong[0] : wrong[0] + 2].tolist()
        raise ValueError(
            f"times must ascend, {after:g} s comes after {before:g} s"
            if after <= before
            else f"times must be at most {MAX_GAP_S:g} s apart, {after:g} s comes after {before:g}"
            " s; they are seconds"
        )


def _check_angles(times_s: Array, angles_deg: dict[str, Array]) -> None:
    for name, values in angles_deg.items():
        low, high = (0.0, 180.0) if name in SIZES else (-360.0, 360.0)
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            value, at = values[wrong[0]], times_s[wrong[0]]
            raise ValueError(
                f"{name} is {value:g} at {at:g} s, must be {low:g} to {high:g} degrees"
            )


def _short(text: str) -> str:
    return repr(text[:_SHOWN])
