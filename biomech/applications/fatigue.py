"""Drift within a session. What drifts may tire, pace itself or learn: the clip does not tell."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from biomech.applications.guidelines import Limits
from biomech.applications.outcome import INSUFFICIENT_DATA, Outcome, number, ok, without
from biomech.measures import Measure
from biomech.statistics import holm, mann_kendall, theil_sen

LEAST_VALUES: Final = 8
MOST_VALUES: Final = 300
_SIGNIFICANT: Final = 0.05
_MINUTE_S: Final = 60.0


def fatigue(measures: Sequence[Measure], limits: Limits) -> Outcome:
    """Slopes of all measures with eight values or more, tested together.

    Of more than 300 values the means of 300 stretches are tested: pairs of an hour's steps are too
    many, and neighbours tell the same.

    ``drift`` where a trend is significant after Holm's correction and its line changes by more than
    the smallest detectable change from the first to the last value; None where ``limits`` have
    nothing for the metric.
    """
    long = [_thinned(measure) for measure in measures if len(measure.values) >= LEAST_VALUES]
    if not long:
        return without(INSUFFICIENT_DATA, f"no measure has {LEAST_VALUES} values", trends=[])
    tests = [mann_kendall(measure.values) for measure in long]
    adjusted = holm([test.p for test in tests])
    return ok(
        trends=[
            _trend(measure, test.z, test.correction, p, limits)
            for measure, test, p in zip(long, tests, adjusted, strict=True)
        ]
    )


def _thinned(measure: Measure) -> Measure:
    if len(measure.values) <= MOST_VALUES:
        return measure
    times, values = (
        np.array([part.mean() for part in np.array_split(whole, MOST_VALUES)])
        for whole in (measure.times_s, measure.values)
    )
    return replace(measure, times_s=times, values=values)


def _trend(
    measure: Measure, z: float, correction: float, p: float, limits: Limits
) -> dict[str, Any]:
    line = theil_sen(measure.times_s, measure.values)
    change = line.slope * float(measure.times_s[-1] - measure.times_s[0])
    limit = limits.get(measure.metric)
    return {
        "metric": measure.metric,
        "side": measure.side,
        "unit": measure.unit,
        "n": len(measure.values),
        "slope_per_min": number(_MINUTE_S * line.slope),
        "ci95": [number(_MINUTE_S * line.low), number(_MINUTE_S * line.high)],
        "total_change": number(change),
        "mk_z": number(z),
        "variance_factor": number(correction),
        "p_holm": number(p),
        "mdc": limit.mdc if limit else None,
        "drift": None if limit is None else p < _SIGNIFICANT and abs(change) > limit.mdc,
    }
