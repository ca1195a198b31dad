"""Compare an athlete with a population; the user supplies the norms, none are included."""

import math
from collections.abc import Sequence

import numpy as np
import scipy

from biomech.applications.norms_and_limits import Norm
from biomech.applications.outcome import (
    INSUFFICIENT_DATA,
    NOT_COMPARABLE,
    NOT_SUPPLIED,
    OK,
    SINGLE_VALUE,
    number,
    rounded,
)
from biomech.events.measures import Measure
from biomech.records.application_records import Comparison, NormsOutcome
from biomech.statistics.inference import half_width


def against_norms(
    measures: Sequence[Measure], norms: tuple[Norm, ...] | None, view: str | None
) -> NormsOutcome:
    """Return z and percentile of the means of measures in the populations of ``norms``.

    ``percentile_ci95`` follows from the scatter of the athlete's own values, by Student's t. It is
    None for a single value; ``reason`` says so. Norms for another view are ignored.
    """
    if norms is None:
        return NormsOutcome(status=NOT_SUPPLIED, reason="no norms were supplied")
    usable = [norm for norm in norms if norm.view in (None, view)]
    if norms and not usable:
        reason = f"the norms are of another view than {view}"
        return NormsOutcome(status=NOT_COMPARABLE, reason=reason)
    found = [
        _compare(measure, norm)
        for norm in usable
        for measure in measures
        if measure.metric == norm.metric and norm.side in (None, measure.side)
    ]
    if not found:
        return NormsOutcome(status=INSUFFICIENT_DATA, reason="no measure has a norm")
    return NormsOutcome(status=OK, comparisons=found)


def _compare(measure: Measure, norm: Norm) -> Comparison:
    half = half_width(measure.sd, len(measure.values))
    value = measure.mean
    z = (value - norm.mean) / norm.sd if norm.mean is not None and norm.sd else math.nan
    low, high = percentile_of(value - half, norm), percentile_of(value + half, norm)
    return Comparison(
        metric=measure.metric,
        side=measure.side,
        unit=measure.unit,
        value=rounded(value),
        z=number(z),
        percentile=number(percentile_of(value, norm)),
        percentile_ci95=None if math.isnan(half) else (number(low), number(high)),
        reason=SINGLE_VALUE if math.isnan(half) else None,
        population=norm.population,
        n=norm.n,
        source=norm.source,
    )


def percentile_of(value: float, norm: Norm) -> float:
    """Return the percentage of the population below ``value``.

    If the norm lists percentiles, they are interpolated linearly and clamped to the first and last.
    Otherwise the normal distribution is used.
    """
    if norm.percentiles:
        shares = np.array(sorted(norm.percentiles))
        return float(np.interp(value, [norm.percentiles[s] for s in shares.tolist()], shares))
    if norm.mean is None or not norm.sd:
        return math.nan
    return 100.0 * float(scipy.special.ndtr((value - norm.mean) / norm.sd))
