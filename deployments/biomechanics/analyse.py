"""Poses of a clip in, biomechanics out."""

from dataclasses import replace
from typing import Any

import numpy as np

from biomech.applications.guidelines import NO_GUIDELINES, Guidelines
from biomech.config import ALL_PARTS, NO_CONTEXT, Context, Parts, Subject
from biomech.frames import disabled_block, frame_blocks
from biomech.geometry import derotated
from biomech.metrics import person_metrics
from biomech.performance import performance_of
from biomech.pipeline import Smoothed
from biomech.readiness import with_smoothness
from biomech.skeleton import JOINT_ANGLES
from biomech.summary import Occasion, disabled_summary, summary
from biomech.track import Track
from deployments.messages import F32, ClipBiomechanics, ClipPoses


def analyse(
    clip: ClipPoses,
    min_score: float,
    *,
    enabled: bool = True,
    parts: Parts = ALL_PARTS,
    context: Context = NO_CONTEXT,
    guidelines: Guidelines = NO_GUIDELINES,
    written: int | None = None,
) -> ClipBiomechanics:
    """Angles, alignment and scores of every person frame by frame, and a summary of the clip.

    Args:
        clip: the people; a single picture is a clip of one frame.
        min_score: keypoints below are missing.
        enabled: False leaves every field null, with the reason.
        parts: which fields are given; the others are null, with the reason.
        context: what the caller says of the clip; its subject is the primary person.
        guidelines: what the applications go by; norms and other results are the primary person's.
        written: so many people, the primary first, have their frames written; None for all. The
            objects of a frame are large, and the others are seldom asked for.

    Raises:
        ValueError: ``min_score`` is negative or not a number.
    """
    config = context.config(min_score)
    written = len(clip.track_id) if written is None else written
    if not enabled:
        return _disabled(clip, written)
    frames: list[list[dict[str, Any] | None]] = []
    summaries: list[dict[str, Any]] = []
    drawn: F32 | None = None
    angles = np.full((len(clip.times_s), len(clip.track_id), len(JOINT_ANGLES)), np.nan)
    for p, person_id in enumerate(clip.track_id.tolist()):
        track = track_of(clip, p, context.camera.slowmo_factor)
        own = context if p == 0 else replace(context, subject=Subject())
        metrics = person_metrics(track, config, own.subject, context.camera.roll_deg)
        performance = performance_of(metrics, config, context.movement)
        if performance is not None:
            metrics = with_smoothness(performance, config)
        metrics = metrics.only(parts)
        if p < written:
            frames.append(frame_blocks(metrics, track.present))
        if p == 0:
            drawn = _in_picture(metrics.points, context.camera.roll_deg or 0.0)
        occasion = Occasion(
            config=config,
            context=own,
            parts=parts,
            guidelines=guidelines if p == 0 else guidelines.of_anybody(),
            model=_model_of(clip, p),
            others=np.asarray((np.delete(clip.model, p, axis=1) >= 0).any(1)),
        )
        summaries.append(summary(person_id, metrics, performance, occasion))
        for i, name in enumerate(JOINT_ANGLES):
            angles[:, p, i] = metrics.joint_angles[name].value
    return ClipBiomechanics(frames, angles, summaries, drawn)


def track_of(clip: ClipPoses, person: int, slowmo_factor: float = 1.0) -> Track:
    """Person number ``person`` of ``clip``, NaN where absent, in seconds of the world."""
    present = clip.model[:, person] >= 0
    here = present[:, None, None]
    return Track(
        times_s=clip.times_s / slowmo_factor,
        xy=np.where(here, clip.keypoints[:, person].astype(np.float64), np.nan),
        score=np.where(present[:, None], clip.score[:, person].astype(np.float64), np.nan),
        sigma=np.where(here, clip.sigma[:, person].astype(np.float64), np.nan),
        box=clip.box[:, person].astype(np.float64),
        present=present,
        size=(clip.width, clip.height),
        blur=None if clip.blur is None else clip.blur[:, person].astype(np.float64),
    )


def _model_of(clip: ClipPoses, person: int) -> str | None:
    """The model that made most of the person's poses."""
    used = clip.model[:, person]
    counts = np.bincount(used[used >= 0], minlength=1)
    return clip.models[int(counts.argmax())] if counts.any() else None


def _in_picture(points: Smoothed, roll_deg: float) -> F32:
    """The points that angles are of, as the picture shows them."""
    centre = points.track.centre
    return derotated(points.gated.xy, -roll_deg, centre).astype(np.float32)


def _disabled(clip: ClipPoses, written: int) -> ClipBiomechanics:
    shape = (len(clip.times_s), len(clip.track_id))
    present = clip.model[:, :written] >= 0
    return ClipBiomechanics(
        [[disabled_block() if there else None for there in column] for column in present.T],
        np.full((*shape, len(JOINT_ANGLES)), np.nan),
        [disabled_summary(person) for person in clip.track_id.tolist()],
        warnings=(("biomechanics_disabled", "biomechanics are switched off by the settings"),),
    )
