"""Define one person over the whole clip: ``biomechanics_summary[]``."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from biomech.records.application_records import Applications
from biomech.records.event_records import (
    GaitRecord,
    JumpRecord,
    LandingRecord,
    MeanMovement,
    MeasureRecord,
    RepetitionCut,
    RepetitionRecord,
)
from biomech.records.values import (
    Bounds,
    CautionCode,
    ClipView,
    CutoffSource,
    Direction,
    FilterType,
    Interval,
    Label,
    Number,
    ScoreDefinition,
    Share,
    ShoulderReference,
    SigmaSource,
    Word,
)
from biomech.skeleton import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRecord:
    """Facts of the camera."""

    roll_deg: Annotated[float, Bounds(-90, 90)]
    roll_source: Literal["assumed", "request"]
    slowmo_factor: Annotated[float, Bounds(0.01, 100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """Left and right that were put right: limbs, and seconds of the first and last frame."""

    limbs: str
    t_start: float
    t_end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRecord:
    """Filter and repairs of the points."""

    type: FilterType
    order: int | None = None
    cutoff_hz: Annotated[float, Bounds(1e-3, 1000)] | None = None
    cutoff_source: CutoffSource | None = None
    """Why this one: `recognized` where `auto` saw a run or a jump. Null: no filter."""
    fs_hz: Number = None
    resampled: bool
    cutoff_limited: bool
    suggested_cutoff_hz: Number = None
    """By residual analysis; only told."""
    swaps_fixed: list[Exchanged]
    points: dict[str, int]
    """Counts: measured, outliers, filled, unsmoothed."""
    sigma_inflation: Number
    """Noise of the clip over the deviations that the network gave, 1 or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CautionRecord:
    """Something that stands between the clip and sound numbers."""

    code: CautionCode
    detail: str
    threshold: Number = None
    """Beyond which a frame is concerned."""
    value: Number = None
    """Found, such as the factor of slow motion."""
    frames: list[tuple[int, int]]
    """First and last frame of each stretch."""
    share: Share
    """Share of the frames in which the person is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipScore:
    """One score over the clip, from its frames."""

    value: Number
    """0-100; the symmetry index 0-1."""
    definition: ScoreDefinition | None
    """Which of its definitions the value is made by; null where it has one only."""
    components: dict[str, Number]
    """Means of the same frames, each 0-1."""
    coverage: float
    """Share of the components' weights that were known."""
    frames_share: float
    """Share of the person's frames that have a value."""
    reason: str | None
    """Why the value is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRange:
    """Range of an angle in the frames of some views, degrees."""

    min: Number
    max: Number
    rom: Number
    valid_fraction: float
    """Share of the person's frames that it is of."""
    reason: Word | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JointRange:
    """One flexion, or the trunk's lean, over the clip; degrees, 0 straight or hanging."""

    min: Number
    """Least that lasts a tenth of a second in all."""
    max: Number
    """Greatest that does."""
    rom: Number
    """Range of motion, max less min."""
    rom_ci95: Interval | None
    """Nominal 95 %, of repeating the measurement."""
    peak_velocity_deg_s: Number
    t_peak_s: Number
    """When it was fastest."""
    velocity_sigma_deg_s: Number
    """Noise of any frame's speed."""
    signed: bool
    """Forward positive; else sizes alone."""
    valid_fraction: float
    reason: Word | None
    expected_error_deg: Number
    """Systematic, published, of one camera."""
    included: PartRange | None
    """Range of the angle without a sign, in all views that show it; null for the trunk."""
    sagittal: PartRange
    """Range of the signed flexion, in frames from the side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSummary:
    """One person over the clip. With biomechanics off only ``reason`` is set."""

    person_id: int
    definitions: Label
    """Version of the definitions."""
    reason: Label | None = None
    """`disabled` where biomechanics are off."""
    model: str | None = None
    """That made most of the poses."""
    movement: Label | None = None
    view: ClipView | None = None
    near_side: Side | None = None
    """Nearer to the camera, from the side; null where the person turns around."""
    camera: CameraRecord | None = None
    filter: FilterRecord | None = None
    stature_px: Annotated[float, Bounds(1e-9, 1e6)] | None = None
    height_m: Annotated[float, Bounds(0.4, 2.8)] | None = None
    """Null unknown, or where the scale drifts."""
    shoulder_reference: ShoulderReference | None = None
    sigma_source: SigmaSource | None = None
    sigma_calibrated: bool = False
    """False: intervals are nominal until a calibration is in force."""
    flags: list[Label] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    """Limits that apply to every result."""
    config: dict[str, Any] = field(default_factory=dict)
    """Every threshold and weight in force."""
    quality: list[CautionRecord] = field(default_factory=list)
    scores: dict[str, ClipScore] = field(default_factory=dict)
    """pose_quality, stability_score, symmetry_index, athletic_readiness."""
    length_unit: Literal["m", "stature"] | None = None
    """Metres where a height was given, else body heights."""
    joints: dict[str, JointRange] = field(default_factory=dict)
    driver: Word | None = None
    """Quantity whose peaks are the repetitions."""
    direction: Direction | None = None
    """Way of the driver from rest: extension where the person rests bent."""
    reps: list[RepetitionRecord] = field(default_factory=list)
    """None of steps: see `gait`."""
    reps_cut: list[RepetitionCut] = field(default_factory=list)
    reps_reason: str | None = None
    """Why there are none: `locomotion`, `no_repetition`."""
    gait: GaitRecord | None = None
    gait_reason: str | None = None
    """Null: the person does not walk."""
    jumps: list[JumpRecord] = field(default_factory=list)
    landings: list[LandingRecord] = field(default_factory=list)
    measures: list[MeasureRecord] = field(default_factory=list)
    """Inputs of the applications."""
    phases: MeanMovement | None = None
    applications: Applications | None = None
