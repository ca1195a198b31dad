"""Every per-frame metric of one person over a clip, as arrays."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from biomech import scores
from biomech.config import BmConfig
from biomech.geometry import ANGLES, TRUNK, Array, flexion, fppa, length, tilt, trunk_lean
from biomech.skeleton import INDEX, JOINT_ANGLES
from biomech.timeline import percentile
from biomech.uncertainty import flexion_sigma, lean_sigma, tilt_sigma
from biomech.view import FRONTAL, OBLIQUE, SAGITTAL, View, stature_px, view_of

Reasons = np.ndarray[tuple[int], np.dtype[np.str_]]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity over a clip.

    Attributes:
        value: (f,), NaN where null. sigma: (f,) standard deviation, degrees; None for scores.
        reason: (f,) why it is null, empty where it is not.
        low, high: range of the value.
    """

    value: Array
    reason: Reasons
    sigma: Array | None = None
    low: float = -180.0
    high: float = 180.0


@dataclass(frozen=True, slots=True)
class PersonMetrics:
    """All metrics of one person by the block of the response they belong to.

    ``xy`` (f, 17, 2) are the points they were made from, NaN where missing.
    """

    joint_angles: dict[str, Metric]
    body_alignment: dict[str, Metric]
    movement: dict[str, Metric]
    signed: dict[str, Metric]
    scores: dict[str, scores.Score]
    xy: Array
    view: View
    stature_px: float
    flags: dict[str, Flags] = field(default_factory=dict)


def person_metrics(
    times_s: Array, xy: Array, score: Array, sigma: Array, size: tuple[int, int], config: BmConfig
) -> PersonMetrics:
    """Metrics of one person.

    Args:
        times_s: (f,). xy: (f, 17, 2) pixels. score: (f, 17). sigma: (f, 17, 2) pixels.
        size: (width, height) of the picture.
        config: thresholds and weights.
    """
    outside = np.asarray(((xy < 0) | (xy > np.array(size, float) - 1)).any(-1))
    gated = np.where((np.nan_to_num(score) < config.min_score)[..., None], np.nan, xy)
    gated = np.where(outside[..., None], np.nan, gated)
    missing = _missing_reason(gated, outside & np.isfinite(xy).all(-1))
    view = view_of(times_s, gated, config)
    stature = stature_px(gated)
    builder = _Builder(gated, sigma, missing, view, config)
    signed = builder.signed()
    joint_angles = builder.joint_angles(signed)
    body = builder.alignment()
    quality = scores.pose_quality(score, config.min_score)
    pairs = {
        joint: (_unsigned(signed[f"left_{joint}"]), _unsigned(signed[f"right_{joint}"]))
        for joint in ("elbow", "shoulder", "hip", "knee")
    }
    symmetric = scores.symmetry(pairs, config)
    stable = scores.stability(times_s, gated, view, stature, config)
    ready = scores.readiness(stable, symmetric, scores.alignment(gated, view, config), config)
    composites = {
        "stability_score": stable,
        "symmetry_index": symmetric,
        "athletic_readiness": ready,
    }
    movement = {"pose_quality": Metric(quality, np.full(len(quality), "", "<U24"), None, 0, 100)}
    for name, composite in composites.items():
        poor = quality < config.min_quality
        movement[name] = Metric(
            np.where(poor, np.nan, composite.value),
            np.where(poor, "low_confidence", composite.reason),
            None,
            0,
            1 if name == "symmetry_index" else 100,
        )
    flags = {
        "projected": view.kind == OBLIQUE,
        "far_side_unreliable": view.kind == SAGITTAL,
        "out_of_plane": _out_of_plane(gated, config),
        "roll_assumed_level": np.ones(len(times_s), bool),
    }
    return PersonMetrics(
        joint_angles, body, movement, signed, composites, gated, view, stature, flags
    )


@dataclass(frozen=True, slots=True)
class _Builder:
    """What all angles of a person are made from."""

    xy: Array
    sigma: Array
    missing: dict[str, Reasons]
    view: View
    config: BmConfig

    def signed(self) -> dict[str, Metric]:
        """Flexions, lean and projection angles with their signs, for facing image right."""
        out = {}
        for name, terms in ANGLES.items():
            value = flexion(name, self.xy)
            reason = self._reason(sorted({kp for _, vector in terms for kp in vector}))
            for _, vector in terms:
                span = length(vector, self.xy)
                reference = percentile(span, 95)
                shortest = self.config.min_segment_share * reference
                with np.errstate(invalid="ignore"):
                    reason = np.where((reason == "") & (span < shortest), _DEGENERATE, reason)
            out[name] = Metric(
                np.where(reason == "", value, np.nan),
                reason,
                flexion_sigma(name, self.xy, self.sigma),
            )
        return out

    def joint_angles(self, signed: dict[str, Metric]) -> dict[str, Metric]:
        """The six unsigned angles of the specification."""
        return {
            name: Metric(
                np.abs(signed[name].value)
                if name.endswith("shoulder")
                else 180.0 - np.abs(signed[name].value),
                signed[name].reason,
                signed[name].sigma,
                0.0,
                180.0,
            )
            for name in JOINT_ANGLES
        }

    def alignment(self) -> dict[str, Metric]:
        """Trunk inclination and the differences in level, unsigned, with the roll's uncertainty."""
        roll = self.config.sigma_roll_deg
        reason = self._reason(sorted(TRUNK))
        lean = np.abs(trunk_lean(self.xy))
        out = {
            "spine_angle": Metric(
                np.where(reason == "", lean, np.nan),
                reason,
                np.hypot(lean_sigma(self.xy, self.sigma), roll),
                0.0,
                180.0,
            )
        }
        for part in ("hip", "shoulder"):
            reason = self._reason([f"left_{part}", f"right_{part}"])
            turned = ~(self.view.ratio >= self.config.level_ratio)
            reason = np.where((reason == "") & turned, "view_mismatch", reason)
            out[f"{part}_level_difference"] = Metric(
                np.where(reason == "", np.abs(tilt(part, self.xy)), np.nan),
                reason,
                np.hypot(tilt_sigma(part, self.xy, self.sigma), roll),
                0.0,
                90.0,
            )
        return out

    def _reason(self, names: list[str]) -> Reasons:
        """Why a metric that needs ``names`` is null: the first that is missing says."""
        reason = np.full(len(self.xy), "", "<U24")
        for name in names:
            reason = np.where(reason == "", self.missing[name], reason)
        return reason


_DEGENERATE = "degenerate_geometry"


def _missing_reason(gated: Array, outside: Flags) -> dict[str, Reasons]:
    absent = ~np.isfinite(gated).all(-1)
    reason = np.where(absent, np.where(outside, "out_of_frame", "low_confidence"), "")
    return {name: reason[:, i] for name, i in INDEX.items()}


def _unsigned(metric: Metric) -> Array:
    return np.abs(metric.value)


def _out_of_plane(xy: Array, config: BmConfig) -> Flags:
    """Where a limb is so short that it must point toward or away from the camera."""
    found = np.zeros(len(xy), bool)
    for side in ("left", "right"):
        for start, end in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("hip", "knee"),
            ("knee", "ankle"),
        ):
            span = length({f"{side}_{end}": 1.0, f"{side}_{start}": -1.0}, xy)
            with np.errstate(invalid="ignore"):
                found |= span < config.out_of_plane_share * percentile(span, 95)
    return found


def signed_extras(metrics: PersonMetrics) -> dict[str, Array]:
    """Tilts and frontal-plane projection angles, where the view allows them."""
    xy = metrics.xy
    frontal = metrics.view.kind == FRONTAL
    level = np.isfinite(metrics.body_alignment["hip_level_difference"].value)
    shoulders = np.isfinite(metrics.body_alignment["shoulder_level_difference"].value)
    return {
        "left_fppa": np.where(frontal, fppa("left", xy), np.nan),
        "right_fppa": np.where(frontal, fppa("right", xy), np.nan),
        "hip_tilt": np.where(level, tilt("hip", xy), np.nan),
        "shoulder_tilt": np.where(shoulders, tilt("shoulder", xy), np.nan),
        "trunk_lean": trunk_lean(xy),
    }
