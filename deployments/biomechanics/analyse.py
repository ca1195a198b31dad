"""Poses of a clip in, biomechanics out."""

import numpy as np

from biomech.config import BmConfig
from biomech.frames import frame_blocks, summary
from biomech.metrics import person_metrics, signed_extras
from biomech.skeleton import JOINT_ANGLES
from biomech.uncertainty import oks_sigma
from deployments.messages import ClipBiomechanics, ClipPoses


def analyse(clip: ClipPoses, min_score: float, *, enabled: bool = True) -> ClipBiomechanics:
    """Angles, alignment and scores of every person of a clip.

    Args:
        clip: the people. min_score: keypoints below are missing.
        enabled: False leaves everything null.
    """
    frames, people = len(clip.times_s), len(clip.track_id)
    angles = np.full((frames, people, len(JOINT_ANGLES)), np.nan)
    if not enabled:
        return ClipBiomechanics(
            [[None] * frames for _ in range(people)],
            angles,
            [],
            (("biomechanics_disabled", "biomechanics are switched off by the settings"),),
        )
    config = BmConfig(min_score=min_score)
    blocks, summaries = [], []
    for p in range(people):
        sigma = clip.sigma[:, p].astype(np.float64)
        unknown = ~np.isfinite(sigma)
        prior = oks_sigma(clip.box[:, p].astype(np.float64))
        sigma_source = "oks_prior" if unknown.all() else "response_spread"
        metrics = person_metrics(
            clip.times_s,
            clip.keypoints[:, p].astype(np.float64),
            clip.score[:, p].astype(np.float64),
            np.where(unknown, prior, sigma),
            (clip.width, clip.height),
            config,
        )
        present = clip.model[:, p] >= 0
        blocks.append(frame_blocks(metrics, signed_extras(metrics), present, sigma_source))
        summaries.append(summary(int(clip.track_id[p]), metrics, config, sigma_source))
        for i, name in enumerate(JOINT_ANGLES):
            angles[:, p, i] = metrics.joint_angles[name].value
    return ClipBiomechanics(blocks, angles, summaries)
