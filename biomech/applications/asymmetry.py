"""Left against right, and whether a difference can be told from error and from scatter."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from biomech.applications.guidelines import Limits
from biomech.applications.outcome import INSUFFICIENT_DATA, Outcome, number, ok, without
from biomech.measures import Measure
from biomech.statistics import (
    difference_error,
    limb_symmetry,
    symmetry_angle,
    symmetry_index,
)

LEAST_VALUES: Final = 3
"""Of each side."""

_BANDS: Final = ((10.0, "under_10"), (15.0, "10_to_15"), (math.inf, "over_15"))
"""Per cent of the symmetry index: a convention, not a finding."""


def asymmetry(
    measures: Sequence[Measure],
    phases: Mapping[str, Any] | None,
    limits: Limits,
    involved_side: str | None,
) -> Outcome:
    """Differences of the sides, + right larger, of all measures that both have thrice.

    ``real`` where a difference is beyond its nominal 95 % interval (Welch), beyond the smallest
    detectable change of ``limits``, and, of quantities with a true zero, in per cent beyond the
    larger coefficient of variation of the sides; None where the limits have nothing for the metric.

    Args:
        measures: of the clip. phases: mean curves of both sides, whose distances are given too.
        limits: by metric. involved_side: of an injury, for the limb symmetry index.
    """
    sides = {(m.metric, m.side): m for m in measures if m.side and len(m.values) >= LEAST_VALUES}
    metrics = dict.fromkeys(metric for metric, _ in sides)
    found = [
        _difference(sides[metric, "left"], sides[metric, "right"], limits, involved_side)
        for metric in metrics
        if (metric, "left") in sides and (metric, "right") in sides
    ]
    if not found:
        reason = f"no measure has {LEAST_VALUES} values of each side"
        return without(INSUFFICIENT_DATA, reason, differences=[], curves=[])
    return ok(differences=found, curves=_curves(phases))


def _difference(
    left: Measure, right: Measure, limits: Limits, involved_side: str | None
) -> dict[str, Any]:
    diff = right.mean - left.mean
    counts = (len(left.values), len(right.values))
    _, half = difference_error((left.sd, right.sd), counts)
    index = symmetry_index(left.mean, right.mean) if left.ratio else math.nan
    limit = limits.get(left.metric)
    real = None
    if limit is not None:
        real = abs(diff) > half and abs(diff) > limit.mdc
        real = real and (not left.ratio or abs(index) > max(_variation(left), _variation(right)))
    return {
        "metric": left.metric,
        "unit": left.unit,
        "left": number(left.mean),
        "right": number(right.mean),
        "n": list(counts),
        "diff": number(diff),
        "ci95": [number(diff - half), number(diff + half)],
        "si": number(index),
        "sa": number(symmetry_angle(left.mean, right.mean)) if left.ratio else None,
        "lsi": _limb_symmetry(left, right, involved_side),
        "mdc": limit.mdc if limit else None,
        "real": real,
        "band": _band(index),
    }


def _variation(measure: Measure) -> float:
    """Coefficient of variation, per cent."""
    return 100.0 * measure.sd / abs(measure.mean) if measure.mean else math.inf


def _limb_symmetry(left: Measure, right: Measure, involved_side: str | None) -> float | None:
    if involved_side is None or not left.ratio:
        return None
    pair = (left.mean, right.mean) if involved_side == "left" else (right.mean, left.mean)
    return number(limb_symmetry(*pair))


def _band(index: float) -> str | None:
    if math.isnan(index):
        return None
    return next(name for bound, name in _BANDS if abs(index) <= bound)


def _curves(phases: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """How far the mean curves of the sides are apart, degrees."""
    joints = (phases or {}).get("joints", {})
    found = []
    for name, left in joints.items():
        side, _, joint = name.partition("_")
        right = joints.get(f"right_{joint}")
        if side == "left" and right:
            apart = np.array(left["mean"]) - np.array(right["mean"])
            rmsd = float(np.sqrt(np.mean(apart**2)))
            found.append({"joint": joint, "rmsd_deg": number(rmsd)})
    return found
