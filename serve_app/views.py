"""Read a result as numpy arrays and, where pandas is installed, as tables.

    clip = open_result("run.json")
    knee = clip.person().angles["left_knee"]
    print(clip.times_s[knee.value.argmax()], knee.interval[knee.value.argmax()])
    table = clip.frames.to_frame()

It needs the packages of the extras `client` and `biomech`: neither torch nor Ray.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from biomech.data_frames import to_pandas
from biomech.kinematics.geometry import Array
from biomech.records.frame_fields import FIELDS
from biomech.records.person_record import PersonSummary
from biomech.skeleton import KEYPOINTS
from serve_app.export.saved_clip import SavedPerson, SavedResult, load_result, read_result
from serve_app.export.tidy import COLUMNS
from serve_app.export.variables import Variable, absence, cells_of, in_all_frames, variables
from serve_app.results.response_schema import PoseResponse
from serve_app.results.saved_result import read_summary

if TYPE_CHECKING:
    import pandas as pd

Reasons = NDArray[np.object_]
"""(f,) why a value is missing, None where it is known."""

_BOX: Final = ("box_x1", "box_y1", "box_x2", "box_y2")


class Columns(dict[str, NDArray[Any]]):
    """A table as arrays (rows,) by column, which ``pandas.DataFrame`` takes as it is."""

    def to_frame(self) -> "pd.DataFrame":
        """Return the table in pandas.

        Raises:
            ImportError: pandas is not installed.
        """
        return to_pandas(self, "the columns, which are arrays")


@dataclass(frozen=True, slots=True)
class Curve:
    """One number of a person over the f frames of a clip.

    Attributes:
        unit: ``deg``, ``score`` (0 to 100), ``1``, ``px``, ``%H`` (per cent of stature) or ``cm``.
        value: (f,) NaN where it is missing. reason: (f,) why, None where it is known.
        sd: (f,) standard deviation, NaN where there is none.
        interval: (f, 2) nominal 95 % interval, NaN where there is none.
    """

    unit: str
    value: Array
    reason: Reasons
    sd: Array
    interval: Array


class PersonView:
    """One person over the f frames of a clip; NaN in the frames that do not show it.

    Attributes:
        person_id: number of the track. primary: whether it is the primary person.
        keypoints: (f, 17, 2) pixels of the upright picture, x right, y down, as measured.
        confidence: (f, 17) from 0 to 1. sigma: (f, 17, 2) standard deviations, pixels.
        box: (f, 4) x1, y1, x2, y2, pixels.
        reason: (f,) why the person is not seen, None where it is.
    """

    def __init__(self, result: SavedResult, person: SavedPerson) -> None:
        self._result, self._person = result, person
        self.person_id, self.primary = person.person_id, person.primary
        self.keypoints, self.confidence, self.sigma, self.box = (
            result.over_frames(person, values)
            for values in (person.xy, person.score, person.sigma, person.box)
        )
        self.reason: Reasons = np.array(absence(result, person), object)

    @cached_property
    def curves(self) -> Mapping[str, Curve]:
        """Angles, scores and levels by name."""
        return {
            variable.name: _curve(in_all_frames(self._result, self._person, variable))
            for variable in variables(self._result, self._person)
            if variable.name not in _POINT_NAMES
        }

    @property
    def angles(self) -> Mapping[str, Curve]:
        """Angles by name, degrees: of joints and alignment, then signed and included ones."""
        return {name: curve for name, curve in self.curves.items() if curve.unit == "deg"}

    @property
    def scores(self) -> Mapping[str, Curve]:
        """Scores of the movement by name."""
        names = FIELDS["movement_analysis"]
        return {name: curve for name, curve in self.curves.items() if name in names}

    @cached_property
    def summary(self) -> PersonSummary:
        """Events, measures and cautions of the clip, as ``biomechanics_summary`` has them.

        Raises:
            BadParameterError: a part of it is not what it should be; says where.
        """
        absent = {"person_id": self.person_id}
        return read_summary(self._result.summaries.get(self.person_id, absent))

    def columns(self) -> Columns:
        """Return the numbers of the frames that :attr:`ResultView.frames` has of this person."""
        rows = np.arange(len(self._result.frame)) if self.primary else self._person.rows
        count = len(rows)
        table = Columns(
            frame=self._result.frame[rows],
            t_s=self._result.times_s[rows],
            person_id=np.full(count, self.person_id),
            primary=np.full(count, self.primary),
            reason=self.reason[rows],
        )
        table |= dict(zip(_BOX, self.box[rows].T, strict=True))
        for i, name in enumerate(KEYPOINTS):
            table[f"{name}_x"], table[f"{name}_y"] = self.keypoints[rows, i].T
            table[f"{name}_confidence"] = self.confidence[rows, i]
            table[f"{name}_sigma_x"], table[f"{name}_sigma_y"] = self.sigma[rows, i].T
        for name, curve in self.curves.items():
            table[name] = curve.value[rows]
            if name in self.angles:
                table[f"{name}_low"], table[f"{name}_high"] = curve.interval[rows].T
        return table


class ResultView:
    """A result of the service in f frames.

    Attributes:
        request_id: of the response. size: (width, height) of the upright picture, pixels.
        frame: (f,) positions in the video, from 0.
        times_s: (f,) seconds of real time: those of the video over ``slowmo_factor``.
        people: the primary person first; empty if nobody was found.
        warnings: (code, detail) of the response.
    """

    def __init__(self, result: SavedResult) -> None:
        self._result = result
        self.request_id, self.size = result.request_id, result.size
        self.frame, self.times_s = result.frame, result.times_s
        self.people = tuple(PersonView(result, person) for person in result.people)
        self.warnings = tuple((notice.code, notice.detail) for notice in result.warnings)

    def person(self, person_id: int | None = None) -> PersonView:
        """Return the person of that number, the primary one by default.

        Raises:
            BadParameterError: there is no such person; names those there are.
        """
        chosen = self._result.person(person_id).person_id
        return next(person for person in self.people if person.person_id == chosen)

    @property
    def frames(self) -> Columns:
        """Wide table: a row a frame and person; the primary person has rows in all frames.

        Where nobody was found it has the time and the reason of each frame alone.
        """
        if not self.people:
            reason = np.array(self._result.reason, object)
            return Columns(frame=self.frame, t_s=self.times_s, reason=reason)
        return _stacked([person.columns() for person in self.people])

    @property
    def tidy(self) -> Columns:
        """Long table: a row a person, frame and variable, by the columns of the CSV export."""
        result, parts = self._result, []
        for person in result.people:
            for variable in variables(result, person):
                cells = cells_of(result, person, variable, result.request_id)
                nothing = np.full(len(cells["frame"]), np.nan)
                parts.append(
                    Columns(
                        {
                            name: np.array(cell, object)
                            if isinstance(cell, list)
                            else (nothing if cell is None else cell)
                            for name, cell in cells.items()
                        }
                    )
                )
        return _stacked(parts) or Columns(dict.fromkeys(COLUMNS, np.empty(0, object)))

    @property
    def repetitions(self) -> Columns:
        """A row a repetition; none of steps, which :attr:`events` and :attr:`measures` have.

        ``peak_`` and ``rom_`` of each joint are the largest flexion and the range, degrees.
        """
        return _table(
            _REPETITION,
            (
                {
                    "person_id": person.person_id,
                    "driver": person.summary.driver,
                    **{name: getattr(rep, name) for name in _REPETITION if hasattr(rep, name)},
                    **{f"peak_{joint}": value for joint, value in rep.peak_deg.items()},
                    **{f"rom_{joint}": value for joint, value in rep.rom_deg.items()},
                }
                for person in self.people
                for rep in person.summary.reps
            ),
        )

    @property
    def events(self) -> Columns:
        """A row a contact or toe-off of a foot of a person who walks or runs."""
        return _table(
            _EVENT,
            (
                {
                    "person_id": person.person_id,
                    **{name: getattr(event, name) for name in _EVENT if hasattr(event, name)},
                }
                for person in self.people
                if person.summary.gait is not None
                for event in person.summary.gait.events
            ),
        )

    @property
    def measures(self) -> Columns:
        """A row a measure and repetition, stride, jump or landing, with its unit."""
        return _table(
            _MEASURE,
            (
                {
                    "person_id": person.person_id,
                    "metric": measure.metric,
                    "side": measure.side,
                    "unit": measure.unit,
                    "t_s": t_s,
                    "value": value,
                    "sigma": measure.sigma[i] if measure.sigma else None,
                }
                for person in self.people
                for measure in person.summary.measures
                for i, (t_s, value) in enumerate(zip(measure.t_s, measure.values, strict=False))
            ),
        )

    @property
    def summary(self) -> Columns:
        """A row a person: view, size, counts of events, scores, and the range of each joint.

        A score or joint without a value has its reason in ``NAME_reason``.
        """
        return _table(_CLIP, (_of_the_clip(person) for person in self.people))


def open_result(source: PoseResponse | Mapping[str, Any] | bytes | str | Path) -> ResultView:
    """Read a result: an answer of the client or of a handle, JSON, or the path of a saved file.

    Raises:
        BadParameterError: there is no such file, or it is no result of the service, or has no
            poses; says where.
    """
    if isinstance(source, bytes):
        return ResultView(read_result(source))
    if isinstance(source, PoseResponse):
        return ResultView(read_result(source.model_dump_json().encode()))
    if isinstance(source, Mapping):
        return ResultView(read_result(to_json(source)))
    return ResultView(load_result(Path(source)))


_POINT_NAMES: Final = frozenset(
    f"{name}_{part}" for name in KEYPOINTS for part in ("x", "y", "confidence")
)
_REPETITION: Final = {
    "person_id": int,
    "number": int,
    **dict.fromkeys(("t_start_s", "t_peak_s", "t_end_s", "duration_s"), float),
    **dict.fromkeys(("depth", "depth_share"), float),
    "depth_class": str,
    "driver": str,
}
_DTYPES: Final = {int: np.int64, float: np.float64, bool: np.bool_, str: np.object_}
_EVENT: Final = {"person_id": int, "kind": str, "side": str, "t_s": float, "frame": int}
_MEASURE: Final = {
    "person_id": int,
    **dict.fromkeys(("metric", "side", "unit"), str),
    **dict.fromkeys(("t_s", "value", "sigma"), float),
}
_CLIP: Final = {
    "person_id": int,
    **dict.fromkeys(("definitions", "reason", "model", "movement", "view", "near_side"), str),
    **dict.fromkeys(("stature_px", "height_m"), float),
    "sigma_calibrated": bool,
    "driver": str,
    "repetitions": int,
    "reps_reason": str,
    "steps": int,
    "cadence_per_min": float,
    "gait_reason": str,
    "jumps": int,
}
"""Columns that are there even without rows, by name, with the type of their cells."""


def _of_the_clip(person: PersonView) -> dict[str, Any]:
    summary = person.summary
    row = {name: getattr(summary, name) for name in _CLIP if hasattr(summary, name)}
    row["repetitions"], row["jumps"] = len(summary.reps), len(summary.jumps)
    row["steps"] = summary.gait.steps if summary.gait else 0
    row["cadence_per_min"] = summary.gait.cadence_per_min if summary.gait else None
    for name, score in summary.scores.items():
        row |= {name: score.value, f"{name}_reason": score.reason}
    for name, joint in summary.joints.items():
        row |= {f"{name}_{part}": getattr(joint, part) for part in ("min", "max", "rom", "reason")}
    return row


def _curve(variable: Variable) -> Curve:
    count = len(variable.value)
    nothing = np.full((count, 2), np.nan)
    return Curve(
        unit=variable.unit,
        value=variable.value,
        reason=np.array(variable.reason, object),
        sd=nothing[:, 0] if variable.sd is None else variable.sd,
        interval=nothing if variable.interval is None else variable.interval,
    )


def _table(kinds: Mapping[str, type], rows: Iterator[dict[str, Any]]) -> Columns:
    """Return rows of cells by column; others than those of ``kinds`` are numbers or reasons."""
    listed = list(rows)
    names = dict.fromkeys((*kinds, *(name for row in listed for name in row)))
    return Columns(
        {
            name: np.array(
                [row.get(name) for row in listed],
                _DTYPES[kinds.get(name, str if name.endswith("_reason") else float)],
            )
            for name in names
        }
    )


def _stacked(tables: list[Columns]) -> Columns:
    """Return tables one below the other; a column that one lacks is NaN there."""
    names = dict.fromkeys(name for table in tables for name in table)
    missing = [np.full(len(next(iter(table.values()))), np.nan) for table in tables]
    return Columns(
        {
            name: np.concatenate(
                [table.get(name, nan) for table, nan in zip(tables, missing, strict=True)]
            )
            for name in names
        }
    )
