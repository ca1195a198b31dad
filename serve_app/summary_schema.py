"""The schema of ``data.biomechanics_summary[]``: one person over the whole clip."""

from typing import Any, Literal

from pydantic import Field

from serve_app.application_schema import Applications, Exact, Interval, Number, Side


class SummaryCamera(Exact):
    """Facts of the camera."""

    roll_deg: float
    roll_source: Literal["assumed", "request"]
    slowmo_factor: float


class Exchanged(Exact):
    """Left and right that were put right: limbs, and seconds of the first and last frame."""

    limbs: str
    t_start: float
    t_end: float


class FilterUsed(Exact):
    """Filter and repairs of the points."""

    type: Literal["butterworth_zero_phase", "none"]
    order: int | None = None
    cutoff_hz: Number = None
    fs_hz: Number = None
    resampled: bool
    cutoff_limited: bool
    suggested_cutoff_hz: Number = Field(None, description="By residual analysis; only told.")
    swaps_fixed: list[Exchanged]
    points: dict[str, int] = Field(description="Counts: measured, outliers, filled, unsmoothed.")
    sigma_inflation: Number = Field(
        description="Noise of the clip over the deviations that the network gave, 1 or more."
    )


class Caution(Exact):
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


class JointRange(Exact):
    """One flexion, or the trunk's lean, over the clip; degrees, 0 straight or hanging."""

    min: Number = Field(description="First percentile.")
    max: Number = Field(description="99th percentile.")
    rom: Number = Field(description="Range of motion, max less min.")
    rom_ci95: Interval | None = Field(description="Nominal 95 %, of repeating the measurement.")
    peak_velocity_deg_s: Number
    t_peak_s: Number = Field(description="When it was fastest.")
    velocity_sigma_deg_s: Number = Field(description="Noise of any frame's speed.")
    signed: bool = Field(description="Forward positive; else sizes alone.")
    valid_fraction: float
    reason: str | None
    expected_error_deg: Number = Field(description="Systematic, published, of one camera.")


class PhaseSmoothness(Exact):
    """The way to the peak, or back."""

    peak_speed: Number = Field(description="Degrees (hip_depth: statures) a second.")
    sparc: Number
    ldlj: Number = Field(description="From 60 frames a second.")


class RepetitionTold(Exact):
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


class GaitEventTold(Exact):
    """A contact or toe-off."""

    kind: Literal["contact", "toe_off"]
    side: Literal["left", "right"]
    t_s: float
    frame: int


class Bout(Exact):
    """A stretch of steps, seconds."""

    t_start_s: float
    t_end_s: float


class GaitTold(Exact):
    """Walking or running, from the side."""

    running: bool
    stance_known: bool = Field(description="Whether the time on the ground can be told.")
    cadence_per_min: Number = Field(description="Steps a minute by the median step.")
    steps: int
    bouts: list[Bout]
    events: list[GaitEventTold]


class JumpTold(Exact):
    """A flight that ends on the ground it began on."""

    t_takeoff_s: float
    t_landing_s: float
    frames: tuple[int, int] = Field(description="Last before, first after.")
    flight_s: float
    height_m: Number = Field(description="g T² / 8.")
    height_error_m: Number = Field(description="What one frame makes of it.")


class LandingTold(Exact):
    """First contact after a flight."""

    t_s: float
    frame: int


class MeasureTold(Exact):
    """One value a repetition, stride, jump or landing."""

    metric: str
    side: Side
    unit: str = Field(description="deg, deg/s, s, 1/min, m, stature or 1.")
    n: int
    mean: float
    sd: Number
    t_s: list[float]
    values: list[float]


class MeanCurve(Exact):
    """Degrees at 101 points from the beginning to the end."""

    n: int
    mean: list[float]
    sd: list[float] | None


class PhasesTold(Exact):
    """The mean repetition, or stride of each side from its own contact."""

    of: Literal["repetition", "stride"]
    driver: str | None
    signed: bool
    joints: dict[str, MeanCurve]


class PersonSummary(Exact):
    """One person over the clip. With biomechanics off only ``reason`` is set."""

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
    sigma_calibrated: bool = Field(
        False, description="False: intervals are nominal until a calibration is in force."
    )
    flags: list[str] = Field([])
    limits: list[str] = Field([], description="What holds of every result.")
    config: dict[str, Any] = Field({}, description="Every threshold and weight in force.")
    quality: list[Caution] = Field([])
    length_unit: Literal["m", "stature"] | None = Field(
        None, description="Metres where a height was given, else body heights."
    )
    joints: dict[str, JointRange] = Field({})
    driver: str | None = Field(None, description="What repetitions are peaks of.")
    reps: list[RepetitionTold] = Field([])
    gait: GaitTold | None = None
    gait_reason: str | None = Field(None, description="Null: the person does not walk.")
    jumps: list[JumpTold] = Field([])
    landings: list[LandingTold] = Field([])
    measures: list[MeasureTold] = Field([], description="What the applications are made of.")
    phases: PhasesTold | None = None
    applications: Applications | None = None
