"""The schema of ``data.biomechanics_summary[]``: one person over the whole clip."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from biomech.applications.outcome import Status

Number = float | None
Side = Literal["left", "right"] | None
Interval = tuple[float | None, float | None]


class _Exact(BaseModel):
    """Nothing is told that is not described."""

    model_config = ConfigDict(extra="forbid")


class SummaryCamera(_Exact):
    """What was known of the camera."""

    roll_deg: float
    roll_source: Literal["assumed", "request"]
    slowmo_factor: float


class Exchanged(_Exact):
    """Left and right that were put right: limbs, and seconds of the first and last frame."""

    limbs: str
    t_start: float
    t_end: float


class FilterUsed(_Exact):
    """What smoothed and repaired the points."""

    type: Literal["butterworth_zero_phase", "none"]
    order: int | None = None
    cutoff_hz: Number = None
    fs_hz: Number = None
    resampled: bool
    cutoff_limited: bool
    suggested_cutoff_hz: Number = Field(None, description="By residual analysis; only told.")
    swaps_fixed: list[Exchanged]
    points: dict[str, int] = Field(description="Counts: measured, outliers, filled, unsmoothed.")
    sigma_inflation: Number


class Caution(_Exact):
    """Something that stands between the clip and sound numbers."""

    code: Literal[
        "low_frame_rate",
        "out_of_plane",
        "truncated",
        "several_people",
        "low_confidence",
        "blur",
        "camera_motion",
    ]
    detail: str
    threshold: Number = Field(None, description="Beyond which a frame is concerned.")
    frames: list[tuple[int, int]] = Field(description="First and last frame of each stretch.")
    share: float = Field(description="Of the frames in which the person is.")


class JointRange(_Exact):
    """One flexion, or the trunk's lean, over the clip; degrees, 0 straight or hanging."""

    min: Number = Field(description="First percentile.")
    max: Number = Field(description="99th percentile.")
    rom: Number = Field(description="Range of motion, max less min.")
    rom_ci95: Interval | None
    peak_velocity_deg_s: Number
    t_peak_s: Number = Field(description="When it was fastest.")
    velocity_sigma_deg_s: Number = Field(description="Noise of any frame's speed.")
    signed: bool = Field(description="Forward positive; else sizes alone.")
    valid_fraction: float
    reason: str | None
    expected_error_deg: Number = Field(description="Systematic, published, of one camera.")


class PhaseSmoothness(_Exact):
    """The way to the peak, or back."""

    peak_speed: Number = Field(description="Degrees (hip_depth: statures) a second.")
    sparc: Number
    ldlj: Number = Field(description="From 60 frames a second.")


class RepetitionTold(_Exact):
    """One repetition. Times of start and end are where a tenth of the way is done, or left."""

    number: int
    t_start_s: float
    t_peak_s: float
    t_end_s: float
    duration_s: float
    frames: tuple[int, int, int] = Field(description="Valley, peak, valley.")
    peak_deg: dict[str, Number]
    rom_deg: dict[str, Number]
    out: PhaseSmoothness
    back: PhaseSmoothness


class GaitEventTold(_Exact):
    """A contact or toe-off."""

    kind: Literal["contact", "toe_off"]
    side: Literal["left", "right"]
    t_s: float
    frame: int


class Bout(_Exact):
    """A stretch of steps, seconds."""

    t_start_s: float
    t_end_s: float


class GaitTold(_Exact):
    """Walking or running, from the side."""

    running: bool
    stance_known: bool = Field(description="Whether the time on the ground can be told.")
    cadence_per_min: Number = Field(description="Steps a minute by the median step.")
    steps: int
    bouts: list[Bout]
    events: list[GaitEventTold]


class JumpTold(_Exact):
    """A flight that ends on the ground it began on."""

    t_takeoff_s: float
    t_landing_s: float
    frames: tuple[int, int] = Field(description="Last before, first after.")
    flight_s: float
    height_m: Number = Field(description="g T² / 8.")
    height_error_m: Number = Field(description="What one frame makes of it.")


class LandingTold(_Exact):
    """First contact after a flight."""

    t_s: float
    frame: int


class MeasureTold(_Exact):
    """One value a repetition, stride, jump or landing."""

    metric: str
    side: Side
    unit: str = Field(description="deg, deg/s, s, 1/min, m, stature or 1.")
    n: int
    mean: float
    sd: Number
    t_s: list[float]
    values: list[float]


class MeanCurve(_Exact):
    """Degrees at 101 points from the beginning to the end."""

    n: int
    mean: list[float]
    sd: list[float] | None


class PhasesTold(_Exact):
    """The mean repetition, or stride of each side from its own contact."""

    of: Literal["repetition", "stride"]
    driver: str | None
    signed: bool
    joints: dict[str, MeanCurve]


class Application(_Exact):
    """What every application tells."""

    status: Status
    reason: str | None = None


class RuleChecked(_Exact):
    """How often a rule could be held against something."""

    rule: str
    threshold: float
    checked: int


class Alert(_Exact):
    """A value that was surely outside a configured range."""

    rule: str
    side: Side
    t_start_s: float
    t_end_s: float
    value: float
    ci95: Interval
    threshold: float
    p_exceed: float
    text: str
    source: str
    note: str | None


class MonitoringTold(Application):
    """Joint angles watched by rules."""

    checked: list[RuleChecked] = []
    alerts: list[Alert] = []


class Difference(_Exact):
    """Right less left of one measure."""

    metric: str
    unit: str
    left: float
    right: float
    n: tuple[int, int]
    diff: float
    ci95: Interval
    si: Number = Field(description="Symmetry index, %, of quantities with a true zero.")
    sa: Number = Field(description="Symmetry angle, %.")
    lsi: Number = Field(description="Involved over uninvolved side, %.")
    mdc: Number
    real: bool | None = Field(description="Null without a detectable change.")
    band: Literal["under_10", "10_to_15", "over_15"] | None = Field(description="A convention.")


class CurveDistance(_Exact):
    """How far the mean curves of the sides are apart."""

    joint: str
    rmsd_deg: float


class AsymmetryTold(Application):
    """Left against right."""

    differences: list[Difference] = []
    curves: list[CurveDistance] = []


class TrendTold(_Exact):
    """A measure over the session."""

    metric: str
    side: Side
    unit: str
    n: int
    slope_per_min: float
    ci95: Interval
    total_change: float
    mk_z: float
    variance_factor: float = Field(description="By Hamed and Rao, 1 for none.")
    p_holm: float
    mdc: Number
    drift: bool | None = Field(description="Null without a detectable change.")


class FatigueTold(Application):
    """Drift within the session."""

    trends: list[TrendTold] = []


class JointLoad(_Exact):
    """How far a joint turned, and seconds by zones of speed."""

    travel_deg: Number
    zones_s: list[float] | None


class LoadTold(Application):
    """External load: counts and times, never forces."""

    repetitions: int | None = None
    steps: int | None = None
    jumps: int | None = None
    landings: int | None = None
    active_s: Number = None
    zones_deg_s: list[float] = []
    joints: dict[str, JointLoad] = {}


class JointDeviation(_Exact):
    """Athlete less reference, not warped."""

    rmsd_deg: float
    max_dev_deg: float
    at_pct: float


class TechniqueTold(Application):
    """The mean movement laid over that of a reference."""

    of: Literal["repetition", "stride"] | None = None
    dtw_norm: Number = Field(None, description="What still differs when warped, in tolerances.")
    timing: Number = Field(None, description="Out of step, as a share of the movement.")
    joints: dict[str, JointDeviation] = {}


class SmoothPhase(_Exact):
    """One way of a repetition, or one stride."""

    phase: Literal["out", "back", "stride"]
    side: Side
    number: int
    t_start_s: float
    t_end_s: float
    peak_speed: Number
    sparc: Number
    ldlj: Number


class EfficiencyTold(Application):
    """How smooth the movement is."""

    of: str | None = Field(None, description="The joint, or hip_depth.")
    sparc: Number = None
    ldlj: Number = None
    phases: list[SmoothPhase] = []


class Change(_Exact):
    """One measure before and after."""

    metric: str
    side: Side
    unit: str
    before: float
    after: float
    delta: float
    se: Number
    mdc: Number
    verdict: Literal["improved", "worse", "changed", "no_detectable_change"] | None


class ProgressTold(Application):
    """This result against an earlier one."""

    changes: list[Change] = []


class Comparison(_Exact):
    """A measure in a population."""

    metric: str
    side: Side
    unit: str
    value: float
    z: Number
    percentile: Number
    percentile_ci95: Interval | None
    population: str
    n: int
    source: str


class NormsTold(Application):
    """The athlete against norms that the user supplies."""

    comparisons: list[Comparison] = []


class Applications(_Exact):
    """The eight applications."""

    monitoring: MonitoringTold
    asymmetry: AsymmetryTold
    fatigue: FatigueTold
    load: LoadTold
    technique: TechniqueTold
    efficiency: EfficiencyTold
    progress: ProgressTold
    norms: NormsTold


class PersonSummary(_Exact):
    """One person over the clip. Where biomechanics are off only ``reason`` is told."""

    person_id: int
    definitions: str = Field(description="Version of the definitions.")
    reason: str | None = Field(None, description="`disabled` where biomechanics are off.")
    model: str | None = Field(None, description="That made most of the poses.")
    movement: str | None = None
    view: Literal["sagittal", "frontal", "oblique"] | None = None
    camera: SummaryCamera | None = None
    filter: FilterUsed | None = None
    stature_px: Number = None
    height_m: Number = Field(None, description="Null unknown, or where the scale drifts.")
    shoulder_reference: Literal["trunk", "ipsilateral"] | None = None
    sigma_source: Literal["model", "oks_prior", "mixed"] | None = None
    sigma_calibrated: bool = False
    flags: list[str] = []
    limits: list[str] = Field([], description="What holds of every result.")
    config: dict[str, Any] = Field({}, description="Every threshold and weight in force.")
    quality: list[Caution] = []
    length_unit: Literal["m", "stature"] | None = Field(
        None, description="Metres where a height was given, else body heights."
    )
    joints: dict[str, JointRange] = {}
    driver: str | None = Field(None, description="What repetitions are peaks of.")
    reps: list[RepetitionTold] = []
    gait: GaitTold | None = None
    gait_reason: str | None = Field(None, description="Null: the person does not walk.")
    jumps: list[JumpTold] = []
    landings: list[LandingTold] = []
    measures: list[MeasureTold] = Field([], description="What the applications are made of.")
    phases: PhasesTold | None = None
    applications: Applications | None = None
