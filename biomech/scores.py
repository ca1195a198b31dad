"""Composite scores: bounded summaries of named components, which are returned beside them.

Engineering weights, not clinical scales. How well the person was measured (pose quality) and how
they moved never share a score.
"""

from dataclasses import dataclass

import numpy as np

from biomech.config import BmConfig
from biomech.geometry import Array, tilt, trunk_lean
from biomech.mass import centre_of_mass
from biomech.skeleton import INDEX, KEYPOINTS
from biomech.timeline import half_width, rolling_mean, velocity
from biomech.view import FRONTAL, OBLIQUE, SAGITTAL, View

OMEGA_DEFAULT = 3.2
"""rad/s of the inverted pendulum where no height is known."""

_FACE_WEIGHT = 0.2
_QUALITY_WEIGHTS = np.array([_FACE_WEIGHT if i < 5 else 1.0 for i in range(len(KEYPOINTS))])


@dataclass(frozen=True, slots=True)
class Score:
    """A score over a clip.

    Attributes:
        value: (f,), NaN where null. components: (f,) each by name.
        reason: (f,) why it is null, empty where it is not.
        coverage: (f,) share of the components' weights that were present.
    """

    value: Array
    components: dict[str, Array]
    reason: np.ndarray[tuple[int], np.dtype[np.str_]]
    coverage: Array


def pose_quality(score: Array, min_score: float) -> Array:
    """0-100 from scores (..., 17): visible share times mean visible confidence.

    12 body points weigh 1, the 5 of the face 0.2.
    """
    clamped = np.clip(np.nan_to_num(score), 0.0, 1.0)
    visible = np.where(clamped >= min_score, clamped, 0.0)
    quality: Array = 100.0 * (visible * _QUALITY_WEIGHTS).sum(-1) / _QUALITY_WEIGHTS.sum()
    return quality


def symmetry(pairs: dict[str, tuple[Array, Array]], config: BmConfig) -> Score:
    """0-1, 1 a mirror posture: angles of both sides (f,) by joint, where both are there."""
    parts = {
        name: 1.0 - np.minimum(np.abs(left - right) / config.symmetry_span_deg, 1.0)
        for name, (left, right) in pairs.items()
    }
    stacked = np.stack(list(parts.values()))
    count = np.isfinite(stacked).sum(0)
    value = np.where(count >= 2, np.nansum(stacked, 0) / np.maximum(count, 1), np.nan)
    reason = np.where(count >= 2, "", "low_confidence")
    return Score(value, parts, reason, count / len(parts))


def stability(times_s: Array, xy: Array, view: View, stature: float, config: BmConfig) -> Score:
    """0-100: margin of the extrapolated centre of mass (Hof 2005) in the base, and its sway.

    Positions and velocities are of the measured points, unsmoothed. A single picture has no
    velocity: it is judged as if still.
    """
    centre, mass = centre_of_mass(xy)
    moving = len(times_s) > 1
    half = half_width(times_s, 1.0)
    speed = velocity(times_s, centre[:, :1])[:, 0] if moving else np.zeros(len(times_s))
    mean_speed = rolling_mean(speed, half) if moving else speed
    low, high, contact = _base(times_s, xy, view, stature, config)
    extrapolated = centre[:, 0] + speed / OMEGA_DEFAULT
    nearer = np.minimum(extrapolated - low, high - extrapolated)
    with np.errstate(invalid="ignore", divide="ignore"):
        margin = np.clip(0.5 + 0.5 * nearer / ((high - low) / 2), 0.0, 1.0)
        sway_rms = np.sqrt(rolling_mean((speed - mean_speed) ** 2, half)) / stature
        sway = 1.0 / (1.0 + (sway_rms / config.sway_scale) ** 2)
    value = 100.0 * (config.margin_weight * margin + config.sway_weight * sway)
    with np.errstate(invalid="ignore"):
        travelling = np.abs(mean_speed) / stature > config.locomotion_speed
    reason = np.select(
        [
            mass < config.min_mass,
            _unusable(view),
            (view.kind == SAGITTAL) & travelling,
            ~contact,
            ~np.isfinite(value),
        ],
        ["low_confidence", "view_mismatch", "locomotion", "no_support", "insufficient_history"],
        "",
    )
    value = np.where(reason == "", value, np.nan)
    return Score(value, {"margin": margin, "sway": sway}, reason, np.ones(len(value)))


def _unusable(view: View) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Where balance cannot be judged: oblique or unknown, or sagittal facing nobody knows where."""
    sideways_unknown = (view.kind == SAGITTAL) & (view.facing == 0)
    return np.asarray((view.kind == OBLIQUE) | (view.kind == "") | sideways_unknown)


def _base(
    times_s: Array, xy: Array, view: View, stature: float, config: BmConfig
) -> tuple[Array, Array, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Left and right edge of the base of support (f,), and whether there is one."""
    ankles = xy[:, [INDEX["left_ankle"], INDEX["right_ankle"]]]
    y = ankles[..., 1]
    seen = np.isfinite(y)
    lower = np.where(seen, y, -np.inf).max(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        down = seen & (lower - y <= config.contact_height * stature)
        if len(times_s) > 1:
            speed = np.linalg.norm(
                np.stack([velocity(times_s, ankles[:, i]) for i in range(2)], 1), axis=-1
            )
            down &= speed < config.contact_speed * stature
    heel = config.heel_share * config.foot_length * stature
    toe = (1 - config.heel_share) * config.foot_length * stature
    breadth = config.half_foot_breadth * stature
    sagittal = view.kind == SAGITTAL
    backward = np.where(sagittal, np.where(view.facing > 0, heel, toe), breadth)[:, None]
    forward = np.where(sagittal, np.where(view.facing > 0, toe, heel), breadth)[:, None]
    x = ankles[..., 0]
    low = np.where(down, x - backward, np.inf).min(1)
    high = np.where(down, x + forward, -np.inf).max(1)
    contact = down.any(1)
    return np.where(contact, low, np.nan), np.where(contact, high, np.nan), contact


def alignment(xy: Array, view: View, config: BmConfig) -> Array:
    """0-100, frontal views only: uprightness of trunk, shoulders and hips."""
    parts = np.stack(
        [
            1.0 - np.minimum(np.abs(angle) / span, 1.0)
            for angle, span in (
                (trunk_lean(xy), config.lean_span_deg),
                (tilt("shoulder", xy), config.tilt_span_deg),
                (tilt("hip", xy), config.tilt_span_deg),
            )
        ]
    )
    return np.where(view.kind == FRONTAL, 100.0 * parts.mean(0), np.nan)


def readiness(stable: Score, symmetric: Score, aligned: Array, config: BmConfig) -> Score:
    """0-100 from stability, symmetry and alignment.

    Smoothness of the movement, the fourth component of the definition, needs movement phases, which
    are not found yet: its weight counts as missing in ``coverage``.
    """
    components = {
        "stability": stable.value,
        "symmetry": 100.0 * symmetric.value,
        "alignment": aligned,
        "smoothness": np.full(len(aligned), np.nan),
    }
    stacked = np.stack(list(components.values()))
    weights = np.where(np.isfinite(stacked), np.array(config.readiness_weights)[:, None], 0.0)
    coverage = weights.sum(0)
    enough = coverage >= config.min_coverage
    value = np.where(
        enough,
        (np.nan_to_num(stacked) * weights).sum(0) / np.where(enough, coverage, 1.0),
        np.nan,
    )
    return Score(value, components, np.where(enough, "", "low_coverage"), coverage)
