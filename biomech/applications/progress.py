"""Measure progress between two results, and test whether changes are detectable."""

import math
from collections.abc import Mapping
from typing import Any, Final, Literal

from biomech.applications.norms_and_limits import UNLISTED, Limit, Limits, verdict
from biomech.applications.outcome import (
    INSUFFICIENT_DATA,
    NOT_COMPARABLE,
    OK,
    SINGLE_VALUE,
    number,
    rounded,
)
from biomech.applications.technique import differences, nearness_differs
from biomech.records.application_records import Change, ProgressOutcome
from biomech.statistics.inference import difference_error

IMPROVED: Final = "improved"
WORSE: Final = "worse"
CHANGED: Final = "changed"
NO_CHANGE: Final = "no_detectable_change"


def progress(
    before: Mapping[str, Any], after: Mapping[str, Any], limits: Limits
) -> ProgressOutcome:
    """Compare the ``measures`` that two results of one person have in common.

    Both are objects of ``data.biomechanics_summary`` of a response. A change counts if it exceeds
    the smallest detectable change of ``limits`` and the nominal 95 % interval of the difference of
    means (Welch). It is ``improved`` or ``worse`` only if the limits state the better direction.
    If a different side is nearer to the camera than before, it must exceed both by ``near_far``.

    Returns:
        The changes. The verdict is None, with a ``reason``, if the limits have no detectable change
        for the metric, if a mean is of a single value, or if the nearer side could explain it.
        The status is ``not_comparable`` if definitions, view, movement, model, filter or unit of
        length differ.
    """
    mismatch = differences(before, after)
    mismatch += [
        f"{name}: {before.get(name)} and {after.get(name)}"
        for name in ("model", "length_unit")
        if before.get(name) != after.get(name)
    ]
    if mismatch:
        return ProgressOutcome(status=NOT_COMPARABLE, reason="; ".join(mismatch))
    earlier = {(m["metric"], m["side"]): m for m in before.get("measures") or ()}
    turned = nearness_differs(before, after)
    changes = [
        _change(earlier[m["metric"], m["side"]], m, limits, biased=turned and m["side"] is not None)
        for m in after.get("measures") or ()
        if (m["metric"], m["side"]) in earlier
    ]
    if not changes:
        reason = "the results have no measure in common"
        return ProgressOutcome(status=INSUFFICIENT_DATA, reason=reason)
    return ProgressOutcome(status=OK, changes=changes)


def _change(
    before: Mapping[str, Any], after: Mapping[str, Any], limits: Limits, *, biased: bool
) -> Change:
    delta = after["mean"] - before["mean"]
    error, half = _error_of_difference(before, after)
    limit = limits.get(after["metric"], UNLISTED)
    single = math.isnan(half)
    real, reason = (None, SINGLE_VALUE) if single else verdict(delta, half, limit, biased=biased)
    return Change(
        metric=after["metric"],
        side=after["side"],
        unit=after["unit"],
        before=rounded(before["mean"]),
        after=rounded(after["mean"]),
        delta=rounded(delta),
        se=number(error),
        ci95=None if single else (number(delta - half), number(delta + half)),
        mdc=limit.mdc,
        near_far=limit.near_far if biased else 0.0,
        verdict=None if real is None else _called(delta, limit, real=real),
        reason=reason,
    )


def _called(
    delta: float, limit: Limit, *, real: bool
) -> Literal["improved", "worse", "changed", "no_detectable_change"]:
    if not real:
        return NO_CHANGE
    if not limit.better:
        return CHANGED
    return IMPROVED if (delta > 0) == (limit.better == "higher") else WORSE


def _error_of_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[float, float]:
    """Return standard error and 95 % half width of a difference of means; NaN for one value."""
    if a["sd"] is None or b["sd"] is None:
        return math.nan, math.nan
    return difference_error((a["sd"], b["sd"]), (a["n"], b["n"]))
