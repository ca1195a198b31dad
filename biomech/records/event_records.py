"""Define the events of a clip in its result: repetitions, gait, jumps, landings and measures."""

from dataclasses import dataclass, field
from typing import Literal

from biomech.records.values import ABSENT, Count, Direction, Number, Unit, Word
from biomech.skeleton import Side

EventKind = Literal["contact", "toe_off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSmoothness:
    """The way to the peak, or back."""

    peak_speed: Number
    """Degrees (hip_depth: statures) a second."""
    sparc: Number
    ldlj: Number
    """From 60 frames a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepetitionRecord:
    """One repetition. Times of start and end are where a tenth of the way is done, or left."""

    number: int
    t_start_s: float
    t_peak_s: float
    t_end_s: float
    duration_s: float
    frames: tuple[int, int, int]
    """Valley, peak, valley."""
    depth: float
    """Way of the driver; degrees (hip_depth: statures)."""
    depth_share: float
    """Share of the typical depth; 1 is as deep."""
    depth_class: Literal["full", "partial"]
    """Full from a share of 0.8 on."""
    peak_deg: dict[str, Number]
    rom_deg: dict[str, Number]
    out: PhaseSmoothness
    back: PhaseSmoothness
    by_hand: bool | None = field(default=None, metadata=ABSENT)
    """True if somebody set its bounds; else absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepetitionCut:
    """A repetition of which a stretch of frames shows only half: not counted."""

    t_s: float
    """First or last frame in which it is seen."""
    depth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GaitEventRecord:
    """A contact or toe-off."""

    kind: EventKind
    side: Side
    t_s: float
    frame: int
    by_hand: bool | None = field(default=None, metadata=ABSENT)
    """True if somebody set it; else absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bout:
    """A stretch of steps, seconds."""

    t_start_s: float
    t_end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GaitRecord:
    """Walking or running, from the side."""

    running: bool
    stance_known: bool
    """True if the measures `stance_time` and `step_length` are given."""
    stance_reason: str | None = None
    """`no_foot_points`: ankles alone do not say when a foot is on the ground."""
    event_error_s: Number = None
    """By which events are off at most."""
    cadence_per_min: Number
    """Steps a minute by the median step."""
    steps: int
    bouts: list[Bout]
    events: list[GaitEventRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpRecord:
    """A flight that ends on the ground it began on."""

    t_takeoff_s: float
    """The middle of its range."""
    t_takeoff_range_s: tuple[float, float] | None = None
    """First and last time at which the feet may have left the ground."""
    t_landing_s: float
    """The middle of its range."""
    t_landing_range_s: tuple[float, float] | None = None
    frames: tuple[int, int]
    """Last before, first after, by the ankles."""
    flight_s: Number
    """Null with `height_m`."""
    flight_range_s: tuple[float, float] | None = None
    """Least and greatest."""
    height_m: Number
    """The middle of its range."""
    height_error_m: Number
    """Half of its range: the nominal 95 % interval."""
    height_range_m: tuple[float, float] | None = None
    """g T² / 8 of the least and the greatest time in the air."""
    reason: str | None = None
    """Why no height: `contact_uncertain`, or `no_free_fall` where ankles do not roll and fall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingRecord:
    """First contact after a flight."""

    t_s: float
    """The middle of its range."""
    t_range_s: tuple[float, float] | None = None
    """First and last time at which the feet may have met the ground."""
    frame: int
    """First in which the ankles are down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRecord:
    """One value a repetition, stride, jump or landing."""

    metric: Word
    side: Side | None
    unit: Unit
    """deg, deg/s, s, 1/min, m, stature or 1."""
    n: Count
    mean: float
    sd: Number
    t_s: list[float]
    values: list[float]
    sigma: list[float] | None = None
    """Standard deviation of each value, where contacts make it uncertain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanCurve:
    """Degrees at 101 points from the beginning to the end."""

    n: int
    mean: list[float]
    sd: list[float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanMovement:
    """The mean repetition, or stride of each side from its own contact."""

    of: Literal["repetition", "stride"]
    driver: Word | None
    direction: Direction | None
    signed: bool
    joints: dict[str, MeanCurve]
