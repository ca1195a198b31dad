"""Build the response's object of one person for the whole clip: ``biomechanics_summary[]``.

Numbers are rounded to four decimals. Unknown values are null, with a ``reason``.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from biomech.applications.asymmetry import asymmetry
from biomech.applications.efficiency import efficiency
from biomech.applications.external_load import load
from biomech.applications.fatigue import fatigue
from biomech.applications.monitoring import monitoring
from biomech.applications.norms import against_norms
from biomech.applications.norms_and_limits import NO_GUIDELINES, Guidelines
from biomech.applications.outcome import (
    INSUFFICIENT_DATA,
    NOT_SUPPLIED,
    Outcome,
    number,
    unavailable,
)
from biomech.applications.progress import progress
from biomech.applications.technique import technique
from biomech.config import (
    ALL_OUTPUTS,
    DEFINITIONS,
    NO_CONTEXT,
    BiomechanicsConfig,
    Context,
    EnabledOutputs,
)
from biomech.events.clip_events import ClipEvents
from biomech.events.cycle_average import phases
from biomech.events.measures import Measure, measures_of
from biomech.kinematics.person_metrics import PersonMetrics
from biomech.kinematics.view import SAGITTAL
from biomech.preprocessing.preprocess import Smoothed
from biomech.reasons import DISABLED, Flags
from biomech.results.cautions import cautions_of, ranges
from biomech.results.event_blocks import events_block
from biomech.results.frame_blocks import shoulder_reference
from biomech.results.joint_ranges import joints_block
from biomech.scores.clip_scores import clip_scores

ANOTHERS: Final = "references, earlier results and norms are the primary person's"
"""Reason of comparisons that are withheld from people other than the primary one."""

TOO_SHORT: Final = "the clip is too short or too slow to be filtered"

LIMITS: Final = (
    "One camera shows no axial rotation, no true valgus and no depth.",
    "Hips and shoulders are points of the picture, not joint centers: change is firmer than level.",
    "There are no points of the feet: no ankle angle, and contacts are rough.",
    "Confidence is not accuracy.",
    "No forces, no diagnosis, no prediction of injury, no decision on a return to sport.",
)
"""Limits that apply to every result."""

APPLICATIONS: Final = (
    "monitoring",
    "asymmetry",
    "fatigue",
    "load",
    "technique",
    "efficiency",
    "progress",
    "norms",
)


@dataclass(frozen=True, slots=True)
class SummaryInputs:
    """Inputs of a summary in addition to the person's own points.

    Attributes:
        config: thresholds. context: data from the caller. parts: those enabled.
        guidelines: of the site. model: source of most poses, None if unknown.
        first_frame: number in the clip of the track's first frame.
        others: (f,) frames of the track with another person, None for none.
    """

    config: BiomechanicsConfig
    context: Context = NO_CONTEXT
    parts: EnabledOutputs = ALL_OUTPUTS
    guidelines: Guidelines = NO_GUIDELINES
    model: str | None = None
    first_frame: int = 0
    others: Flags | None = None


def summary(
    person_id: int,
    metrics: PersonMetrics,
    clip_events: ClipEvents | None,
    occasion: SummaryInputs,
) -> dict[str, Any]:
    """Build the JSON-ready summary of one person for the whole clip.

    ``clip_events`` is None if the clip is too short for events.
    """
    told = _heading(person_id, metrics, occasion)
    told["quality"] = _quality(metrics, clip_events, occasion)
    present = metrics.points.track.present
    told["scores"] = clip_scores(metrics.movement, present, occasion.config)
    measures = measures_of(clip_events) if clip_events else []
    joints = joints_block(clip_events) if clip_events else {}
    told |= {
        "length_unit": "stature" if metrics.size.height_m is None else "m",
        "joints": joints if occasion.parts.joint_angle_analysis else {},
        **events_block(clip_events, occasion.first_frame),
        "measures": [_measure(measure) for measure in measures],
        "phases": phases(clip_events) if clip_events else None,
    }
    told["applications"] = _applications(told, measures, metrics, clip_events, occasion)
    return told


def disabled_summary(person_id: int) -> dict[str, Any]:
    """Return the summary with biomechanics disabled."""
    return {"person_id": person_id, "definitions": DEFINITIONS, "reason": DISABLED}


def _heading(person_id: int, metrics: PersonMetrics, occasion: SummaryInputs) -> dict[str, Any]:
    camera = occasion.context.camera
    assumed = camera.roll_deg is None
    sources = sorted({str(s) for s in metrics.sigma_source if s})
    return {
        "person_id": person_id,
        "definitions": DEFINITIONS,
        "model": occasion.model,
        "movement": occasion.context.movement,
        "view": metrics.view.of_clip(),
        "near_side": _near_side(metrics),
        "camera": {
            "roll_deg": camera.roll_deg or 0.0,
            "roll_source": "assumed" if assumed else "request",
            "slowmo_factor": camera.slowmo_factor,
        },
        "filter": filter_block(metrics.points),
        "stature_px": number(metrics.size.stature_px),
        "height_m": metrics.size.height_m,
        "shoulder_reference": shoulder_reference(metrics),
        "sigma_source": sources[0] if len(sources) == 1 else "mixed" if sources else None,
        "sigma_calibrated": False,
        "flags": ["roll_assumed_level"] * assumed + ["scale_drift"] * metrics.scale_drifts,
        "limits": list(LIMITS),
        "config": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(occasion.config).items()
        },
    }


def _near_side(metrics: PersonMetrics) -> str | None:
    """Return the side nearer to the camera; None unless one side is nearer throughout."""
    facing = metrics.view.facing[metrics.view.facing != 0]
    if metrics.view.of_clip() != SAGITTAL or not len(facing):
        return None
    to_the_right = float((facing > 0).mean())
    if _MOST_TURNED < to_the_right < 1 - _MOST_TURNED:
        return None
    return "right" if to_the_right > _MOST_TURNED else "left"


_MOST_TURNED: Final = 0.1


def filter_block(points: Smoothed) -> dict[str, Any]:
    """Return the filter and repairs of one person's points, JSON-ready.

    Times are those of the first and last frame.
    """
    used, times = points.filter, points.track.times_s
    return {
        "type": used.type,
        "order": used.order,
        "cutoff_hz": number(used.cutoff_hz),
        "cutoff_source": used.source if used.cutoff_hz is not None else None,
        "fs_hz": number(used.rate_hz),
        "resampled": used.resampled,
        "cutoff_limited": used.limited,
        "suggested_cutoff_hz": number(used.suggested_cutoff_hz),
        "swaps_fixed": [
            {
                "limbs": swap.limbs,
                "t_start": float(times[swap.start]),
                "t_end": float(times[swap.stop - 1]),
            }
            for swap in points.swaps
        ],
        "points": {
            "measured": int((points.gated.reason == "").sum()),
            "outliers": int(points.outlier.sum()),
            "filled": int(points.filled.sum()),
            "unsmoothed": int(points.unsmoothed.sum()),
        },
        "sigma_inflation": number(points.noise.inflation),
    }


def _quality(
    metrics: PersonMetrics, clip_events: ClipEvents | None, occasion: SummaryInputs
) -> list[dict[str, Any]]:
    present = metrics.points.track.present
    others = np.zeros(len(present), np.bool_) if occasion.others is None else occasion.others
    return [
        {
            "code": caution.code,
            "detail": caution.detail,
            "threshold": caution.threshold,
            "value": number(caution.value),
            "frames": [[occasion.first_frame + f for f in ends] for ends in ranges(caution.frames)],
            "share": number(float(caution.frames.sum() / present.sum())),
        }
        for caution in cautions_of(metrics, clip_events, occasion.context.movement, others)
    ]


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "metric": measure.metric,
        "side": measure.side,
        "unit": measure.unit,
        "n": len(measure.values),
        "mean": number(measure.mean),
        "sd": number(measure.sd),
        "t_s": [number(t) for t in measure.times_s.tolist()],
        "values": [number(v) for v in measure.values.tolist()],
        "sigma": None if measure.sigma is None else [number(v) for v in measure.sigma.tolist()],
    }


def _applications(
    told: dict[str, Any],
    measures: list[Measure],
    metrics: PersonMetrics,
    clip_events: ClipEvents | None,
    occasion: SummaryInputs,
) -> dict[str, Outcome]:
    guidelines, subject = occasion.guidelines, occasion.context.subject
    if clip_events is None:
        return {name: unavailable(INSUFFICIENT_DATA, TOO_SHORT) for name in APPLICATIONS}
    made = {
        "monitoring": monitoring(clip_events, guidelines.rules, subject.sex),
        "asymmetry": asymmetry(
            measures, told["phases"], guidelines.limits, subject.involved_side, told["view"]
        ),
        "fatigue": fatigue(measures, guidelines.limits),
        "load": load(clip_events, occasion.config),
        "technique": technique(told, guidelines.reference)
        if guidelines.reference
        else unavailable(NOT_SUPPLIED, "no reference result was supplied"),
        "efficiency": efficiency(clip_events),
        "progress": progress(guidelines.before, told, guidelines.limits)
        if guidelines.before
        else unavailable(NOT_SUPPLIED, "no earlier result was supplied"),
        "norms": against_norms(measures, guidelines.norms, told["view"]),
    }
    if guidelines.withheld:
        made |= dict.fromkeys(
            ("technique", "progress", "norms"), unavailable(NOT_SUPPLIED, ANOTHERS)
        )
    parts = occasion.parts
    given = {
        "monitoring": parts.joint_angle_analysis,
        "asymmetry": parts.symmetry_detection,
        "efficiency": parts.movement_quality,
    }
    return {
        name: outcome if given.get(name, True) else unavailable(NOT_SUPPLIED, DISABLED)
        for name, outcome in made.items()
    }
