"""Every threshold and weight of the definitions ``bm-1``, echoed in each result."""

from dataclasses import dataclass

DEFINITIONS = "bm-1"


@dataclass(frozen=True, slots=True)
class BmConfig:
    """Thresholds and weights. Lengths are shares of stature H, speeds H a second, angles degrees.

    Attributes:
        min_score: keypoints below are missing.
        frontal_ratio, sagittal_ratio: shoulder width over its width seen from the front, at or
            above and at or below which a view is frontal or sagittal; between is oblique.
        level_ratio: the same ratio below which level differences are not given.
        view_window_s, view_hysteresis: smoothing of the view's class.
        facing_window_s, facing_speed: smoothing of the facing vote, and the speed that counts.
        min_segment_share: a segment shorter than this share of its reference has no direction.
        out_of_plane_share: a segment shorter than this is flagged as turned out of the plane.
        min_quality: pose quality below which the other scores are null.
        min_coverage: share of a score's weights that must be present.
        min_mass: share of body mass that must be seen for the centre of mass.
        symmetry_span_deg, lean_span_deg, tilt_span_deg: difference that scores 0.
        contact_height, contact_speed: an ankle this near the lower one, this slow, is grounded.
        locomotion_speed: sagittal travel above which balance is not judged.
        half_foot_breadth, foot_length, heel_share: base of support.
        sway_scale: rms sway that halves the sway score.
        margin_weight, sway_weight: of the stability score.
        readiness_weights: stability, symmetry, alignment, smoothness.
        sigma_roll_deg: of the camera's roll, where it is assumed level.
        near_fold_sigmas: an included angle this near 180 degrees is flagged as biased.
    """

    min_score: float = 0.3
    frontal_ratio: float = 0.87
    sagittal_ratio: float = 0.50
    level_ratio: float = 0.70
    view_window_s: float = 1.0
    view_hysteresis: float = 0.05
    facing_window_s: float = 0.5
    facing_speed: float = 0.3
    min_segment_share: float = 0.15
    out_of_plane_share: float = 0.87
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
    sway_scale: float = 0.10
    margin_weight: float = 0.6
    sway_weight: float = 0.4
    readiness_weights: tuple[float, float, float, float] = (0.3, 0.3, 0.2, 0.2)
    sigma_roll_deg: float = 2.0
    near_fold_sigmas: float = 2.0
