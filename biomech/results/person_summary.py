"""Build the summary of one person for the whole clip.

Numbers are rounded to four decimals. Unknown values are null, with a ``reason``.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import numpy as np

from biomech.applications.asymmetry import asymmetry
from biomech.applications.efficiency import efficiency
from biomech.applications.external_load import load
from biomech.applications.fatigue import fatigue
from biomech.applications.monitoring import monitoring
from biomech.applications.norms import against_norms
from biomech.applications.norms_and_limits import NO_GUIDELINES, Guidelines
from biomech.applications.outcome import INSUFFICIENT_DATA, NOT_SUPPLIED, number, rounded
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
from biomech.events.event_edits import NO_EDITS, EventEdits
from biomech.events.measures import Measure, measures_of
from biomech.events.repetitions import DIRECTIONS
from biomech.kinematics.person_metrics import PersonMetrics
from biomech.kinematics.view import SAGITTAL
from biomech.preprocessing.preprocess import Smoothed
from biomech.reasons import DISABLED, INSUFFICIENT_HISTORY, Flags
from biomech.records.application_records import (
    Applications,
    AsymmetryOutcome,
    EfficiencyOutcome,
    FatigueOutcome,
    LoadOutcome,
    MonitoringOutcome,
    NormsOutcome,
    ProgressOutcome,
    TechniqueOutcome,
)
from biomech.records.event_records import MeasureRecord
from biomech.records.person_record import (
    CameraRecord,
    CautionRecord,
    Exchanged,
    FilterRecord,
    PersonSummary,
)
from biomech.records.values import SigmaSource
from biomech.results.cautions import cautions_of, ranges
from biomech.results.event_blocks import (
    cuts_of,
    gait_of,
    jumps_of,
    landings_of,
    reps_of,
    reps_reason_of,
)
from biomech.results.frame_blocks import shoulder_reference
from biomech.results.joint_ranges import joints_of
from biomech.scores.clip_scores import clip_scores
from biomech.skeleton import Side

ANOTHERS: Final = "references, earlier results and norms are the primary person's"
"""Reason of comparisons that are withheld from people other than the primary one."""

_SIGMA_SOURCES: Final[tuple[SigmaSource, ...]] = ("model", "oks_prior", "mixed")

TOO_SHORT: Final = "the clip is too short or too slow to be filtered"

LIMITS: Final = (
    "One camera shows no axial rotation, no true valgus and no depth.",
    "Hips and shoulders are points of the picture, not joint centers: change is firmer than level.",
    "There are no points of the feet: no ankle angle, and contacts are rough.",
    "Confidence is not accuracy.",
    "No forces, no diagnosis, no prediction of injury, no decision on a return to sport.",
)
"""Limits that apply to every result."""

APPLICATIONS: Final = tuple(item.name for item in fields(Applications))


@dataclass(frozen=True, slots=True)
class SummaryInputs:
    """Inputs of a summary in addition to the person's own points.

    Attributes:
        config: thresholds. context: data from the caller. parts: those enabled.
        guidelines: of the site. model: source of most poses, None if unknown.
        first_frame: number in the clip of the track's first frame.
        others: (f,) frames of the track with another person, None for none.
        edits: events corrected by hand, in frames of the track.
    """

    config: BiomechanicsConfig
    context: Context = NO_CONTEXT
    parts: EnabledOutputs = ALL_OUTPUTS
    guidelines: Guidelines = NO_GUIDELINES
    model: str | None = None
    first_frame: int = 0
    others: Flags | None = None
    edits: EventEdits = NO_EDITS


def summary(
    person_id: int,
    metrics: PersonMetrics,
    clip_events: ClipEvents | None,
    occasion: SummaryInputs,
) -> PersonSummary:
    """Build the summary of one person for the whole clip.

    ``clip_events`` is None if the clip is too short for events.
    """
    parts, first = occasion.parts, occasion.first_frame
    measures = measures_of(clip_events) if clip_events else []
    whole = replace(
        _heading(person_id, metrics, occasion),
        quality=_quality(metrics, clip_events, occasion),
        scores=clip_scores(metrics.movement, metrics.points.track.present, occasion.config),
        length_unit="stature" if metrics.size.height_m is None else "m",
        measures=[_measure(measure) for measure in measures],
    )
    if clip_events is None:
        short = replace(whole, reps_reason=INSUFFICIENT_HISTORY, gait_reason=INSUFFICIENT_HISTORY)
        return replace(short, applications=_applications(short, [], None, occasion))
    reps, gait = clip_events.repetitions, clip_events.gait
    whole = replace(
        whole,
        joints=joints_of(clip_events) if parts.joint_angle_analysis else {},
        driver=reps.driver,
        direction=DIRECTIONS[reps.direction] if reps.driver else None,
        reps=reps_of(clip_events, first),
        reps_cut=cuts_of(clip_events),
        reps_reason=reps_reason_of(clip_events),
        gait=gait_of(clip_events, gait, first) if gait else None,
        gait_reason=clip_events.gait_reason or None,
        jumps=jumps_of(clip_events, first),
        landings=landings_of(clip_events, first),
        phases=phases(clip_events),
    )
    return replace(whole, applications=_applications(whole, measures, clip_events, occasion))


def disabled_summary(person_id: int) -> PersonSummary:
    """Return the summary with biomechanics disabled."""
    return PersonSummary(person_id=person_id, definitions=DEFINITIONS, reason=DISABLED)


def _heading(person_id: int, metrics: PersonMetrics, occasion: SummaryInputs) -> PersonSummary:
    camera = occasion.context.camera
    assumed = camera.roll_deg is None
    return PersonSummary(
        person_id=person_id,
        definitions=DEFINITIONS,
        model=occasion.model,
        movement=occasion.context.movement,
        view=metrics.view.of_clip(),
        near_side=_near_side(metrics),
        camera=CameraRecord(
            roll_deg=camera.roll_deg or 0.0,
            roll_source="assumed" if assumed else "request",
            slowmo_factor=camera.slowmo_factor,
        ),
        filter=filter_record(metrics.points),
        stature_px=number(metrics.size.stature_px),
        height_m=metrics.size.height_m,
        shoulder_reference=shoulder_reference(metrics),
        sigma_source=_sigma_source(metrics),
        flags=["roll_assumed_level"] * assumed + ["scale_drift"] * metrics.scale_drifts,
        limits=list(LIMITS),
        config={
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(occasion.config).items()
        },
    )


def _sigma_source(metrics: PersonMetrics) -> SigmaSource | None:
    """Return the source of all deviations, ``mixed`` if they have several; None without any."""
    sources = [source for source in _SIGMA_SOURCES if (metrics.sigma_source == source).any()]
    return None if not sources else sources[0] if len(sources) == 1 else "mixed"


def _near_side(metrics: PersonMetrics) -> Side | None:
    """Return the side nearer to the camera; None unless one side is nearer throughout."""
    facing = metrics.view.facing[metrics.view.facing != 0]
    if metrics.view.of_clip() != SAGITTAL or not len(facing):
        return None
    to_the_right = float((facing > 0).mean())
    if _MOST_TURNED < to_the_right < 1 - _MOST_TURNED:
        return None
    return "right" if to_the_right > _MOST_TURNED else "left"


_MOST_TURNED: Final = 0.1


def filter_record(points: Smoothed) -> FilterRecord:
    """Return the filter and repairs of one person's points.

    Times are those of the first and last frame.
    """
    used, times = points.filter, points.track.times_s
    return FilterRecord(
        type=used.type,
        order=used.order,
        cutoff_hz=number(used.cutoff_hz),
        cutoff_source=used.source if used.cutoff_hz is not None else None,
        fs_hz=number(used.rate_hz),
        resampled=used.resampled,
        cutoff_limited=used.limited,
        suggested_cutoff_hz=number(used.suggested_cutoff_hz),
        swaps_fixed=[
            Exchanged(
                limbs=swap.limbs,
                t_start=float(times[swap.start]),
                t_end=float(times[swap.stop - 1]),
            )
            for swap in points.swaps
        ],
        points={
            "measured": int((points.gated.reason == "").sum()),
            "outliers": int(points.outlier.sum()),
            "filled": int(points.filled.sum()),
            "unsmoothed": int(points.unsmoothed.sum()),
        },
        sigma_inflation=number(points.noise.inflation),
    )


def _quality(
    metrics: PersonMetrics, clip_events: ClipEvents | None, occasion: SummaryInputs
) -> list[CautionRecord]:
    present = metrics.points.track.present
    others = np.zeros(len(present), np.bool_) if occasion.others is None else occasion.others
    return [
        CautionRecord(
            code=caution.code,
            detail=caution.detail,
            threshold=caution.threshold,
            value=number(caution.value),
            frames=[
                (occasion.first_frame + start, occasion.first_frame + stop)
                for start, stop in ranges(caution.frames)
            ],
            share=rounded(float(caution.frames.sum() / present.sum())),
        )
        for caution in cautions_of(metrics, clip_events, occasion.context.movement, others)
    ]


def _measure(measure: Measure) -> MeasureRecord:
    return MeasureRecord(
        metric=measure.metric,
        side=measure.side,
        unit=measure.unit,
        n=len(measure.values),
        mean=rounded(measure.mean),
        sd=number(measure.sd),
        t_s=[rounded(t) for t in measure.times_s.tolist()],
        values=[rounded(v) for v in measure.values.tolist()],
        sigma=None if measure.sigma is None else [rounded(v) for v in measure.sigma.tolist()],
    )


def _applications(
    whole: PersonSummary,
    measures: list[Measure],
    clip_events: ClipEvents | None,
    occasion: SummaryInputs,
) -> Applications:
    """Return the outcomes of the applications on the rest of a summary."""
    guidelines, subject, view = occasion.guidelines, occasion.context.subject, whole.view
    if clip_events is None:
        why: Any = {"status": INSUFFICIENT_DATA, "reason": TOO_SHORT}
        return Applications(
            monitoring=MonitoringOutcome(**why),
            asymmetry=AsymmetryOutcome(**why),
            fatigue=FatigueOutcome(**why),
            load=LoadOutcome(**why),
            technique=TechniqueOutcome(**why),
            efficiency=EfficiencyOutcome(**why),
            progress=ProgressOutcome(**why),
            norms=NormsOutcome(**why),
        )
    made = Applications(
        monitoring=monitoring(clip_events, guidelines.rules, subject.sex),
        asymmetry=asymmetry(measures, whole.phases, guidelines.limits, subject.involved_side, view),
        fatigue=fatigue(measures, guidelines.limits),
        load=load(clip_events, occasion.config),
        technique=_technique(whole, guidelines),
        efficiency=efficiency(clip_events),
        progress=_progress(whole, guidelines),
        norms=NormsOutcome(status=NOT_SUPPLIED, reason=ANOTHERS)
        if guidelines.withheld
        else against_norms(measures, guidelines.norms, view),
    )
    parts = occasion.parts
    if not parts.joint_angle_analysis:
        made = replace(made, monitoring=MonitoringOutcome(status=NOT_SUPPLIED, reason=DISABLED))
    if not parts.symmetry_detection:
        made = replace(made, asymmetry=AsymmetryOutcome(status=NOT_SUPPLIED, reason=DISABLED))
    if not parts.movement_quality:
        made = replace(made, efficiency=EfficiencyOutcome(status=NOT_SUPPLIED, reason=DISABLED))
    return made


def _technique(whole: PersonSummary, guidelines: Guidelines) -> TechniqueOutcome:
    if guidelines.withheld or not guidelines.reference:
        reason = ANOTHERS if guidelines.withheld else "no reference result was supplied"
        return TechniqueOutcome(status=NOT_SUPPLIED, reason=reason)
    return technique(asdict(whole), guidelines.reference)


def _progress(whole: PersonSummary, guidelines: Guidelines) -> ProgressOutcome:
    if guidelines.withheld or not guidelines.before:
        reason = ANOTHERS if guidelines.withheld else "no earlier result was supplied"
        return ProgressOutcome(status=NOT_SUPPLIED, reason=reason)
    return progress(guidelines.before, asdict(whole), guidelines.limits)
