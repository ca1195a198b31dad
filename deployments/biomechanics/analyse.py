"""Poses of a clip in, biomechanics out."""

from typing import Any

import numpy as np

from biomech.config import ALL_PARTS, DEFINITIONS, BmConfig, Parts, Subject
from biomech.frames import disabled_block, frame_blocks, summary
from biomech.metrics import person_metrics
from biomech.reasons import DISABLED
from biomech.skeleton import JOINT_ANGLES
from biomech.track import Track
from deployments.messages import ClipBiomechanics, ClipPoses


def analyse(
    clip: ClipPoses,
    min_score: float,
    *,
    enabled: bool = True,
    parts: Parts = ALL_PARTS,
    subject: Subject | None = None,
    written: int | None = None,
) -> ClipBiomechanics:
    """Angles, alignment and scores of every person of a clip, frame by frame, unsmoothed.

    Args:
        clip: the people; a single picture is a clip of one frame.
        min_score: keypoints below are missing.
        enabled: False leaves every field null, with the reason.
        parts: which fields are given; the others are null, with the reason.
        subject: what is known of the primary person; nothing is known of the others.
        written: so many people, the primary first, have their frames written; None for all. The
            objects of a frame are large, and the others are seldom asked for.

    Raises:
        ValueError: ``min_score`` is negative or not a number.
    """
    config = BmConfig(min_score=min_score)
    written = len(clip.track_id) if written is None else written
    if not enabled:
        return _disabled(clip, written)
    frames: list[list[dict[str, Any] | None]] = []
    summaries: list[dict[str, Any]] = []
    angles = np.full((len(clip.times_s), len(clip.track_id), len(JOINT_ANGLES)), np.nan)
    for p, person_id in enumerate(clip.track_id.tolist()):
        track = track_of(clip, p)
        metrics = person_metrics(track, config, subject if p == 0 else None).only(parts)
        if p < written:
            frames.append(frame_blocks(metrics, track.present))
        summaries.append(summary(person_id, metrics, config))
        for i, name in enumerate(JOINT_ANGLES):
            angles[:, p, i] = metrics.joint_angles[name].value
    return ClipBiomechanics(frames, angles, summaries)


def track_of(clip: ClipPoses, person: int) -> Track:
    """Person number ``person`` of ``clip``, NaN where absent."""
    present = clip.model[:, person] >= 0
    here = present[:, None, None]
    return Track(
        times_s=clip.times_s,
        xy=np.where(here, clip.keypoints[:, person].astype(np.float64), np.nan),
        score=np.where(present[:, None], clip.score[:, person].astype(np.float64), np.nan),
        sigma=np.where(here, clip.sigma[:, person].astype(np.float64), np.nan),
        box=clip.box[:, person].astype(np.float64),
        present=present,
        size=(clip.width, clip.height),
    )


def _disabled(clip: ClipPoses, written: int) -> ClipBiomechanics:
    shape = (len(clip.times_s), len(clip.track_id))
    present = clip.model[:, :written] >= 0
    return ClipBiomechanics(
        [[disabled_block() if there else None for there in column] for column in present.T],
        np.full((*shape, len(JOINT_ANGLES)), np.nan),
        [
            {"person_id": person, "definitions": DEFINITIONS, "reason": DISABLED}
            for person in clip.track_id.tolist()
        ],
        (("biomechanics_disabled", "biomechanics are switched off by the settings"),),
    )
