"""What the applications are judged by: rules, detectable changes, norms. All of it is data.

The files of ``config/`` hold defaults of the literature, or nothing; a site has its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """The smallest change of a measure that can be detected.

    Attributes:
        mdc: smallest detectable change, 95 %, in the unit of the measure; None where none is known.
        source: of it. better: which direction is the better one, None where nobody said.
        near_far: how far one camera may put the nearer side off the farther one, in the unit of the
            measure; None where no bound is known.
        reason: why there is no ``mdc``; None where there is one.
    """

    mdc: float | None
    source: str = ""
    better: Literal["higher", "lower"] | None = None
    near_far: float | None = None
    reason: str | None = None


Limits = Mapping[str, Limit]
"""By metric."""

NO_LIMIT: Final = "no smallest detectable change is known"
UNLISTED: Final = Limit(None, reason=NO_LIMIT)
"""The limit of a metric that the site's file does not list."""

NEAR_FAR_BIAS: Final = "near_far_bias"
"""Reason of a null verdict: the sides may differ because one is nearer to the camera."""


def verdict(
    diff: float, half: float, limit: Limit, *, biased: bool
) -> tuple[bool | None, str | None]:
    """Judge a difference of two means; give the reason where it cannot be judged.

    Args:
        diff: of two means. half: half width of its nominal 95 % interval.
        limit: of the metric. biased: whether one was of a side nearer to the camera.

    Returns:
        beyond ``half``, ``mdc`` and, where it is biased, ``near_far`` on top of either; None with
        the reason where there is no change to hold it against, or the bias may have made it.
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
    """A range to be watched.

    Attributes:
        id: of the rule. metric: of :data:`biomech.applications.monitoring.METRICS`.
        side: ``left``, ``right``, or None for each.
        phase: ``any`` frame, ``landing``, the ``landing_peak`` after it, or the ``peak`` of a
            repetition.
        view: in which the metric is valid, None any.
        op: the range that is watched is above or below.
        threshold: by sex, ``any`` where that is not known.
        min_duration_s: it lasts at least so long, in phase ``any``.
        p_min: how sure it must be. source, note: told with each alert.
    """

    id: str
    metric: str
    side: str | None
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
    """A population that a measure is compared to.

    Attributes:
        metric: a measure. side: None either.
        mean, sd: of a normal distribution, or None. percentiles: values by per cent, or None.
        n: people. population, view, source: told with each comparison.
    """

    metric: str
    side: str | None
    mean: float | None
    sd: float | None
    percentiles: Mapping[float, float] | None
    n: int
    population: str
    view: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Supplied:
    """Norms and other results that one athlete is compared to; None where none were supplied.

    Attributes:
        norms: of populations. reference: one person's summary in another result, for technique, or
            what :func:`biomech.applications.technique_reference.reference_of` makes of a table.
        before: summary of the same athlete in an earlier result, for progress.
    """

    norms: tuple[Norm, ...] | None = None
    reference: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None


NOTHING_SUPPLIED: Final = Supplied()


@dataclass(frozen=True, slots=True)
class Guidelines:
    """All that a site or a request gives; None where neither gave anything.

    Attributes:
        rules, limits: see above. norms, reference, before: see :class:`Supplied`.
        withheld: whether what was supplied is another person's.
    """

    rules: tuple[Rule, ...] = ()
    limits: Limits = field(default_factory=dict)
    norms: tuple[Norm, ...] | None = None
    reference: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None
    withheld: bool = False

    def of_athlete(self, supplied: Supplied) -> "Guidelines":
        """Replace the site's norms and results by those that a request supplies."""
        given = {
            name: value for name in _SUPPLIED if (value := getattr(supplied, name)) is not None
        }
        return replace(self, **given)

    def of_anybody(self) -> "Guidelines":
        """Keep rules and detectable changes, which hold for everybody."""
        withheld = any(getattr(self, name) is not None for name in _SUPPLIED)
        return Guidelines(self.rules, self.limits, withheld=withheld)


_SUPPLIED: Final = tuple(item.name for item in fields(Supplied))
NO_GUIDELINES = Guidelines()
