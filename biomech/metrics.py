"""Every per-frame metric of one person over a clip, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from biomech import reasons, scores
from biomech.angles import Angle, AngleMaker, magnitude
from biomech.balance import Balance, Size, balance_of
from biomech.config import BmConfig, Parts, Subject
from biomech.gate import Gated, gate
from biomech.geometry import LEVELS, Array, combine, trunk_line
from biomech.reasons import Flags
from biomech.scores import Score
from biomech.skeleton import KEYPOINTS
from biomech.track import Track
from biomech.uncertainty import oks_sigma
from biomech.view import (
    OBLIQUE,
    SAGITTAL,
    View,
    near_side,
    scale_drifts,
    stature_px,
    view_of,
)

BODY = KEYPOINTS[5:]
"""The keypoints below the face."""


@dataclass(frozen=True, slots=True)
class PersonMetrics:
    """All metrics of one person.

    Attributes:
        joint_angles, body_alignment, movement: the three blocks of the response.
        hips: included angles of the hips. sagittal, frontal: signed angles of those planes.
        tilts: signed. levels_px: (f,) by part, how much higher the left is.
        joint_flags: (f,) by joint angle and flag. flags: (f,) by flag.
        balance, view: what the scores rest on.
        size: of the person; without metres where the scale drifts. scale_drifts: whether it does.
        near_side: the side that stands for the trunk, None both.
        sigma_source: (f,) ``model``, ``oks_prior`` or ``mixed``; empty where nothing is seen.
    """

    joint_angles: Mapping[str, Angle]
    body_alignment: Mapping[str, Angle]
    movement: Mapping[str, Score]
    hips: Mapping[str, Angle]
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

    def only(self, parts: Parts) -> "PersonMetrics":
        """The same with the fields of what is not in ``parts`` null, and no details of them."""
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
            hips={},
            sagittal={},
            frontal={},
            tilts={},
            joint_flags={},
        )


def person_metrics(track: Track, config: BmConfig, subject: Subject | None = None) -> PersonMetrics:
    """Metrics of one person, frame by frame, of the measured points: nothing is smoothed.

    ``subject`` is what is known of this person.
    """
    subject = subject or Subject()
    gated = gate(track.xy, track.score, track.size, config.min_score)
    view = view_of(track.times_s, gated.xy, config)
    near = near_side(view, gated.xy, track.present, config)
    trunk = trunk_line(near)
    drifts = scale_drifts(gated.xy, config)
    size = Size(stature_px(gated.xy, trunk), None if drifts else subject.height_m)
    from_model = np.isfinite(track.sigma)
    make = AngleMaker(
        gated,
        np.where(from_model, track.sigma, oks_sigma(track.box)),
        np.where(from_model, track.sigma, 0.0),
        view,
        trunk,
        config,
    )
    lean, tilts = make.lean(), make.tilts()
    balance = balance_of(track.times_s, gated.xy, view, size, subject.sex, config)
    return PersonMetrics(
        joint_angles=make.joint_angles(),
        body_alignment={
            "spine_angle": magnitude(lean),
            **{f"{part}_level_difference": magnitude(tilts[part]) for part in LEVELS},
        },
        movement=_movement(track, make, lean, tilts, balance),
        hips={name: make.unsigned(name) for name in ("left_hip", "right_hip")},
        sagittal=make.sagittal(),
        frontal=make.frontal(),
        tilts=tilts,
        levels_px={part: combine(line, gated.xy)[:, 1] for part, line in LEVELS.items()},
        joint_flags=make.joint_flags(),
        flags={
            "roll_assumed_level": track.present,
            "projected": view.kind == OBLIQUE,
            "far_side_unreliable": view.kind == SAGITTAL,
        },
        balance=balance,
        view=view,
        size=size,
        scale_drifts=drifts,
        near_side=near,
        sigma_source=_sigma_source(gated, from_model),
    )


def _movement(
    track: Track, make: AngleMaker, lean: Angle, tilts: Mapping[str, Angle], balance: Balance
) -> dict[str, Score]:
    config, view = make.config, make.view
    quality = scores.pose_quality(track.score, config.min_score)
    sides = {
        joint: (make.unsigned(f"left_{joint}").value, make.unsigned(f"right_{joint}").value)
        for joint in ("elbow", "shoulder", "hip", "knee")
    }
    missing = make.gated.missing(BODY)
    symmetric = scores.symmetry(sides, config)
    stable = scores.stability(balance, view, missing, config)
    level = (tilts["shoulder"].value, tilts["hip"].value)
    ready = scores.readiness(
        stable, symmetric, scores.alignment(lean.value, level, view, config), config
    )
    poor = reasons.where(quality.value < config.min_quality, reasons.LOW_CONFIDENCE)
    return {
        "pose_quality": quality,
        "stability_score": stable.only_where(poor),
        "symmetry_index": symmetric.only_where(poor),
        "athletic_readiness": ready.only_where(poor),
    }


def _sigma_source(gated: Gated, from_model: Flags) -> NDArray[np.str_]:
    seen = gated.reason == ""
    measured = from_model.all(-1)
    return np.select(
        [~seen.any(1), (measured | ~seen).all(1), ~(measured & seen).any(1)],
        ["", "model", "oks_prior"],
        "mixed",
    )
