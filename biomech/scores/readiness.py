"""Add the scores that depend on phases of a movement: gait scores, ``athletic_readiness``."""

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
from biomech.scores.gait_scores import gait_scores

_ROUGHEST: Final = -4.0
_SPAN: Final = 2.6
"""Map SPARC -4.0 ... -1.4 to smoothness 0 ... 1; -1.4 is a minimum-jerk movement."""


def with_smoothness(clip_events: ClipEvents, config: BiomechanicsConfig) -> PersonMetrics:
    """Return the metrics of a clip, with the scores that its phases allow.

    In gait, stability and symmetry are those of strides. Readiness includes smoothness within
    phases and pace within repetitions. Outside of phases these components are missing, except that
    frames near strides have the strides' mean smoothness.
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
    """Return 0 to 1 (f,) by SPARC of the phase of a frame, the mean in strides of both sides."""
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
    """Return the peak speed (f,) of a frame's repetition over that of the fastest in the clip.

    NaN outside of repetitions, in gait, and with too few repetitions to compare.
    """
    pairs = [] if clip_events.gait else phases_of_repetitions(clip_events)
    speeds = np.array([max(p.peak_speed for p in pair) for pair in pairs])
    if np.isfinite(speeds).sum() < config.pace_repetitions:
        return np.full(len(clip_events.curves.times_s), np.nan)
    kept = speeds / np.nanmax(speeds)
    values = ((phase, k) for pair, k in zip(pairs, kept, strict=True) for phase in pair)
    return _within(clip_events.curves.times_s, values)


def _within(times_s: Array, values: Iterable[tuple[Phase, float]]) -> Array:
    """Return the mean value (f,) of the phases that contain a frame, NaN without any."""
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
