"""Define the schema of a person's ``applications``: the uses of a clip's figures."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from biomech.applications.outcome import Status

FINITE: Final = ConfigDict(allow_inf_nan=False, ser_json_inf_nan="constants")
"""Finite numbers only. Free-form fields are serialized without validation: a number there that is
not finite is written as such, so that it is seen and refused."""

Number = float | None
Side = Literal["left", "right"] | None
Interval = tuple[float | None, float | None]


class ResponseModel(BaseModel):
    """Base of the models of an answer."""

    model_config = FINITE


class StrictModel(BaseModel):
    """Model that refuses undescribed fields."""

    model_config = ConfigDict(extra="forbid", **FINITE)


class Application(StrictModel):
    """Fields of every application."""

    status: Status
    reason: str | None = None


class RuleChecked(StrictModel):
    """Number of times a rule could be checked."""

    rule: str
    threshold: float
    checked: int


class Alert(StrictModel):
    """A value that was surely outside a configured range."""

    rule: str
    side: Side
    t_start_s: float
    t_end_s: float
    value: float
    ci95: Interval = Field(description="Nominal 95 %, of one frame.")
    threshold: float
    p_exceed: float
    text: str
    source: str
    note: str | None


class MonitoringSchema(Application):
    """Joint angles watched by rules."""

    checked: list[RuleChecked] = []
    alerts: list[Alert] = []


class SideDifference(StrictModel):
    """Right less left of one measure."""

    metric: str
    unit: str
    left: float
    right: float
    n: tuple[int, int]
    diff: float
    ci95: Interval = Field(description="Nominal 95 %, by Welch's t.")
    si: Number = Field(description="Symmetry index, %, of quantities with a true zero.")
    sa: Number = Field(description="Symmetry angle, %.")
    lsi: Number = Field(description="Involved over uninvolved side, %.")
    mdc: Number
    near_far: Number = Field(
        None, description="What a nearer side may differ by alone; null: no bound is known."
    )
    real: bool | None = Field(description="Null where it cannot be told.")
    reason: str | None = Field(None, description="Why there is no verdict.")
    band: Literal["under_10", "10_to_15", "over_15"] | None = Field(description="A convention.")


class CurveDistance(StrictModel):
    """Difference between the mean curves of the sides."""

    joint: str
    rmsd_deg: float
    reason: str | None = Field(
        None, description="`near_far_bias`: a nearer side is apart for that alone."
    )


class AsymmetrySchema(Application):
    """Left against right."""

    differences: list[SideDifference] = []
    curves: list[CurveDistance] = []


class TrendSchema(StrictModel):
    """A measure over the session."""

    metric: str
    side: Side
    unit: str
    n: int
    slope_per_min: float
    ci95: Interval | None = Field(description="Nominal 95 %, of the slope.")
    total_change: float
    mk_z: Number
    variance_factor: Number = Field(description="By Hamed and Rao, 1 for none.")
    p_holm: Number
    mdc: Number
    drift: bool | None = Field(description="Null without a detectable change, or a test.")
    reason: str | None = Field(None, description="Why there is no test, or no verdict.")


class FatigueSchema(Application):
    """Drift within the session."""

    trends: list[TrendSchema] = []


class JointLoad(StrictModel):
    """Travel of a joint, and seconds by zones of speed."""

    travel_deg: Number
    zones_s: list[float] | None


class LoadSchema(Application):
    """External load: counts and times, never forces."""

    repetitions: int | None = None
    steps: int | None = None
    jumps: int | None = None
    landings: int | None = None
    active_s: Number = None
    zones_deg_s: list[float] = []
    joints: dict[str, JointLoad] = {}


class JointDeviation(StrictModel):
    """Athlete less reference, not warped."""

    rmsd_deg: float
    max_dev_deg: float
    at_pct: float


class TechniqueSchema(Application):
    """The mean movement laid over that of a reference."""

    of: Literal["repetition", "stride"] | None = None
    dtw_norm: Number = Field(None, description="What still differs when warped, in tolerances.")
    timing: Number = Field(None, description="Out of step, as a share of the movement.")
    joints: dict[str, JointDeviation] = {}


class SmoothPhase(StrictModel):
    """One way of a repetition, or one stride."""

    phase: Literal["out", "back", "stride"]
    side: Side
    number: int
    t_start_s: float
    t_end_s: float
    peak_speed: Number
    sparc: Number
    ldlj: Number


class EfficiencySchema(Application):
    """Smoothness of the movement."""

    of: str | None = Field(None, description="The joint, or hip_depth.")
    sparc: Number = None
    ldlj: Number = None
    phases: list[SmoothPhase] = []


class Change(StrictModel):
    """One measure before and after."""

    metric: str
    side: Side
    unit: str
    before: float
    after: float
    delta: float
    se: Number
    ci95: Interval | None = Field(None, description="Nominal 95 %, of delta, by Welch's t.")
    mdc: Number
    near_far: Number = Field(
        None, description="What a nearer side may differ by alone; null: no bound is known."
    )
    verdict: Literal["improved", "worse", "changed", "no_detectable_change"] | None
    reason: str | None = Field(None, description="Why there is no verdict.")


class ProgressSchema(Application):
    """This result against an earlier one."""

    changes: list[Change] = []


class Comparison(StrictModel):
    """A measure in a population."""

    metric: str
    side: Side
    unit: str
    value: float
    z: Number
    percentile: Number
    percentile_ci95: Interval | None = Field(description="Nominal 95 %, by Student's t.")
    reason: str | None = Field(None, description="Why there is no interval.")
    population: str
    n: int
    source: str


class NormsSchema(Application):
    """The athlete against norms that the user supplies."""

    comparisons: list[Comparison] = []


class Applications(StrictModel):
    """The eight applications."""

    monitoring: MonitoringSchema
    asymmetry: AsymmetrySchema
    fatigue: FatigueSchema
    load: LoadSchema
    technique: TechniqueSchema
    efficiency: EfficiencySchema
    progress: ProgressSchema
    norms: NormsSchema
