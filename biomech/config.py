"""Define every threshold and weight of the definitions; each result repeats them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final, get_args

from biomech.applications.norms_and_limits import NOTHING_SUPPLIED, Supplied
from biomech.records.values import CutoffSource

DEFINITIONS = "bm-2"
"""Version of the definitions; it changes whenever the meaning of a number changes."""

CONFIDENCE_THRESHOLD: Final = 0.3
"""Keypoints of a lower score are missing, unless the settings or a request say otherwise."""

AUTO: Final = "auto"
RUN: Final = "run"
JUMP: Final = "jump"

CUTOFFS_HZ: Final[Mapping[str, float]] = {
    AUTO: 6.0,
    "squat": 6.0,
    "gait": 6.0,
    RUN: 10.0,
    JUMP: 10.0,
    "throw": 12.0,
}
"""Cut-off of the low-pass filter by the movement that a caller names."""

CUTOFF_SOURCES: Final = get_args(CutoffSource)

_DIVISORS: Final = (
    "symmetry_span_deg",
    "lean_span_deg",
    "tilt_span_deg",
    "sway_scale",
    "sway_smooth_s",
    "regularity_span_deg",
    "rhythm_scale",
    "gait_symmetry_span_deg",
    "step_time_span",
    "cutoff_hz",
)


@dataclass(frozen=True, slots=True)
class BiomechanicsConfig:
    """Thresholds and weights. Lengths are shares of stature H, speeds H a second, angles degrees.

    Attributes:
        min_score: keypoints with a lower score are missing.
        cutoff_hz: of the low-pass filter; at most 0.4 times the frame rate is used.
        cutoff_source: ``default``, or chosen by the caller's ``request``, by the named ``movement``
            or by the movement ``recognized`` in the clip.
        max_gap_s, gap_neighbours: longest gap to fill, and the fewest points on either side.
        swap_switch, swap_tolerance, swap_longest_s, swap_least_gain: see
            :class:`biomech.preprocessing.repair.SwapCosts`.
        outlier_window_s: half the window of the Hampel filter.
        outlier_deviations, outlier_floor_px: an outlier is off the median by more than this number
            of deviations; a deviation is at least the floor.
        outlier_score, outlier_bone: an outlier also has a lower score than this, or a limb that is
            off its usual length by more than this share, because fast wrists are real.
        frontal_ratio, sagittal_ratio: shoulder width over its width seen from the front, at or
            above and at or below which a view is frontal or sagittal; between is oblique.
        level_ratio: the same ratio below which level differences are not given.
        view_window_s, view_hysteresis: smoothing of the view's class.
        facing_window_s: window of the travel that votes for the direction faced.
        facing_speed: speed of travel that votes. facing_knee_deg, facing_hip_deg: flexions that
            vote, beyond the backward range of a knee or a hip.
        near_side_share: in a sagittal track whose far shoulder or hip is missing in more than this
            share of frames, the trunk is the line of the near ones.
        min_segment_share: a segment shorter than this share of its reference has no direction.
        min_segment_sigmas: the same for a segment shorter than this number of standard deviations
            of its ends.
        interval_segment_sigmas: an angle has no closed-form interval if a segment is shorter than
            this number of standard deviations.
        out_of_plane_share: a segment shorter than this is flagged as turned out of the plane.
        scale_drift: coefficient of variation of apparent size above which metres are not given.
        near_fold_sigmas: an unsigned angle this near an end of its range is flagged as biased.
        sigma_roll_deg: standard deviation of the camera's roll if it is assumed level.
        min_quality: pose quality below which the other scores are null.
        min_coverage: share of a score's weights that must be present.
        min_mass: share of body mass that must be seen for the center of mass.
        symmetry_span_deg, lean_span_deg, tilt_span_deg: difference that scores 0.
        contact_height, contact_speed: an ankle this near the lower one, this slow, is grounded.
        locomotion_speed: sagittal travel above which balance is not judged.
        half_foot_breadth, foot_length, heel_share: base of support.
        omega0_default: rad/s of the inverted pendulum if the height is unknown.
        shank_upright: lowest height of a knee over its ankle for that foot to bear weight.
        least_com_height: lowest center of mass over the lower ankle of a person who stands.
        hand_height: height over the lower ankle below which a wrist may bear weight.
        unsupported: mean distance of the center of mass from the base above which something other
            than the feet bears weight.
        seat_height, seat_speed: height of the hips over the knees, and rms of their speed, below
            which a seat and a crouch look alike from the front.
        sway_window_s, sway_min_span_s: window of sway, and the shortest measured part of it.
        sway_smooth_s: window over which the velocity of the center of mass is averaged.
        sway_scale: rms sway that halves the sway component.
        sway_least_turn: radians a second of the knees above which horizontal motion correlated
            with them counts as movement, not as sway.
        sway_most_noise: noise of the sway above which sway is unknown, as a share of its scale.
        stability_weights: margin, sway.
        gait_stability_weights: regularity, rhythm.
        regularity_span_deg: distance of a stride's curves from the others' mean that scores 0.
        rhythm_scale: coefficient of variation of stride times that halves the rhythm component.
        gait_symmetry_span_deg: distance of the sides' mean curves that scores 0.
        step_time_span: difference of the sides' step times over their mean that scores 0.
        readiness_weights: stability, symmetry, alignment, smoothness, pace.
        readiness_parts: minimum number of known components.
        pace_repetitions: minimum number of repetitions to compare with the fastest.
        active_speed_deg_s: speed of a joint above which the person counts as in motion.
        speed_zones_deg_s: bounds of the speed zones; engineering values.

    Raises:
        ValueError: a field is negative, a pair is out of order, or a source is unknown; names the
            field.
    """

    min_score: float = CONFIDENCE_THRESHOLD
    cutoff_hz: float = CUTOFFS_HZ[AUTO]
    cutoff_source: CutoffSource = "default"
    max_gap_s: float = 0.20
    gap_neighbours: int = 3
    swap_switch: float = 9.0
    swap_tolerance: float = 0.02
    swap_longest_s: float = 0.5
    swap_least_gain: float = 0.5
    outlier_window_s: float = 0.117
    outlier_deviations: float = 3.0
    outlier_floor_px: float = 0.5
    outlier_score: float = 0.7
    outlier_bone: float = 0.30
    frontal_ratio: float = 0.87
    sagittal_ratio: float = 0.50
    level_ratio: float = 0.70
    view_window_s: float = 1.0
    view_hysteresis: float = 0.05
    facing_window_s: float = 0.5
    facing_speed: float = 0.3
    facing_knee_deg: float = 30.0
    facing_hip_deg: float = 60.0
    near_side_share: float = 0.5
    min_segment_share: float = 0.15
    min_segment_sigmas: float = 3.0
    interval_segment_sigmas: float = 4.0
    out_of_plane_share: float = 0.87
    scale_drift: float = 0.15
    near_fold_sigmas: float = 2.0
    sigma_roll_deg: float = 2.0
    min_quality: float = 50.0
    min_coverage: float = 0.5
    min_mass: float = 0.85
    symmetry_span_deg: float = 60.0
    lean_span_deg: float = 20.0
    tilt_span_deg: float = 10.0
    contact_height: float = 0.04
    contact_speed: float = 0.3
    locomotion_speed: float = 0.3
    half_foot_breadth: float = 0.0275
    foot_length: float = 0.152
    heel_share: float = 0.25
    omega0_default: float = 3.2
    sway_window_s: float = 1.0
    sway_min_span_s: float = 0.4
    shank_upright: float = 0.12
    least_com_height: float = 0.15
    hand_height: float = 0.06
    unsupported: float = 0.03
    seat_height: float = 0.085
    seat_speed: float = 0.05
    sway_smooth_s: float = 0.3
    sway_scale: float = 0.015
    sway_least_turn: float = 0.2
    sway_most_noise: float = 2.0
    stability_weights: tuple[float, float] = (0.6, 0.4)
    gait_stability_weights: tuple[float, float] = (0.6, 0.4)
    regularity_span_deg: float = 20.0
    rhythm_scale: float = 0.05
    gait_symmetry_span_deg: float = 30.0
    step_time_span: float = 0.5
    readiness_weights: tuple[float, float, float, float, float] = (0.24, 0.24, 0.16, 0.16, 0.20)
    readiness_parts: int = 3
    pace_repetitions: int = 3
    active_speed_deg_s: float = 20.0
    speed_zones_deg_s: tuple[float, ...] = (50.0, 150.0, 300.0)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "cutoff_source":
                if value not in CUTOFF_SOURCES:
                    raise ValueError(f"cutoff_source is {value}, must be one of {CUTOFF_SOURCES}")
                continue
            # The comparison is negated so that NaN is refused too.
            if not all(v >= 0 for v in (value if isinstance(value, tuple) else (value,))):
                raise ValueError(f"{item.name} is {value}, must not be negative")
        for name in _DIVISORS:
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must not be 0")
        if self.sagittal_ratio + 2 * self.view_hysteresis >= self.frontal_ratio:
            raise ValueError("sagittal_ratio and frontal_ratio leave no room between them")
        if list(self.speed_zones_deg_s) != sorted(set(self.speed_zones_deg_s)):
            raise ValueError("speed_zones_deg_s must ascend")
        for name in ("stability_weights", "gait_stability_weights", "readiness_weights"):
            if abs(sum(getattr(self, name)) - 1) > 1e-9:
                raise ValueError(f"{name} must sum to 1")


@dataclass(frozen=True, slots=True)
class Subject:
    """Data of the athlete that the pictures do not show.

    Attributes:
        height_m: stature in metres, None unknown. sex: ``male`` or ``female``, None unknown.
        involved_side: ``left`` or ``right``, the one that was injured; None where there is none.

    Raises:
        ValueError: not a height of a human in metres, or another word for the sex or the side.
    """

    height_m: float | None = None
    sex: str | None = None
    involved_side: str | None = None

    def __post_init__(self) -> None:
        if self.height_m is not None and not 0.4 <= self.height_m <= 2.8:
            raise ValueError(f"height_m is {self.height_m}, must be 0.4 to 2.8")
        if self.sex not in (None, "male", "female"):
            raise ValueError(f"sex is {self.sex!r}, must be male, female or None")
        if self.involved_side not in (None, "left", "right"):
            raise ValueError(
                f"involved_side is {self.involved_side!r}, must be left, right or None"
            )


@dataclass(frozen=True, slots=True)
class Camera:
    """Data of the camera that the pictures do not show.

    Attributes:
        roll_deg: clockwise rotation of the scene in the picture; None if unknown, taken as level.
        slowmo_factor: seconds of video per second of real time.

    Raises:
        ValueError: a roll beyond a quarter turn, or a factor that is not 0.01 to 100.
    """

    roll_deg: float | None = None
    slowmo_factor: float = 1.0

    def __post_init__(self) -> None:
        if self.roll_deg is not None and not -90 <= self.roll_deg <= 90:
            raise ValueError(f"roll_deg is {self.roll_deg}, must be -90 to 90")
        if not 0.01 <= self.slowmo_factor <= 100:
            raise ValueError(f"slowmo_factor is {self.slowmo_factor}, must be 0.01 to 100")


@dataclass(frozen=True, slots=True)
class Context:
    """Data of a clip that the caller supplies.

    Attributes:
        movement: a key of :data:`CUTOFFS_HZ`. cutoff_hz: None to use the movement's.
        subject: the primary person; nothing is known of the others. camera: for all people.
        supplied: data to compare the primary person with, instead of the service's own.

    Raises:
        ValueError: an unknown movement, or a cut-off that is not above 0.
    """

    movement: str = AUTO
    cutoff_hz: float | None = None
    subject: Subject = Subject()
    camera: Camera = Camera()
    supplied: Supplied = NOTHING_SUPPLIED

    def __post_init__(self) -> None:
        if self.movement not in CUTOFFS_HZ:
            raise ValueError(f"movement is {self.movement!r}, must be one of {list(CUTOFFS_HZ)}")
        if self.cutoff_hz is not None and not self.cutoff_hz > 0:
            raise ValueError(f"cutoff_hz is {self.cutoff_hz}, must be above 0")

    def config(self, min_score: float) -> BiomechanicsConfig:
        """Return the thresholds for this clip.

        Raises:
            ValueError: ``min_score`` is negative or not a number.
        """
        asked = self.cutoff_hz is not None
        config = BiomechanicsConfig(
            min_score=min_score,
            cutoff_hz=CUTOFFS_HZ[self.movement] if self.cutoff_hz is None else self.cutoff_hz,
            cutoff_source="request"
            if asked
            else "default"
            if self.movement == AUTO
            else "movement",
        )
        return config if self.camera.roll_deg is None else replace(config, sigma_roll_deg=0.0)


NO_CONTEXT: Final = Context()


@dataclass(frozen=True, slots=True)
class EnabledOutputs:
    """Enabled parts of the biomechanics; the fields of the other parts are null.

    Disabling a part changes only its own fields. Numbers that depend on it are still computed from
    it, so that their meaning does not change.

    Attributes:
        joint_angle_analysis: joint angles and body alignment, with all fields of ``detail`` about
            angles.
        symmetry_detection: ``symmetry_index``.
        stability_assessment: ``stability_score``.
        movement_quality: ``athletic_readiness``. ``pose_quality`` rates the measurement, not the
            movement, and is always given.
    """

    joint_angle_analysis: bool = True
    symmetry_detection: bool = True
    stability_assessment: bool = True
    movement_quality: bool = True


ALL_OUTPUTS: Final = EnabledOutputs()
