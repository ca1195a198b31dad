"""Compare left with right, and test differences against measurement error and scatter."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from biomech.applications.norms_and_limits import NEAR_FAR_BIAS, UNLISTED, Limit, Limits, verdict
from biomech.applications.outcome import INSUFFICIENT_DATA, OK, number, rounded
from biomech.events.measures import Measure
from biomech.kinematics.view import FRONTAL
from biomech.records.application_records import AsymmetryOutcome, CurveDistance, SideDifference
from biomech.records.event_records import MeanMovement
from biomech.skeleton import split_side
from biomech.statistics.inference import (
    difference_error,
    limb_symmetry,
    symmetry_angle,
    symmetry_index,
)

LEAST_VALUES: Final = 3
"""Minimum number of values for each side."""

_Band = Literal["under_10", "10_to_15", "over_15"]
_BANDS: Final[tuple[tuple[float, _Band], ...]] = (
    (10.0, "under_10"),
    (15.0, "10_to_15"),
    (math.inf, "over_15"),
)
"""Bounds of the symmetry index in per cent: a convention, not a finding."""


def asymmetry(
    measures: Sequence[Measure],
    phases: MeanMovement | None,
    limits: Limits,
    involved_side: str | None,
    view: str | None = None,
) -> AsymmetryOutcome:
    """Compute right minus left for all measures with at least three values on each side.

    ``real`` is True if a difference exceeds its nominal 95 % interval (Welch) and the smallest
    detectable change of ``limits``; quantities with a true zero must also exceed, in per cent, the
    larger coefficient of variation of the two sides. It is None if the limits have no detectable
    change for the metric; ``reason`` says so.

    In views other than frontal, one side is nearer to the camera. This alone can make a difference
    of up to ``near_far`` of the limits, which is subtracted from a difference before it is judged.
    If a difference is real only without the subtraction, ``real`` is None with the reason
    ``near_far_bias``.

    Args:
        measures: of the clip. phases: mean curves of both sides, whose distances are returned too.
        limits: by metric. involved_side: the injured side, for the limb symmetry index.
        view: of the clip; an unknown view counts as not frontal.
    """
    biased = view != FRONTAL
    sides = {(m.metric, m.side): m for m in measures if m.side and len(m.values) >= LEAST_VALUES}
    metrics = dict.fromkeys(metric for metric, _ in sides)
    found = [
        _difference(
            (sides[metric, "left"], sides[metric, "right"]),
            limits.get(metric, UNLISTED),
            involved_side,
            biased=biased,
        )
        for metric in metrics
        if (metric, "left") in sides and (metric, "right") in sides
    ]
    if not found:
        reason = f"no measure has {LEAST_VALUES} values of each side"
        return AsymmetryOutcome(status=INSUFFICIENT_DATA, reason=reason)
    return AsymmetryOutcome(status=OK, differences=found, curves=_curves(phases, biased=biased))


def _difference(
    sides: tuple[Measure, Measure], limit: Limit, involved_side: str | None, *, biased: bool
) -> SideDifference:
    left, right = sides
    diff = right.mean - left.mean
    counts = (len(left.values), len(right.values))
    _, half = difference_error((left.sd, right.sd), counts)
    index = symmetry_index(left.mean, right.mean) if left.ratio else math.nan
    scattered = left.ratio and abs(index) <= max(_variation(left), _variation(right))
    real, reason = verdict(diff, half, limit, biased=biased)
    return SideDifference(
        metric=left.metric,
        unit=left.unit,
        left=rounded(left.mean),
        right=rounded(right.mean),
        n=counts,
        diff=rounded(diff),
        ci95=(number(diff - half), number(diff + half)),
        si=number(index),
        sa=number(symmetry_angle(left.mean, right.mean)) if left.ratio else None,
        lsi=_limb_symmetry(left, right, involved_side),
        mdc=limit.mdc,
        near_far=limit.near_far if biased else 0.0,
        real=False if scattered and limit.mdc is not None else real,
        reason=None if scattered and limit.mdc is not None else reason,
        band=_band(index),
    )


def _variation(measure: Measure) -> float:
    """Return the coefficient of variation in per cent."""
    return 100.0 * measure.sd / abs(measure.mean) if measure.mean else math.inf


def _limb_symmetry(left: Measure, right: Measure, involved_side: str | None) -> float | None:
    if involved_side is None or not left.ratio:
        return None
    pair = (left.mean, right.mean) if involved_side == "left" else (right.mean, left.mean)
    return number(limb_symmetry(*pair))


def _band(index: float) -> _Band | None:
    if math.isnan(index):
        return None
    return next(name for bound, name in _BANDS if abs(index) <= bound)


def _curves(phases: MeanMovement | None, *, biased: bool) -> list[CurveDistance]:
    """Return the distances between the mean curves of the sides, in degrees, without a verdict."""
    joints = phases.joints if phases else {}
    found = []
    for name, left in joints.items():
        side, joint = split_side(name)
        right = joints.get(f"right_{joint}")
        if side == "left" and right:
            apart = np.array(left.mean) - np.array(right.mean)
            rmsd = float(np.sqrt(np.mean(apart**2)))
            reason = NEAR_FAR_BIAS if biased else None
            found.append(CurveDistance(joint=joint, rmsd_deg=rounded(rmsd), reason=reason))
    return found
