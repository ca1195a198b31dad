"""The response's ``biomechanics`` objects of one person: one a frame, and one for the clip.

Numbers are rounded to three decimals. A null of the response's fields has its reason in
``detail.nulls``. ``detail.signed`` holds the angles of the plane that the view shows; those of the
other plane are absent rather than null.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biomech.angles import Angle
from biomech.config import DEFINITIONS, NO_CONTEXT, BmConfig, Context
from biomech.geometry import Array
from biomech.metrics import PersonMetrics
from biomech.pipeline import Smoothed
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
_TIME_DECIMALS = 6
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


def summary(
    person_id: int,
    metrics: PersonMetrics,
    config: BmConfig,
    context: Context = NO_CONTEXT,
) -> dict[str, Any]:
    """What holds for the whole clip of one person, JSON-ready."""
    camera = context.camera
    assumed = camera.roll_deg is None
    sources = sorted({str(s) for s in metrics.sigma_source if s})
    return {
        "person_id": person_id,
        "definitions": DEFINITIONS,
        "movement": context.movement,
        "view": metrics.view.of_clip(),
        "camera": {
            "roll_deg": camera.roll_deg or 0.0,
            "roll_source": "assumed" if assumed else "request",
            "slowmo_factor": camera.slowmo_factor,
        },
        "filter": filter_block(metrics.points),
        "stature_px": _number(metrics.size.stature_px),
        "height_m": metrics.size.height_m,
        "shoulder_reference": _shoulder_reference(metrics),
        "sigma_source": sources[0] if len(sources) == 1 else "mixed" if sources else None,
        "sigma_calibrated": False,
        "flags": ["roll_assumed_level"] * assumed + ["scale_drift"] * metrics.scale_drifts,
        "config": asdict(config),
    }


def filter_block(points: Smoothed) -> dict[str, Any]:
    """What smoothed and repaired the points of one person, JSON-ready.

    Times are those of the first and last frame.
    """
    used = points.filter
    times = np.round(points.track.times_s, _TIME_DECIMALS)
    return {
        "type": used.type,
        "order": used.order,
        "cutoff_hz": _number(used.cutoff_hz),
        "fs_hz": _number(used.rate_hz),
        "resampled": used.resampled,
        "cutoff_limited": used.limited,
        "suggested_cutoff_hz": _number(used.suggested_cutoff_hz),
        "swaps_fixed": [
            {
                "limbs": swap.limbs,
                "t_start": float(times[swap.start]),
                "t_end": float(times[swap.stop - 1]),
            }
            for swap in points.swaps
        ],
        "points": {
            "measured": int((points.gated.reason == "").sum()),
            "outliers": int(points.outlier.sum()),
            "filled": int(points.filled.sum()),
            "unsmoothed": int(points.unsmoothed.sum()),
        },
        "sigma_inflation": _number(points.sigma_inflation),
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
    reference = {"shoulder_reference": _shoulder_reference(metrics)} if metrics.near_side else {}

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


def _shoulder_reference(metrics: PersonMetrics) -> str:
    return "ipsilateral" if metrics.near_side else "trunk"


def _row(columns: Mapping[str, Column], frame: int) -> dict[str, Any]:
    return {name: column[frame] for name, column in columns.items()}


def _words(column: NDArray[np.str_]) -> Column:
    return [word or None for word in column.tolist()]


def _number(value: float | None) -> float | None:
    return None if value is None else _numbers(np.array([value]))[0]


def _numbers(column: Array) -> Column:
    # Adding 0.0 turns -0.0 into 0.0.
    rounded = (np.round(column, _DECIMALS) + 0.0).tolist()
    return [None if math.isnan(v) else v for v in rounded]
