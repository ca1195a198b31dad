"""Define the data that the applications judge by: rules, detectable changes and norms.

The files in ``config/`` have defaults from the literature, or none; a site can supply its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal

from biomech.skeleton import Side


@dataclass(frozen=True, slots=True)
class Limit:
    """The smallest change of a measure that can be detected.

    Attributes:
        mdc: smallest detectable change, 95 %, in the unit of the measure; None where none is known.
        source: source of ``mdc``. better: direction of improvement, None if not configured.
        near_far: largest difference that one camera makes between the nearer and the farther side,
            in the unit of the measure; None if no bound is known.
        reason: why there is no ``mdc``; None if there is one.
    """

    mdc: float | None
    source: str = ""
    better: Literal["higher", "lower"] | None = None
    near_far: float | None = None
    reason: str | None = None


Limits = Mapping[str, Limit]
"""Limits by metric."""

NO_LIMIT: Final = "no smallest detectable change is known"
UNLISTED: Final = Limit(None, reason=NO_LIMIT)
"""The limit of a metric that the site's file does not list."""

NEAR_FAR_BIAS: Final = "near_far_bias"
"""Reason of a null verdict: the sides may differ because one is nearer to the camera."""


def verdict(
    diff: float, half: float, limit: Limit, *, biased: bool
) -> tuple[bool | None, str | None]:
    """Judge a difference of two means; return a reason if that is not possible.

    Args:
        diff: of two means. half: half width of its nominal 95 % interval.
        limit: of the metric. biased: whether one mean is of a side nearer to the camera.

    Returns:
        True if the difference exceeds ``half`` and ``mdc``, each plus ``near_far`` if biased. None
        with the reason if there is no ``mdc``, or if the bias could explain the difference.
    """
    if limit.mdc is None:
        return None, limit.reason
    least = max(limit.mdc, half)
    if not abs(diff) > least:
        return False, None
    if biased and (limit.near_far is None or not abs(diff) - limit.near_far > least):
        return None, NEAR_FAR_BIAS
    return True, None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a range of a metric to monitor.

    Attributes:
        id: of the rule. metric: of :data:`biomech.applications.monitoring.METRICS`.
        side: ``left``, ``right``, or None for both.
        phase: ``any`` frame, ``landing``, the ``landing_peak`` after it, or the ``peak`` of a
            repetition.
        view: in which the metric is valid, None any.
        op: whether values above or below the threshold are outside.
        threshold: by sex, ``any`` if that is unknown.
        min_duration_s: minimum duration in phase ``any``.
        p_min: minimum probability. source, note: repeated in each alert.
    """

    id: str
    metric: str
    side: Side | None
    phase: str
    view: str | None
    op: str
    threshold: Mapping[str, float]
    min_duration_s: float
    p_min: float
    source: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """Norms of a measure in a population.

    Attributes:
        metric: name of a measure. side: None for either.
        mean, sd: of a normal distribution, or None. percentiles: values by per cent, or None.
        n: number of people. population, view, source: repeated in each comparison.
    """

    metric: str
    side: Side | None
    mean: float | None
    sd: float | None
    percentiles: Mapping[float, float] | None
    n: int
    population: str
    view: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Supplied:
    """Norms and results that one athlete is compared with; None if not supplied.

    Attributes:
        norms: of populations. reference: one person's summary in another result, for technique, or
            the result of :func:`biomech.applications.technique_reference.reference_of` for a table.
        before: summary of the same athlete in an earlier result, for progress.
    """

    norms: tuple[Norm, ...] | None = None
    reference: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None


NOTHING_SUPPLIED: Final = Supplied()


@dataclass(frozen=True, slots=True)
class Guidelines:
    """Guidelines of the site and of a request; None if neither supplies a part.

    Attributes:
        rules, limits: see above. norms, reference, before: see :class:`Supplied`.
        withheld: whether the supplied data is for another person.
    """

    rules: tuple[Rule, ...] = ()
    limits: Limits = field(default_factory=dict)
    norms: tuple[Norm, ...] | None = None
    reference: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None
    withheld: bool = False

    def of_athlete(self, supplied: Supplied) -> "Guidelines":
        """Replace the site's norms and results with those of a request."""
        given = {
            name: value for name in _SUPPLIED if (value := getattr(supplied, name)) is not None
        }
        return replace(self, **given)

    def of_anybody(self) -> "Guidelines":
        """Keep only rules and detectable changes, which apply to everybody."""
        withheld = any(getattr(self, name) is not None for name in _SUPPLIED)
        return Guidelines(self.rules, self.limits, withheld=withheld)


_SUPPLIED: Final = tuple(item.name for item in fields(Supplied))
NO_GUIDELINES = Guidelines()
