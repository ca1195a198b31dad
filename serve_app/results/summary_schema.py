"""Define the schema of ``data.biomechanics_summary[]``: one person over the whole clip."""

from typing import Any, Literal

from pydantic import Field

from serve_app.results.application_schema import Applications, Interval, Number, Side, StrictModel


class SummaryCamera(StrictModel):
    """Facts of the camera."""

    roll_deg: float
    roll_source: Literal["assumed", "request"]
    slowmo_factor: float


class Exchanged(StrictModel):
    """Left and right that were put right: limbs, and seconds of the first and last frame."""

    limbs: str
    t_start: float
    t_end: float


class FilterUsed(StrictModel):
    """Filter and repairs of the points."""

    type: Literal["butterworth_zero_phase", "none"]
    order: int | None = None
    cutoff_hz: Number = None
    cutoff_source: Literal["default", "request", "movement", "recognized"] | None = Field(
        None,
        description="Why this one: `recognized` where `auto` saw a run or a jump. Null: no filter.",
    )
    fs_hz: Number = None
    resampled: bool
    cutoff_limited: bool
    suggested_cutoff_hz: Number = Field(None, description="By residual analysis; only told.")
    swaps_fixed: list[Exchanged]
    points: dict[str, int] = Field(description="Counts: measured, outliers, filled, unsmoothed.")
    sigma_inflation: Number = Field(
        description="Noise of the clip over the deviations that the network gave, 1 or more."
    )


class CautionSchema(StrictModel):
    """Something that stands between the clip and sound numbers."""

    code: Literal[
        "low_frame_rate",
        "out_of_plane",
        "truncated",
        "several_people",
        "low_confidence",
        "blur",
        "camera_motion",
        "slow_motion_suspected",
    ]
    detail: str
    threshold: Number = Field(None, description="Beyond which a frame is concerned.")
    value: Number = Field(None, description="Found, such as the factor of slow motion.")
    frames: list[tuple[int, int]] = Field(description="First and last frame of each stretch.")
    share: float = Field(description="Of the frames in which the person is.")


class PartRange(StrictModel):
    """Range of an angle in the frames of some views, degrees."""

    min: Number
    max: Number
    rom: Number
    valid_fraction: float = Field(description="Share of the person's frames that it is of.")
    reason: str | None


class ClipScore(StrictModel):
    """One score over the clip, from its frames."""

    value: Number = Field(description="0-100; the symmetry index 0-1.")
    definition: Literal["standing", "static", "gait", "posture"] | None = Field(
        description="Which of its definitions the value is made by; null where it has one only."
    )
    components: dict[str, Number] = Field(description="Means of the same frames, each 0-1.")
    coverage: float = Field(description="Share of the components' weights that were known.")
    frames_share: float = Field(description="Share of the person's frames that have a value.")
    reason: str | None = Field(description="Why the value is null.")


class JointRange(StrictModel):
    """One flexion, or the trunk's lean, over the clip; degrees, 0 straight or hanging."""

    min: Number = Field(description="Least that lasts a tenth of a second in all.")
    max: Number = Field(description="Greatest that does.")
    rom: Number = Field(description="Range of motion, max less min.")
    rom_ci95: Interval | None = Field(description="Nominal 95 %, of repeating the measurement.")
    peak_velocity_deg_s: Number
    t_peak_s: Number = Field(description="When it was fastest.")
    velocity_sigma_deg_s: Number = Field(description="Noise of any frame's speed.")
    signed: bool = Field(description="Forward positive; else sizes alone.")
    valid_fraction: float
    reason: str | None
    expected_error_deg: Number = Field(description="Systematic, published, of one camera.")
    included: PartRange | None = Field(
        description="Of the angle without a sign, in all views that show it; null of the trunk."
    )
    sagittal: PartRange = Field(description="Of the signed flexion, in frames from the side.")


class PhaseSmoothness(StrictModel):
    """The way to the peak, or back."""

    peak_speed: Number = Field(description="Degrees (hip_depth: statures) a second.")
    sparc: Number
    ldlj: Number = Field(description="From 60 frames a second.")


class RepetitionSchema(StrictModel):
    """One repetition. Times of start and end are where a tenth of the way is done, or left."""

    number: int
    t_start_s: float
    t_peak_s: float
    t_end_s: float
    duration_s: float
    frames: tuple[int, int, int] = Field(description="Valley, peak, valley.")
    depth: float = Field(description="Way of the driver; degrees (hip_depth: statures).")
    depth_share: float = Field(description="Of the typical depth, 1 is as deep.")
    depth_class: Literal["full", "partial"] = Field(description="Full from a share of 0.8 on.")
    peak_deg: dict[str, Number]
    rom_deg: dict[str, Number]
    out: PhaseSmoothness
    back: PhaseSmoothness


class RepetitionCut(StrictModel):
    """A repetition of which a stretch of frames shows only half: not counted."""

    t_s: float = Field(description="First or last frame in which it is seen.")
    depth: float


class GaitEventSchema(StrictModel):
    """A contact or toe-off."""

    kind: Literal["contact", "toe_off"]
    side: Literal["left", "right"]
    t_s: float
    frame: int


class Bout(StrictModel):
    """A stretch of steps, seconds."""

    t_start_s: float
    t_end_s: float


class GaitSchema(StrictModel):
    """Walking or running, from the side."""

    running: bool
    stance_known: bool = Field(
        description="Whether the measures `stance_time` and `step_length` are given."
    )
    stance_reason: str | None = Field(
        None, description="`no_foot_points`: ankles alone do not say when a foot is on the ground."
    )
    event_error_s: Number = Field(None, description="By which events are off at most.")
    cadence_per_min: Number = Field(description="Steps a minute by the median step.")
    steps: int
    bouts: list[Bout]
    events: list[GaitEventSchema]


class JumpSchema(StrictModel):
    """A flight that ends on the ground it began on."""

    t_takeoff_s: float = Field(description="The middle of its range.")
    t_takeoff_range_s: tuple[float, float] | None = Field(
        None, description="First and last time at which the feet may have left the ground."
    )
    t_landing_s: float = Field(description="The middle of its range.")
    t_landing_range_s: tuple[float, float] | None = None
    frames: tuple[int, int] = Field(description="Last before, first after, by the ankles.")
    flight_s: Number = Field(description="Null with `height_m`.")
    flight_range_s: tuple[float, float] | None = Field(None, description="Least and greatest.")
    height_m: Number = Field(description="The middle of its range.")
    height_error_m: Number = Field(description="Half of its range: the nominal 95 % interval.")
    height_range_m: tuple[float, float] | None = Field(
        None, description="g T² / 8 of the least and the greatest time in the air."
    )
    reason: str | None = Field(
        None,
        description="Why there is no height: `contact_uncertain` where its range is too wide, "
        "`no_free_fall` where the ankles' path does not fit a foot that rolls and falls.",
    )


class LandingSchema(StrictModel):
    """First contact after a flight."""

    t_s: float = Field(description="The middle of its range.")
    t_range_s: tuple[float, float] | None = Field(
        None, description="First and last time at which the feet may have met the ground."
    )
    frame: int = Field(description="First in which the ankles are down.")


class MeasureSchema(StrictModel):
    """One value a repetition, stride, jump or landing."""

    metric: str
    side: Side
    unit: str = Field(description="deg, deg/s, s, 1/min, m, stature or 1.")
    n: int
    mean: float
    sd: Number
    t_s: list[float]
    values: list[float]
    sigma: list[float] | None = Field(
        None, description="Standard deviation of each value, where contacts make it uncertain."
    )


class MeanCurve(StrictModel):
    """Degrees at 101 points from the beginning to the end."""

    n: int
    mean: list[float]
    sd: list[float] | None


class PhasesSchema(StrictModel):
    """The mean repetition, or stride of each side from its own contact."""

    of: Literal["repetition", "stride"]
    driver: str | None
    direction: Literal["flexion", "extension"] | None
    signed: bool
    joints: dict[str, MeanCurve]


class PersonSummary(StrictModel):
    """One person over the clip. With biomechanics off only ``reason`` is set."""

    person_id: int
    definitions: str = Field(description="Version of the definitions.")
    reason: str | None = Field(None, description="`disabled` where biomechanics are off.")
    model: str | None = Field(None, description="That made most of the poses.")
    movement: str | None = None
    view: Literal["sagittal", "frontal", "oblique"] | None = None
    near_side: Literal["left", "right"] | None = Field(
        None, description="Nearer to the camera, from the side; null where the person turns around."
    )
    camera: SummaryCamera | None = None
    filter: FilterUsed | None = None
    stature_px: Number = None
    height_m: Number = Field(None, description="Null unknown, or where the scale drifts.")
    shoulder_reference: Literal["trunk", "ipsilateral"] | None = None
    sigma_source: Literal["model", "oks_prior", "mixed"] | None = None
    sigma_calibrated: bool = Field(
        False, description="False: intervals are nominal until a calibration is in force."
    )
    flags: list[str] = Field([])
    limits: list[str] = Field([], description="What holds of every result.")
    config: dict[str, Any] = Field({}, description="Every threshold and weight in force.")
    quality: list[CautionSchema] = Field([])
    scores: dict[str, ClipScore] = Field(
        {}, description="pose_quality, stability_score, symmetry_index, athletic_readiness."
    )
    length_unit: Literal["m", "stature"] | None = Field(
        None, description="Metres where a height was given, else body heights."
    )
    joints: dict[str, JointRange] = Field({})
    driver: str | None = Field(None, description="What repetitions are peaks of.")
    direction: Literal["flexion", "extension"] | None = Field(
        None, description="Way of the driver from rest: extension where the person rests bent."
    )
    reps: list[RepetitionSchema] = Field([], description="None of steps: see `gait`.")
    reps_cut: list[RepetitionCut] = Field([])
    reps_reason: str | None = Field(
        None, description="Why there are none: `locomotion`, `no_repetition`."
    )
    gait: GaitSchema | None = None
    gait_reason: str | None = Field(None, description="Null: the person does not walk.")
    jumps: list[JumpSchema] = Field([])
    landings: list[LandingSchema] = Field([])
    measures: list[MeasureSchema] = Field([], description="What the applications are made of.")
    phases: PhasesSchema | None = None
    applications: Applications | None = None
