"""The response's ``biomechanics`` objects of one person, one a frame.

Numbers are rounded to three decimals. A null of the response's fields has its reason in
``detail.nulls``. ``detail.signed`` holds the angles of the plane that the view shows; those of the
other plane are absent rather than null.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biomech.angles import Angle
from biomech.geometry import Array
from biomech.metrics import PersonMetrics
from biomech.reasons import DISABLED, VIEW_MISMATCH, Flags
from biomech.scores import Score
from biomech.skeleton import JOINT_ANGLES

FIELDS: dict[str, tuple[str, ...]] = {
    "joint_angles": JOINT_ANGLES,
    "movement_analysis": (
        "pose_quality",
        "stability_score",
        "symmetry_index",
        "athletic_readiness",
    ),
    "body_alignment": ("spine_angle", "hip_level_difference", "shoulder_level_difference"),
}
"""Fields of the response by block."""

_DECIMALS = 3
_CM = 100.0

Column = list[Any]


def frame_blocks(metrics: PersonMetrics, present: Flags) -> list[dict[str, Any] | None]:
    """One JSON-ready object a frame; None where the person is not ``present`` (f,)."""
    blocks: dict[str, Mapping[str, Angle | Score]] = {
        "joint_angles": metrics.joint_angles,
        "movement_analysis": metrics.movement,
        "body_alignment": metrics.body_alignment,
    }
    values = {
        block: {name: _numbers(quantity.value) for name, quantity in quantities.items()}
        for block, quantities in blocks.items()
    }
    detail = _detail_rows(metrics)
    return [
        {**{block: _row(columns, f) for block, columns in values.items()}, "detail": detail(f)}
        if there
        else None
        for f, there in enumerate(present.tolist())
    ]


def disabled_block() -> dict[str, Any]:
    """The object of a frame where biomechanics are switched off: every field null."""
    return {
        **{block: dict.fromkeys(names) for block, names in FIELDS.items()},
        "detail": {"nulls": {name: DISABLED for names in FIELDS.values() for name in names}},
    }


def _detail_rows(metrics: PersonMetrics) -> Callable[[int], dict[str, Any]]:
    """What makes the ``detail`` of a frame by its index."""
    angles = {**metrics.joint_angles, **metrics.body_alignment}
    planes = {**metrics.sagittal, **metrics.frontal}
    tilts = {f"{part}_tilt": angle for part, angle in metrics.tilts.items()}
    signed = {name: _numbers(angle.value) for name, angle in (planes | tilts).items()}
    hidden = {
        name: (angle.reason == VIEW_MISMATCH).tolist() for name, angle in (planes | tilts).items()
    }
    included = {name: _numbers(angle.value) for name, angle in metrics.hips.items()}
    intervals = {name: _intervals(angle) for name, angle in angles.items()}
    quantities: dict[str, Angle | Score] = {**angles, **metrics.movement, **metrics.hips}
    reasons = {name: quantity.reason.tolist() for name, quantity in quantities.items()} | {
        name: np.where(angle.reason == VIEW_MISMATCH, "", angle.reason).tolist()
        for name, angle in (planes | tilts).items()
    }
    shown = {name: np.isfinite(angle.value).tolist() for name, angle in angles.items()}
    levels = _level_columns(metrics)
    components = _component_columns(metrics)
    view = _view_columns(metrics)
    flags = {name: column.tolist() for name, column in metrics.flags.items()}
    joints = {
        joint: {name: column.tolist() for name, column in named.items()}
        for joint, named in metrics.joint_flags.items()
    }
    source = metrics.sigma_source.tolist()
    reference = {"shoulder_reference": shoulder_reference(metrics)} if metrics.near_side else {}

    def detail(f: int) -> dict[str, Any]:
        marked = {joint: [n for n, c in named.items() if c[f]] for joint, named in joints.items()}
        return {
            "signed": {n: c[f] for n, c in signed.items() if not hidden[n][f]},
            "included": _row(included, f),
            "levels": {part: _row(columns, f) for part, columns in levels.items()},
            "ci95": {n: intervals[n][f] for n, there in shown.items() if there[f]},
            "nulls": {n: c[f] for n, c in reasons.items() if c[f]},
            "components": {name: _row(columns, f) for name, columns in components.items()},
            "view": _row(view, f),
            "flags": [n for n, c in flags.items() if c[f]],
            "joint_flags": {joint: names for joint, names in marked.items() if names},
            "sigma_source": source[f] or None,
            "sigma_calibrated": False,
            **reference,
        }

    return detail


def _intervals(angle: Angle) -> Column:
    """95 % intervals by frame; None where there is none."""
    ends = np.round(angle.interval(), _DECIMALS) + 0.0
    known = np.asarray(np.isfinite(ends).all(-1)).tolist()
    return [pair if there else None for pair, there in zip(ends.tolist(), known, strict=True)]


def _level_columns(metrics: PersonMetrics) -> dict[str, dict[str, Column]]:
    """How much higher the left is, where the view shows it: pixels, % of stature, centimetres."""
    size = metrics.size
    columns = {}
    for part, angle in metrics.tilts.items():
        px = np.where(np.isfinite(angle.value), metrics.levels_px[part], np.nan)
        share = px / size.stature_px
        columns[part] = {"px": _numbers(px), "pct_stature": _numbers(100.0 * share)}
        if size.height_m is not None:
            columns[part]["cm"] = _numbers(_CM * size.height_m * share)
    return columns


def _component_columns(metrics: PersonMetrics) -> dict[str, dict[str, Column]]:
    columns: dict[str, dict[str, Column]] = {
        name: {part: _numbers(column) for part, column in score.components.items()}
        | {"coverage": _numbers(score.coverage)}
        for name, score in metrics.movement.items()
        if score.components
    }
    balance = metrics.balance
    frames = len(balance.margin)
    if "stability_score" in columns:
        columns["stability_score"] |= {
            "mode": ["static" if balance.static else "dynamic"] * frames,
            "omega0_rad_s": _numbers(balance.omega0),
            "omega0_source": [balance.omega0_source] * frames,
        }
    return columns


def _view_columns(metrics: PersonMetrics) -> dict[str, Column]:
    view = metrics.view
    faced = np.select(
        [view.facing > 0, view.facing < 0, view.to_camera > 0, view.to_camera < 0],
        ["image_right", "image_left", "camera", "away"],
        "",
    )
    return {
        "class": _words(view.kind),
        "yaw_deg": [None if v is None else round(v) for v in _numbers(view.yaw_deg)],
        "ratio": _numbers(view.ratio),
        "facing": _words(faced),
    }


def shoulder_reference(metrics: PersonMetrics) -> str:
    """``ipsilateral`` where one side stands for the trunk, else ``trunk``."""
    return "ipsilateral" if metrics.near_side else "trunk"


def _row(columns: Mapping[str, Column], frame: int) -> dict[str, Any]:
    return {name: column[frame] for name, column in columns.items()}


def _words(column: NDArray[np.str_]) -> Column:
    return [word or None for word in column.tolist()]


def _numbers(column: Array) -> Column:
    # Adding 0.0 turns -0.0 into 0.0.
    rounded = (np.round(column, _DECIMALS) + 0.0).tolist()
    return [None if math.isnan(v) else v for v in rounded]
