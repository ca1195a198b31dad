"""Define the outcome of each application: ``biomechanics_summary[].applications``."""

from dataclasses import dataclass, field
from typing import Literal

from biomech.records.values import Interval, Number, Unit, Word
from biomech.skeleton import Side

Status = Literal["ok", "insufficient_data", "not_supplied", "not_comparable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Fields of every application."""

    status: Status
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChecked:
    """Number of times a rule could be checked."""

    rule: str
    threshold: float
    checked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A value that was surely outside a configured range."""

    rule: str
    side: Side | None
    t_start_s: float
    t_end_s: float
    value: float
    ci95: Interval
    """Nominal 95 %, of one frame."""
    threshold: float
    p_exceed: float
    text: str
    source: str
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringOutcome(Outcome):
    """Joint angles watched by rules."""

    checked: list[RuleChecked] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideDifference:
    """Right less left of one measure."""

    metric: Word
    unit: Unit
    left: float
    right: float
    n: tuple[int, int]
    diff: float
    ci95: Interval
    """Nominal 95 %, by Welch's t."""
    si: Number
    """Symmetry index, %, of quantities with a true zero."""
    sa: Number
    """Symmetry angle, %."""
    lsi: Number
    """Involved over uninvolved side, %."""
    mdc: Number
    near_far: Number = None
    """Difference that a nearer side alone can cause; null: no bound is known."""
    real: bool | None
    """Null where it cannot be told."""
    reason: str | None = None
    """Why there is no verdict."""
    band: Literal["under_10", "10_to_15", "over_15"] | None
    """A convention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveDistance:
    """Difference between the mean curves of the sides."""

    joint: Word
    rmsd_deg: float
    reason: str | None = None
    """`near_far_bias`: a nearer side is apart for that alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsymmetryOutcome(Outcome):
    """Left against right."""

    differences: list[SideDifference] = field(default_factory=list)
    curves: list[CurveDistance] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendRecord:
    """A measure over the session."""

    metric: Word
    side: Side | None
    unit: Unit
    n: int
    slope_per_min: float
    ci95: Interval | None
    """Nominal 95 %, of the slope."""
    total_change: float
    mk_z: Number
    variance_factor: Number
    """By Hamed and Rao, 1 for none."""
    p_holm: Number
    mdc: Number
    drift: bool | None
    """Null without a detectable change, or a test."""
    reason: str | None = None
    """Why there is no test, or no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FatigueOutcome(Outcome):
    """Drift within the session."""

    trends: list[TrendRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointLoad:
    """Travel of a joint, and seconds by zones of speed."""

    travel_deg: Number
    zones_s: list[float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcome(Outcome):
    """External load: counts and times, never forces."""

    repetitions: int | None = None
    steps: int | None = None
    jumps: int | None = None
    landings: int | None = None
    active_s: Number = None
    zones_deg_s: list[float] = field(default_factory=list)
    joints: dict[str, JointLoad] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointDeviation:
    """Athlete less reference, not warped."""

    rmsd_deg: float
    max_dev_deg: float
    at_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TechniqueOutcome(Outcome):
    """The mean movement laid over that of a reference."""

    of: Literal["repetition", "stride"] | None = None
    dtw_norm: Number = None
    """Difference that remains after warping, in tolerances."""
    timing: Number = None
    """Out of step, as a share of the movement."""
    joints: dict[str, JointDeviation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothPhase:
    """One way of a repetition, or one stride."""

    phase: Literal["out", "back", "stride"]
    side: Side | None
    number: int
    t_start_s: float
    t_end_s: float
    peak_speed: Number
    sparc: Number
    ldlj: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficiencyOutcome(Outcome):
    """Smoothness of the movement."""

    of: str | None = None
    """The joint, or hip_depth."""
    sparc: Number = None
    ldlj: Number = None
    phases: list[SmoothPhase] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One measure before and after."""

    metric: Word
    side: Side | None
    unit: Unit
    before: float
    after: float
    delta: float
    se: Number
    ci95: Interval | None = None
    """Nominal 95 %, of delta, by Welch's t."""
    mdc: Number
    near_far: Number = None
    """Difference that a nearer side alone can cause; null: no bound is known."""
    verdict: Literal["improved", "worse", "changed", "no_detectable_change"] | None
    reason: str | None = None
    """Why there is no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressOutcome(Outcome):
    """This result against an earlier one."""

    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A measure in a population."""

    metric: str
    side: Side | None
    unit: str
    value: float
    z: Number
    percentile: Number
    percentile_ci95: Interval | None
    """Nominal 95 %, by Student's t."""
    reason: str | None = None
    """Why there is no interval."""
    population: str
    n: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NormsOutcome(Outcome):
    """The athlete against norms that the user supplies."""

    comparisons: list[Comparison] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applications:
    """The eight applications."""

    monitoring: MonitoringOutcome
    asymmetry: AsymmetryOutcome
    fatigue: FatigueOutcome
    load: LoadOutcome
    technique: TechniqueOutcome
    efficiency: EfficiencyOutcome
    progress: ProgressOutcome
    norms: NormsOutcome
