"""Test measures for drift within a session, from fatigue, pacing or learning alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from biomech.applications.norms_and_limits import UNLISTED, Limits
from biomech.applications.outcome import INSUFFICIENT_DATA, OK, number, rounded
from biomech.events.measures import Measure
from biomech.records.application_records import FatigueOutcome, TrendRecord
from biomech.statistics.inference import LEAST_TREND, Trend, holm, mann_kendall, theil_sen

LEAST_VALUES: Final = 8
MOST_VALUES: Final = 300
_SIGNIFICANT: Final = 0.05
_MINUTE_S: Final = 60.0


def fatigue(measures: Sequence[Measure], limits: Limits) -> FatigueOutcome:
    """Fit slopes to measures with eight or more values; test those with twenty or more.

    With fewer than twenty values only the slope is returned, and ``reason`` says so: their serial
    correlation cannot be estimated.

    With more than 300 values the means of 300 stretches are tested. The pairs of an hour of steps
    would be too many, and neighbors carry the same information.

    ``drift`` is True if a trend is significant after Holm's correction and its line changes by more
    than the smallest detectable change from the first to the last value. It is None if ``limits``
    has no detectable change for the metric; ``reason`` says so.
    """
    long = [_thinned(measure) for measure in measures if len(measure.values) >= LEAST_VALUES]
    if not long:
        reason = f"no measure has {LEAST_VALUES} values"
        return FatigueOutcome(status=INSUFFICIENT_DATA, reason=reason)
    tests = {
        i: mann_kendall(measure.values)
        for i, measure in enumerate(long)
        if len(measure.values) >= LEAST_TREND
    }
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    trends = [
        _trend(measure, tests.get(i), adjusted.get(i), limits) for i, measure in enumerate(long)
    ]
    if not tests:
        most = max(len(measure.values) for measure in long)
        return FatigueOutcome(status=INSUFFICIENT_DATA, reason=_too_few(most), trends=trends)
    return FatigueOutcome(status=OK, trends=trends)


def _too_few(n: int) -> str:
    return f"too few: {n} values, a test for a trend needs {LEAST_TREND}"


def _thinned(measure: Measure) -> Measure:
    if len(measure.values) <= MOST_VALUES:
        return measure
    times, values = (
        np.array([part.mean() for part in np.array_split(whole, MOST_VALUES)])
        for whole in (measure.times_s, measure.values)
    )
    return replace(measure, times_s=times, values=values)


def _trend(measure: Measure, test: Trend | None, p: float | None, limits: Limits) -> TrendRecord:
    line = theil_sen(measure.times_s, measure.values, test)
    change = line.slope * float(measure.times_s[-1] - measure.times_s[0])
    limit = limits.get(measure.metric, UNLISTED)
    return TrendRecord(
        metric=measure.metric,
        side=measure.side,
        unit=measure.unit,
        n=len(measure.values),
        slope_per_min=rounded(_MINUTE_S * line.slope),
        ci95=(number(_MINUTE_S * line.low), number(_MINUTE_S * line.high))
        if test and np.isfinite(line.low)
        else None,
        total_change=rounded(change),
        mk_z=number(test.z) if test else None,
        variance_factor=number(test.correction) if test else None,
        p_holm=number(p),
        mdc=limit.mdc,
        drift=None
        if limit.mdc is None or p is None
        else p < _SIGNIFICANT and abs(change) > limit.mdc,
        reason=limit.reason if test else _too_few(len(measure.values)),
    )
