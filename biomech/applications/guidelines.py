"""What the applications are judged by: rules, detectable changes, norms. All of it is data.

The files of ``config/`` hold defaults of the literature, or nothing; a site has its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """How large a change of a measure must be to be one.

    Attributes:
        mdc: smallest detectable change, 95 %, in the unit of the measure. source: of it.
        better: which direction is the better one, None where nobody said.
    """

    mdc: float
    source: str
    better: Literal["higher", "lower"] | None = None


Limits = Mapping[str, Limit]
"""By metric."""


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
class Guidelines:
    """All that a site gives; None where it gave nothing.

    Attributes:
        rules, limits: see above. norms: None without a file.
        reference: summary of one person of a saved result, as technique is compared to.
        before: the same, as progress is told from.
    """

    rules: tuple[Rule, ...] = ()
    limits: Limits = field(default_factory=dict)
    norms: tuple[Norm, ...] | None = None
    reference: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None

    def of_anybody(self) -> "Guidelines":
        """What holds whoever the person is: rules and detectable changes."""
        return Guidelines(self.rules, self.limits)


NO_GUIDELINES = Guidelines()
