"""Compute every per-frame metric of one person over a clip, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from biomech import reasons
from biomech.config import BiomechanicsConfig, EnabledOutputs, Subject
from biomech.joints import JOINT_ANGLES
from biomech.kinematics.center_of_mass import center_of_mass
from biomech.kinematics.geometry import LEVELS, Array, combine, keypoints_of, trunk_line
from biomech.kinematics.joint_angles import Angle, AngleMaker
from biomech.kinematics.view import (
    OBLIQUE,
    SAGITTAL,
    View,
    near_side,
    scale_drifts,
    stature_px,
    view_of,
)
from biomech.preprocessing.preprocess import Smoothed, preprocess
from biomech.preprocessing.visibility import VisibleKeypoints
from biomech.reasons import Flags
from biomech.scores import frame_scores
from biomech.scores.balance import Balance, Size, balance_of, sway_noise_px_s
from biomech.scores.frame_scores import Score
from biomech.skeleton import INDEX, SKELETON
from biomech.track import Track


@dataclass(frozen=True, slots=True)
class PersonMetrics:
    """All metrics of one person.

    Attributes:
        points: source of the metrics.
        joint_angles, body_alignment, movement: the three blocks of the response.
        included: angles of the joints that those blocks lack. sagittal, frontal: signed angles of
            those planes.
        tilts: signed. levels_px: (f,) by part, height of the left above the right.
        joint_flags: (f,) by joint angle and flag. flags: (f,) by flag.
        balance, view: inputs of the scores.
        size: of the person; without metres if the scale drifts. scale_drifts: whether it does.
        near_side: the side whose shoulder and hip define the trunk, None for both.
        sigma_source: (f,) ``model``, ``oks_prior`` or ``mixed``; empty where nothing is seen.
        subject, roll_deg: given data of the person and the camera; None is taken as level.
    """

    points: Smoothed
    joint_angles: Mapping[str, Angle]
    body_alignment: Mapping[str, Angle]
    movement: Mapping[str, Score]
    included: Mapping[str, Angle]
    sagittal: Mapping[str, Angle]
    frontal: Mapping[str, Angle]
    tilts: Mapping[str, Angle]
    levels_px: Mapping[str, Array]
    joint_flags: Mapping[str, Mapping[str, Flags]]
    flags: Mapping[str, Flags]
    balance: Balance
    view: View
    size: Size
    scale_drifts: bool
    near_side: str | None
    sigma_source: NDArray[np.str_]
    subject: Subject
    roll_deg: float | None

    def signed(self) -> dict[str, Angle]:
        """Return the signed angles of both planes, each null where the view shows the other."""
        tilts = {f"{part}_tilt": angle for part, angle in self.tilts.items()}
        return {**self.sagittal, **self.frontal, **tilts}

    def angles(self) -> dict[str, Angle]:
        """Return every angle by name: of joints, alignment and hips, and the signed ones."""
        return {**self.joint_angles, **self.body_alignment, **self.included, **self.signed()}

    def only(self, parts: EnabledOutputs) -> "PersonMetrics":
        """Return the same metrics with disabled parts null and without their details."""
        given = {
            "stability_score": parts.stability_assessment,
            "symmetry_index": parts.symmetry_detection,
            "athletic_readiness": parts.movement_quality,
        }
        movement = {
            name: score if given.get(name, True) else score.disabled()
            for name, score in self.movement.items()
        }
        if parts.joint_angle_analysis:
            return replace(self, movement=movement)
        return replace(
            self,
            movement=movement,
            joint_angles={name: angle.disabled() for name, angle in self.joint_angles.items()},
            body_alignment={name: angle.disabled() for name, angle in self.body_alignment.items()},
            included={},
            sagittal={},
            frontal={},
            tilts={},
            joint_flags={},
        )


def person_metrics(
    track: Track,
    config: BiomechanicsConfig,
    subject: Subject | None = None,
    roll_deg: float | None = None,
) -> PersonMetrics:
    """Compute the metrics of one person in each frame, from the smoothed measured points.

    ``pose_quality`` uses the network's scores without smoothing. ``subject`` is the data given for
    this person; ``roll_deg`` is the camera's roll, None if it is assumed level.
    """
    subject = subject or Subject()
    points = preprocess(track, config, roll_deg or 0.0)
    gated = points.gated
    view = view_of(track.times_s, gated.xy, config, gated.reason == reasons.OUT_OF_FRAME)
    near = near_side(view, gated.xy, track.present, config)
    trunk = trunk_line(near)
    drifts = scale_drifts(gated.xy, config)
    size = Size(stature_px(gated.xy, trunk), None if drifts else subject.height_m)
    model_sigma = np.where(points.from_model[..., None], points.sigma, 0.0)
    make = AngleMaker(gated, points.curve_sigma, model_sigma, view, trunk, config)
    lean, tilts = make.lean(), make.tilts()
    noise = _sway_noise(points, subject.sex, config)
    balance = balance_of(track.times_s, gated.xy, view, size, subject.sex, config, noise)
    return PersonMetrics(
        points=points,
        joint_angles=make.joint_angles(),
        body_alignment=make.body_alignment(lean, tilts),
        movement=_movement(track, make, lean, tilts, balance),
        included=make.included(),
        sagittal=make.sagittal(),
        frontal=make.frontal(),
        tilts=tilts,
        levels_px={part: combine(line, gated.xy)[:, 1] for part, line in LEVELS.items()},
        joint_flags=_joint_flags(points, make),
        flags={
            "roll_assumed_level": track.present & (roll_deg is None),
            "projected": view.kind == OBLIQUE,
            "far_side_unreliable": view.kind == SAGITTAL,
            "view_inferred": view.inferred,
            **_repairs(points),
        },
        balance=balance,
        view=view,
        size=size,
        scale_drifts=drifts,
        near_side=near,
        sigma_source=_sigma_source(gated, points.from_model),
        subject=subject,
        roll_deg=roll_deg,
    )


def _sway_noise(points: Smoothed, sex: str | None, config: BiomechanicsConfig) -> float:
    """Return the noise of the velocity used for sway, in pixels a second."""
    (raw, whole), (smooth, _) = (center_of_mass(xy, sex) for xy in (points.raw, points.gated.xy))
    taken = np.where(whole >= config.min_mass, raw[:, 0] - smooth[:, 0], np.nan)
    return sway_noise_px_s(taken, points.noise, points.filter.rate_hz, config)


def _repairs(points: Smoothed) -> dict[str, Flags]:
    """Return by flag (f,) the repairs of points of the body in a frame."""
    body = SKELETON.body_slice
    return {
        "sides_exchanged": points.swapped(),
        "outlier_removed": np.asarray(points.outlier[:, body].any(1)),
        "unsmoothed": np.asarray(points.unsmoothed[:, body].any(1)),
    }


def _joint_flags(points: Smoothed, make: AngleMaker) -> dict[str, dict[str, Flags]]:
    """Return :meth:`AngleMaker.joint_flags`, and flags of joints with an unsmoothed point."""
    flags = make.joint_flags()
    if points.filter.cutoff_hz is None:
        return flags
    for name in JOINT_ANGLES:
        needed = [INDEX[keypoint] for keypoint in keypoints_of(name, make.segments)]
        flags[name]["unsmoothed"] = np.asarray(points.unsmoothed[:, needed].any(1))
    return flags


def _movement(
    track: Track, make: AngleMaker, lean: Angle, tilts: Mapping[str, Angle], balance: Balance
) -> dict[str, Score]:
    config, view = make.config, make.view
    quality = frame_scores.pose_quality(track.score, config.min_score)
    sides = {
        joint: (make.unsigned[f"left_{joint}"].value, make.unsigned[f"right_{joint}"].value)
        for joint in ("elbow", "shoulder", "hip", "knee")
    }
    missing = make.gated.missing(SKELETON.body)
    symmetric = frame_scores.symmetry(sides, config)
    stable = frame_scores.stability(balance, view, missing, config)
    level = (tilts["shoulder"].value, tilts["hip"].value)
    ready = frame_scores.readiness(
        stable, symmetric, frame_scores.alignment(lean.value, level, view, config), config
    )
    poor = reasons.where(quality.value < config.min_quality, reasons.LOW_CONFIDENCE)
    return {
        "pose_quality": quality,
        "stability_score": stable.only_where(poor),
        "symmetry_index": symmetric.only_where(poor),
        "athletic_readiness": ready.only_where(poor),
    }


def _sigma_source(gated: VisibleKeypoints, from_model: Flags) -> NDArray[np.str_]:
    seen = gated.reason == ""
    return np.select(
        [~seen.any(1), (from_model | ~seen).all(1), ~(from_model & seen).any(1)],
        ["", "model", "oks_prior"],
        "mixed",
    )
