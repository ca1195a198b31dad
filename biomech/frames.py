"""The response's ``biomechanics`` objects of one person, one a frame."""

import math
from typing import Any

import numpy as np

from biomech.config import DEFINITIONS, BmConfig
from biomech.geometry import Array
from biomech.metrics import Flags, Metric, PersonMetrics
from biomech.view import SAGITTAL

Z95 = 1.959963984540054
_DECIMALS = 3


def frame_blocks(
    metrics: PersonMetrics, extras: dict[str, Array], present: Flags, sigma_source: str
) -> list[dict[str, Any] | None]:
    """One JSON-ready object a frame; None where the person is absent.

    Args:
        metrics: of the person. extras: signed angles beside the flexions, (f,) by name.
        present: (f,) whether the person is there.
        sigma_source: where the keypoints' standard deviations come from.
    """
    top = {
        "joint_angles": metrics.joint_angles,
        "movement_analysis": metrics.movement,
        "body_alignment": metrics.body_alignment,
    }
    values = {block: _columns({k: m.value for k, m in ms.items()}) for block, ms in top.items()}
    every = {name: metric for ms in top.values() for name, metric in ms.items()}
    intervals = {name: _interval(m) for name, m in every.items() if m.sigma is not None}
    facing = np.where(metrics.view.facing == 0, np.nan, metrics.view.facing)
    flexions = {
        f"{name}_flexion": np.where(metrics.view.kind == SAGITTAL, m.value * facing, np.nan)
        for name, m in metrics.signed.items()
    }
    hips = {
        f"{side}_hip_included": 180.0 - np.abs(metrics.signed[f"{side}_hip"].value)
        for side in ("left", "right")
    }
    signed = _columns(flexions | hips | extras)
    components = {
        name: _columns(score.components | {"coverage": score.coverage})
        for name, score in metrics.scores.items()
    }
    ratio = _columns({"ratio": metrics.view.ratio, "yaw_deg": metrics.view.yaw_deg})
    nulls = {name: m.reason.tolist() for name, m in every.items()}
    kinds = metrics.view.kind.tolist()
    flags = {name: flag.tolist() for name, flag in metrics.flags.items()}
    return [
        {
            **{block: _row(columns, f) for block, columns in values.items()},
            "detail": {
                "signed": _row(signed, f),
                "ci95": {name: columns[f] for name, columns in intervals.items()},
                "nulls": {n: column[f] for n, column in nulls.items() if column[f]},
                "components": {name: _row(columns, f) for name, columns in components.items()},
                "view": {"class": kinds[f] or None, **_row(ratio, f)},
                "flags": [name for name, column in flags.items() if column[f]],
                "sigma_source": sigma_source,
                "sigma_calibrated": False,
            },
        }
        if present[f]
        else None
        for f in range(len(present))
    ]


def summary(
    person_id: int, metrics: PersonMetrics, config: BmConfig, sigma_source: str
) -> dict[str, Any]:
    """What holds for the whole clip of one person."""
    kinds, counts = np.unique(metrics.view.kind[metrics.view.kind != ""], return_counts=True)
    return {
        "person_id": person_id,
        "definitions": DEFINITIONS,
        "view": str(kinds[counts.argmax()]) if len(kinds) else None,
        "filter": {"type": "none"},
        "stature_px": _number(metrics.stature_px),
        "sigma_source": sigma_source,
        "sigma_calibrated": False,
        "config": {name: getattr(config, name) for name in config.__dataclass_fields__},
    }


def _interval(metric: Metric) -> list[list[float] | None]:
    """95 % intervals by frame, within the metric's range."""
    assert metric.sigma is not None  # noqa: S101  the caller asked
    spread = Z95 * metric.sigma
    low = np.clip(metric.value - spread, metric.low, metric.high)
    high = np.clip(metric.value + spread, metric.low, metric.high)
    return [
        [round(a, _DECIMALS), round(b, _DECIMALS)]
        if math.isfinite(a) and math.isfinite(b)
        else None
        for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]


def _columns(arrays: dict[str, Array]) -> dict[str, list[float | None]]:
    return {name: [_number(v) for v in array.tolist()] for name, array in arrays.items()}


def _row(columns: dict[str, list[float | None]], frame: int) -> dict[str, float | None]:
    return {name: column[frame] for name, column in columns.items()}


def _number(value: float) -> float | None:
    # Adding 0.0 turns -0.0 into 0.0.
    return round(value, _DECIMALS) + 0.0 if math.isfinite(value) else None
