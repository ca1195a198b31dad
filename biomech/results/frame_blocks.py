"""Build the records of one person, one for each frame.

Numbers are rounded to three decimals. The reason of each null field is in ``detail.nulls``.
``detail.signed`` has the angles of the plane that the view shows; those of the other plane are
absent, not null.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from biomech.kinematics.geometry import Array
from biomech.kinematics.joint_angles import Angle
from biomech.kinematics.person_metrics import PersonMetrics
from biomech.reasons import DISABLED, VIEW_MISMATCH, Flags
from biomech.records.frame_fields import FIELDS
from biomech.records.frame_record import (
    FrameBiomechanics,
    FrameDetail,
    NoDetail,
    Quantities,
)
from biomech.records.values import ShoulderReference
from biomech.scores.frame_scores import Score

_DECIMALS = 3
_CM = 100.0
_ASIDE = 0.5
"""Smallest horizontal share of the forward direction for facing right or left, which holds for
trunks up to 60 degrees off the vertical."""

Group = tuple[str, str]
"""Part of the object, and the name of a group of values in it."""

Columns = Mapping[Group, Mapping[str, Any]]
"""Columns (f,) by group and name."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Columns as one array (f, n), read by row."""

    names: tuple[tuple[Group, tuple[str, ...]], ...]
    cells: NDArray[Any]

    @classmethod
    def of(cls, groups: Columns, frames: int, kind: type) -> "_Table":
        columns = [column for named in groups.values() for column in named.values()]
        cells: NDArray[Any] = np.empty((frames, len(columns)), kind)
        for i, column in enumerate(columns):
            cells[:, i] = column
        return cls(tuple((group, tuple(named)) for group, named in groups.items()), cells)

    def row(
        self, frame: int, said: Callable[[Any], Any] = bool
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the cells of a frame, each converted by ``said``, by part, group and name."""
        cells = map(said, self.cells[frame].tolist())
        parts: dict[str, dict[str, dict[str, Any]]] = {}
        for (part, group), names in self.names:
            # The names end first, so that no cell of the next group is consumed.
            parts.setdefault(part, {})[group] = dict(zip(names, cells, strict=False))
        return parts


@dataclass(frozen=True, slots=True, eq=False)
class FrameBlocks(Sequence[FrameBiomechanics | None]):
    """The record of each frame, built on access.

    It is None where the person is absent. A record is eight times as large as its stored columns.
    """

    _present: Flags
    _first: int
    _frames: int
    _numbers: _Table
    _reasons: _Table
    _words: tuple[str, ...]
    _flags: _Table
    _modes: Mapping[str, Mapping[str, str]]
    _reference: ShoulderReference | None

    def __len__(self) -> int:
        return self._frames

    @overload
    def __getitem__(self, index: int) -> FrameBiomechanics | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[FrameBiomechanics | None]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[f] for f in range(self._frames)[index]]
        row = range(self._frames)[index] - self._first
        there = 0 <= row < len(self._present) and self._present[row]
        return self._block(row) if there else None

    def _block(self, row: int) -> FrameBiomechanics:
        numbers = self._numbers.row(row, _or_none)
        fields = numbers["fields"]
        return FrameBiomechanics(**fields, detail=self._detail(row, numbers, fields))

    def _detail(
        self, row: int, numbers: Mapping[str, Any], fields: Mapping[str, Any]
    ) -> FrameDetail:
        words = self._reasons.row(row, self._words.__getitem__)
        flags = self._flags.row(row)
        of_plane, of_field = words["reasons"]["plane"], words["reasons"]["field"]
        angles = {**fields["joint_angles"], **fields["body_alignment"]}
        low, high = numbers["ci95"]["low"], numbers["ci95"]["high"]
        view = numbers["view"]["numbers"]
        marked = {joint: _those(named) for joint, named in flags.get("joint_flags", {}).items()}
        return FrameDetail(
            signed={
                name: value
                for name, value in numbers["detail"]["signed"].items()
                if of_plane[name] != VIEW_MISMATCH
            },
            included=numbers["detail"]["included"],
            levels=numbers.get("levels", {}),
            ci95={
                name: None if low[name] is None else (low[name], high[name])
                for name, value in angles.items()
                if value is not None
            },
            nulls={name: word for name, word in of_field.items() if word}
            | {name: word for name, word in of_plane.items() if word not in ("", VIEW_MISMATCH)},
            components={
                name: {**parts, **self._modes.get(name, {})}
                for name, parts in numbers.get("components", {}).items()
            },
            definitions={name: word for name, word in words["definition"]["of"].items() if word},
            view={
                "class": words["view"]["words"]["class"] or None,
                "yaw_deg": None if view["yaw_deg"] is None else round(view["yaw_deg"]),
                "ratio": view["ratio"],
                "facing": words["view"]["words"]["facing"] or None,
            },
            flags=_those(flags["flags"]["person"]),
            joint_flags={joint: names for joint, names in marked.items() if names},
            sigma_source=words["sigma"]["of"]["source"] or None,
            shoulder_reference=self._reference,
        )


def frame_blocks(
    metrics: PersonMetrics, present: Flags, first: int = 0, frames: int | None = None
) -> FrameBlocks:
    """Build the records of a person's frames.

    Args:
        metrics: of f frames. present: (f,) whether the person is there.
        first: number in the clip of the first of these frames.
        frames: number of frames of the clip; default: only these. The person is absent in others.
    """
    count = len(present)
    words: dict[str, int] = {}

    def coded(column: NDArray[np.str_]) -> list[int]:
        return [words.setdefault(word, len(words)) for word in column.tolist()]

    reasons = {
        group: {name: coded(column) for name, column in named.items()}
        for group, named in _word_columns(metrics).items()
    }
    numbers = _Table.of(_number_columns(metrics), count, np.float64)
    flags: dict[Group, Mapping[str, Flags]] = {("flags", "person"): metrics.flags}
    flags |= {("joint_flags", joint): named for joint, named in metrics.joint_flags.items()}
    balance = metrics.balance
    return FrameBlocks(
        present,
        first,
        count if frames is None else frames,
        # Adding 0.0 turns -0.0 into 0.0.
        replace(numbers, cells=np.round(numbers.cells, _DECIMALS) + 0.0),
        _Table.of(reasons, count, np.uint8),
        tuple(words),
        _Table.of(flags, count, np.bool_),
        {
            "stability_score": {
                "mode": "static" if balance.static else "dynamic",
                "omega0_source": balance.omega0_source,
            }
        },
        shoulder_reference(metrics) if metrics.near_side else None,
    )


def disabled_block() -> FrameBiomechanics:
    """Return the record of a frame with biomechanics disabled: every field null."""
    return _empty({name: DISABLED for names in FIELDS.values() for name in names})


def _empty(nulls: dict[str, str] | None = None) -> FrameBiomechanics:
    blocks: dict[str, Quantities] = {block: dict.fromkeys(names) for block, names in FIELDS.items()}
    return FrameBiomechanics(**blocks, detail=NoDetail(nulls=nulls))


NO_BIOMECHANICS: Final = _empty()
"""The record of a frame in which nobody is seen."""


def _word_columns(metrics: PersonMetrics) -> Mapping[Group, Mapping[str, NDArray[np.str_]]]:
    view = metrics.view
    x, y = view.ahead().T
    aside = np.abs(x) >= _ASIDE
    faced = np.select(
        [aside & (x > 0), aside & (x < 0), y > 0, y < 0, view.to_camera > 0, view.to_camera < 0],
        ["image_right", "image_left", "image_down", "image_up", "camera", "away"],
        "",
    )
    quantities: dict[str, Angle | Score] = {
        **metrics.joint_angles,
        **metrics.body_alignment,
        **metrics.movement,
        **metrics.included,
    }
    return {
        ("reasons", "field"): {name: quantity.reason for name, quantity in quantities.items()},
        ("reasons", "plane"): {name: angle.reason for name, angle in metrics.signed().items()},
        ("view", "words"): {"class": view.kind, "facing": faced},
        ("definition", "of"): {
            name: np.where(score.reason == "", score.definition, "")
            for name, score in metrics.movement.items()
            if score.definition is not None
        },
        ("sigma", "of"): {"source": metrics.sigma_source},
    }


def _number_columns(metrics: PersonMetrics) -> Columns:
    blocks: dict[str, Mapping[str, Angle | Score]] = {
        "joint_angles": metrics.joint_angles,
        "movement_analysis": metrics.movement,
        "body_alignment": metrics.body_alignment,
    }
    columns: dict[Group, Mapping[str, Array]] = {
        ("fields", block): {name: quantity.value for name, quantity in quantities.items()}
        for block, quantities in blocks.items()
    }
    angles = {**metrics.joint_angles, **metrics.body_alignment}
    intervals = {name: _whole(angle.interval()) for name, angle in angles.items()}
    return columns | {
        ("detail", "signed"): {name: angle.value for name, angle in metrics.signed().items()},
        ("detail", "included"): {name: angle.value for name, angle in metrics.included.items()},
        **_level_columns(metrics),
        ("ci95", "low"): {name: ends[:, 0] for name, ends in intervals.items()},
        ("ci95", "high"): {name: ends[:, 1] for name, ends in intervals.items()},
        **_component_columns(metrics),
        ("view", "numbers"): {"yaw_deg": metrics.view.yaw_deg, "ratio": metrics.view.ratio},
    }


def _whole(ends: Array) -> Array:
    """Return the intervals (f, 2) that have both ends, NaN for others."""
    return np.where(np.isfinite(ends).all(-1, keepdims=True), ends, np.nan)


def _level_columns(metrics: PersonMetrics) -> dict[Group, Mapping[str, Array]]:
    """Return the height of the left over the right: pixels, % of stature, centimetres."""
    size = metrics.size
    columns: dict[Group, Mapping[str, Array]] = {}
    for part, angle in metrics.tilts.items():
        px = np.where(np.isfinite(angle.value), metrics.levels_px[part], np.nan)
        share = px / size.stature_px
        metres = {} if size.height_m is None else {"cm": _CM * size.height_m * share}
        columns["levels", part] = {"px": px, "pct_stature": 100.0 * share, **metres}
    return columns


def _component_columns(metrics: PersonMetrics) -> dict[Group, Mapping[str, Array]]:
    more = {"stability_score": {"omega0_rad_s": metrics.balance.omega0}}
    return {
        ("components", name): {
            **score.components,
            "coverage": score.coverage,
            **more.get(name, {}),
        }
        for name, score in metrics.movement.items()
        if score.components
    }


def shoulder_reference(metrics: PersonMetrics) -> ShoulderReference:
    """Return ``ipsilateral`` if one side defines the trunk, else ``trunk``."""
    return "ipsilateral" if metrics.near_side else "trunk"


def _those(flags: Mapping[str, bool]) -> list[str]:
    return [name for name, raised in flags.items() if raised]


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
