"""Scores that rest on phases of a movement: gait's own, and ``athletic_readiness`` of all parts."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from biomech import reasons
from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import ClipEvents
from biomech.events.measures import Phase, phases_of_repetitions, phases_of_strides
from biomech.kinematics.geometry import Array
from biomech.kinematics.person_metrics import PersonMetrics
from biomech.scores.frame_scores import readiness
from biomech.scores.stride_scores import gait_scores

_ROUGHEST: Final = -4.0
_SPAN: Final = 2.6
"""SPARC from which on smoothness counts, and above it the span to all of it: -1.4 is least jerk."""


def with_smoothness(clip_events: ClipEvents, config: BiomechanicsConfig) -> PersonMetrics:
    """Return the metrics of a clip, with the scores that its phases allow.

    In gait stability and symmetry are those of strides. Readiness knows of smoothness within
    phases, and of pace within repetitions; outside these components are missing, but for the mean
    smoothness of all strides beside them.
    """
    metrics = clip_events.metrics
    movement = dict(metrics.movement)
    poor = reasons.where(
        movement["pose_quality"].value < config.min_quality, reasons.LOW_CONFIDENCE
    )
    smooth = smoothness_of(clip_events)
    if clip_events.gait:
        walk = gait_scores(clip_events, clip_events.gait, config)
        for name, score in (
            ("stability_score", walk.stability),
            ("symmetry_index", walk.symmetry),
        ):
            movement[name] = movement[name].where(walk.walking, score.only_where(poor))
        beside = walk.walking & np.isnan(smooth)
        strides = smooth[np.isfinite(smooth)]
        if len(strides):
            smooth = np.where(beside, strides.mean(), smooth)
    known = movement["athletic_readiness"]
    movement["athletic_readiness"] = readiness(
        movement["stability_score"],
        movement["symmetry_index"],
        known.components["alignment"],
        config,
        smooth,
        pace_of(clip_events, config),
    ).only_where(poor)
    return replace(metrics, movement=movement)


def smoothness_of(clip_events: ClipEvents) -> Array:
    """(f,) 0 to 1 by SPARC of the phases of a frame, their mean in strides of both sides."""
    groups: list[list[Phase]]
    if clip_events.gait:
        groups = list(phases_of_strides(clip_events, clip_events.gait).values())
    else:
        groups = [[phase for pair in phases_of_repetitions(clip_events) for phase in pair]]
    values = (
        (phase, np.clip((phase.sparc - _ROUGHEST) / _SPAN, 0.0, 1.0))
        for phases in groups
        for phase in phases
    )
    return _within(clip_events.curves.times_s, values)


def pace_of(clip_events: ClipEvents, config: BiomechanicsConfig) -> Array:
    """(f,) 0 to 1, peak speed of the repetition of a frame over that of the fastest of the clip.

    NaN outside of repetitions, of gait, and where there are too few to be held together.
    """
    pairs = [] if clip_events.gait else phases_of_repetitions(clip_events)
    speeds = np.array([max(p.peak_speed for p in pair) for pair in pairs])
    if np.isfinite(speeds).sum() < config.pace_repetitions:
        return np.full(len(clip_events.curves.times_s), np.nan)
    kept = speeds / np.nanmax(speeds)
    values = ((phase, k) for pair, k in zip(pairs, kept, strict=True) for phase in pair)
    return _within(clip_events.curves.times_s, values)


def _within(times_s: Array, values: Iterable[tuple[Phase, float]]) -> Array:
    """(f,) mean of the values of the phases that hold a frame, NaN in none."""
    total, count = np.zeros((2, len(times_s)))
    for phase, value in values:
        if np.isfinite(value):
            inside = slice(
                int(np.searchsorted(times_s, phase.start_s, "left")),
                int(np.searchsorted(times_s, phase.stop_s, "left")),
            )
            total[inside] += value
            count[inside] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
