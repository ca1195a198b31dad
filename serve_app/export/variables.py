"""List the variables of a person in a saved result, with units, deviations and null reasons."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from biomech.kinematics.geometry import Array
from biomech.kinematics.joint_angles import Z95
from biomech.records.frame_fields import FIELDS
from biomech.skeleton import KEYPOINTS, split_side
from serve_app.export.angle_intervals import Spread, spreads_of
from serve_app.export.saved_clip import SavedPerson, SavedResult

Stage = Literal["raw", "smoothed"]

NO_POINT: Final = "no_point"
NOT_SHOWN: Final = "view_mismatch"
"""Why a signed angle of the other plane has no value: the response leaves it out."""

NOT_SEEN: Final = "not_visible"
"""Why there is nothing of a person who is not the primary one in a frame."""

_OF_THE_PRIMARY: Final = "primary_not_visible"

_UNITS: Final = {
    **dict.fromkeys(FIELDS["joint_angles"] + FIELDS["body_alignment"], "deg"),
    **dict.fromkeys(FIELDS["movement_analysis"], "score"),
    "symmetry_index": "1",
}
_LEVEL_UNITS: Final = {"px": "px", "pct_stature": "%H", "cm": "cm"}


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of one person in the n frames that show it; ``name`` may begin with a side."""

    name: str
    unit: str
    stage: Stage
    value: Array
    reason: list[str | None]
    sd: Array | None = None
    interval: Array | None = None


def variables(result: SavedResult, person: SavedPerson) -> Iterator[Variable]:
    """Yield the keypoints, then every number of the response, in the frames of ``person``."""
    yield from _point_variables(person)
    spreads = spreads_of(result, person)
    for name, value in person.values.items():
        stage: Stage = "raw" if name == "pose_quality" else "smoothed"
        reason = _reasons(person, name, value)
        told = person.ci95.get(name)
        bare = None if told is None else Spread(np.full(len(value), np.nan), told)
        yield _angle(name, _UNITS.get(name, "1"), value, reason, spreads.get(name, bare), stage)
    for name, value in person.signed.items():
        reason = _reasons(person, name, value, NOT_SHOWN)
        yield _angle(name, "deg", value, reason, spreads.get(name))
    for name, value in person.included.items():
        yield _angle(name, "deg", value, _reasons(person, name, value), spreads.get(name))
    for (part, unit), value in person.levels.items():
        reason = _reasons(person, f"{part}_level_difference", value)
        yield _angle(f"{part}_level_{unit}", _LEVEL_UNITS.get(unit, "1"), value, reason)


def _angle(
    name: str,
    unit: str,
    value: Array,
    reason: list[str | None],
    spread: Spread | None = None,
    stage: Stage = "smoothed",
) -> Variable:
    if spread is None:
        return Variable(name, unit, stage, value, reason)
    return Variable(name, unit, stage, value, reason, spread.sd, spread.interval)


def _point_variables(person: SavedPerson) -> Iterator[Variable]:
    for i, keypoint in enumerate(KEYPOINTS):
        for axis, letter in enumerate("xy"):
            value, sd = person.xy[:, i, axis], person.sigma[:, i, axis]
            reason = [None if known else NO_POINT for known in np.isfinite(value)]
            yield Variable(
                f"{keypoint}_{letter}", "px", "raw", value, reason, sd, _about(value, sd)
            )
        score = person.score[:, i]
        yield Variable(f"{keypoint}_confidence", "1", "raw", score, [None] * len(score))


def _about(value: Array, sd: Array) -> Array:
    """Return 95 % intervals (n, 2)."""
    ends = np.stack([value - Z95 * sd, value + Z95 * sd], axis=-1)
    return np.asarray(np.round(ends, 3), np.float64)


def _reasons(
    person: SavedPerson, name: str, value: Array, otherwise: str | None = None
) -> list[str | None]:
    return [
        None if known else nulls.get(name, otherwise)
        for known, nulls in zip(np.isfinite(value), person.nulls, strict=True)
    ]


def in_all_frames(result: SavedResult, person: SavedPerson, variable: Variable) -> Variable:
    """Return a variable in the f frames of ``result``, NaN with a reason where nobody is seen."""
    reason = absence(result, person)
    for row, why in zip(person.rows.tolist(), variable.reason, strict=True):
        reason[row] = why
    sd, interval = variable.sd, variable.interval
    return replace(
        variable,
        value=result.over_frames(person, variable.value),
        reason=reason,
        sd=None if sd is None else result.over_frames(person, sd),
        interval=None if interval is None else result.over_frames(person, interval),
    )


def absence(result: SavedResult, person: SavedPerson) -> list[str | None]:
    """Return by frame why ``person`` is not seen, None where it is."""
    if person.primary:
        return list(result.reason)
    reason: list[str | None] = [
        NOT_SEEN if why in (None, _OF_THE_PRIMARY) else why for why in result.reason
    ]
    for row in person.rows.tolist():
        reason[row] = None
    return reason


def cells_of(
    result: SavedResult, person: SavedPerson, variable: Variable, run_id: str
) -> dict[str, Any]:
    """Return the cells of the tidy table's rows of a variable, by column; None is all missing.

    The primary person has rows in all frames, others in those that show them.
    """
    rows = person.rows
    if person.primary:
        variable = in_all_frames(result, person, variable)
        rows = np.arange(len(result.frame))
    count = len(rows)
    side, name = split_side(variable.name)
    low, high = (None, None) if variable.interval is None else variable.interval.T
    return {
        "run_id": [run_id] * count,
        "person_id": np.full(count, person.person_id, np.int32),
        "frame": result.frame[rows],
        "t_s": np.round(result.times_s[rows], 6),
        "variable": [name] * count,
        "side": [side] * count,
        "value": variable.value,
        "unit": [variable.unit] * count,
        "sd": variable.sd,
        "ci_lo": low,
        "ci_hi": high,
        "stage": [variable.stage] * count,
        "null_reason": variable.reason,
    }
