"""``athletic_readiness`` with its fourth component: how smooth the phase is that holds a frame."""

from dataclasses import replace
from typing import Final

import numpy as np

from biomech import reasons
from biomech.config import BmConfig
from biomech.geometry import Array
from biomech.measures import Phase, phases_of_repetitions, phases_of_strides
from biomech.metrics import PersonMetrics
from biomech.performance import Performance
from biomech.scores import weighted

_ROUGHEST: Final = -4.0
_SPAN: Final = 2.6
"""SPARC from which on smoothness counts, and above it the span to all of it: -1.4 is least jerk."""


def with_smoothness(performance: Performance, config: BmConfig) -> PersonMetrics:
    """The metrics of a performance, where readiness knows of the smoothness of its phases.

    Outside of phases the component is missing, as it is in clips without any.
    """
    metrics = performance.metrics
    known = metrics.movement["athletic_readiness"]
    components = {**known.components, "smoothness": smoothness_of(performance)}
    score = weighted(components, config.readiness_weights, config, known.maximum)
    poor = reasons.where(known.reason == reasons.LOW_CONFIDENCE, reasons.LOW_CONFIDENCE)
    movement = {**metrics.movement, "athletic_readiness": score.only_where(poor)}
    return replace(metrics, movement=movement)


def smoothness_of(performance: Performance) -> Array:
    """(f,) 0 to 1 by SPARC of the phases of a frame, their mean in strides of both sides."""
    groups: list[list[Phase]]
    if performance.gait:
        groups = list(phases_of_strides(performance, performance.gait).values())
    else:
        groups = [[phase for pair in phases_of_repetitions(performance) for phase in pair]]
    times = performance.curves.times_s
    total, count = np.zeros((2, len(times)))
    for phases in groups:
        for phase in phases:
            if np.isfinite(phase.sparc):
                inside = slice(
                    int(np.searchsorted(times, phase.start_s, "left")),
                    int(np.searchsorted(times, phase.stop_s, "left")),
                )
                total[inside] += np.clip((phase.sparc - _ROUGHEST) / _SPAN, 0.0, 1.0)
                count[inside] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
