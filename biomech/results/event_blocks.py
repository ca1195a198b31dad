"""Build the repetitions, steps, jumps and landings of a summary."""

import numpy as np

from biomech.applications.outcome import number, rounded
from biomech.events.clip_events import ClipEvents
from biomech.events.flight import Flight
from biomech.events.gait import Gait
from biomech.events.measures import Phase, phases_of_repetitions
from biomech.reasons import LOCOMOTION, NO_FOOT_POINTS, NO_REPETITION
from biomech.records.event_records import (
    Bout,
    GaitEventRecord,
    GaitRecord,
    JumpRecord,
    LandingRecord,
    PhaseSmoothness,
    RepetitionCut,
    RepetitionRecord,
)


def cuts_of(clip_events: ClipEvents) -> list[RepetitionCut]:
    """Return the repetitions of which the clip shows only half."""
    return [
        RepetitionCut(t_s=rounded(cut.time_s), depth=rounded(cut.depth))
        for cut in clip_events.repetitions.cut
    ]


def reps_reason_of(clip_events: ClipEvents) -> str | None:
    """Return why there are no repetitions; None if there are any."""
    if clip_events.repetitions.items:
        return None
    return LOCOMOTION if clip_events.gait else NO_REPETITION


def landings_of(clip_events: ClipEvents, first_frame: int) -> list[LandingRecord]:
    """Return the landings. Their times may lie between frames.

    Frames count from the start of the clip; ``first_frame`` is that of the track, here and below.
    """
    return [
        LandingRecord(
            t_s=rounded(sum(flight.landing_between_s) / 2),
            t_range_s=_ends(flight.landing_between_s),
            frame=first_frame + flight.landing,
        )
        for flight in clip_events.landings
    ]


def jumps_of(clip_events: ClipEvents, first_frame: int) -> list[JumpRecord]:
    """Return the jumps."""
    return [_jump(jump, first_frame) for jump in clip_events.jumps]


def _jump(jump: Flight, first_frame: int) -> JumpRecord:
    found = jump.contacts
    if found is None:  # never for flights that count as jumps
        raise ValueError("the contacts of a jump were not looked for")
    return JumpRecord(
        t_takeoff_s=rounded(sum(found.takeoff_s) / 2),
        t_takeoff_range_s=_ends(found.takeoff_s),
        t_landing_s=rounded(sum(found.landing_s) / 2),
        t_landing_range_s=_ends(found.landing_s),
        frames=(first_frame + jump.takeoff, first_frame + jump.landing),
        flight_s=number(found.flight_s),
        flight_range_s=_ends(found.time_s),
        height_m=number(found.height_m),
        height_error_m=number(found.height_error_m),
        height_range_m=_ends(found.height_range_m) if found.height_range_m else None,
        reason=found.reason or None,
    )


def _ends(ends: tuple[float, float]) -> tuple[float, float]:
    return rounded(ends[0]), rounded(ends[1])


def reps_of(clip_events: ClipEvents, first_frame: int) -> list[RepetitionRecord]:
    """Return the repetitions, with the largest angle and the range of each joint in each."""
    curves = clip_events.curves
    made = []
    phases = phases_of_repetitions(clip_events)
    for i, (rep, (out, back)) in enumerate(zip(clip_events.repetitions.items, phases, strict=True)):
        inside = slice(rep.start, rep.stop + 1)
        known = {
            name: signal[inside][np.isfinite(signal[inside])]
            for name, signal in curves.flexion.items()
        }
        made.append(
            RepetitionRecord(
                number=i + 1,
                t_start_s=rounded(rep.start_s),
                t_peak_s=rounded(rep.peak_s),
                t_end_s=rounded(rep.stop_s),
                duration_s=rounded(rep.stop_s - rep.start_s),
                frames=(first_frame + rep.start, first_frame + rep.peak, first_frame + rep.stop),
                depth=rounded(rep.depth),
                depth_share=rounded(rep.share),
                depth_class="full" if rep.full else "partial",
                peak_deg={n: number(float(v.max())) for n, v in known.items() if len(v)},
                rom_deg={n: number(float(np.ptp(v))) for n, v in known.items() if len(v)},
                out=_phase(out),
                back=_phase(back),
                by_hand=rep.by_hand or None,
            )
        )
    return made


def _phase(phase: Phase) -> PhaseSmoothness:
    return PhaseSmoothness(
        peak_speed=number(phase.peak_speed), sparc=number(phase.sparc), ldlj=number(phase.ldlj)
    )


def gait_of(clip_events: ClipEvents, gait: Gait, first_frame: int) -> GaitRecord:
    """Return the steps of a clip."""
    times = clip_events.curves.times_s
    return GaitRecord(
        running=gait.running,
        stance_known=gait.stance_known,
        stance_reason=None if gait.stance_known else NO_FOOT_POINTS,
        event_error_s=gait.event_error_s,
        cadence_per_min=number(gait.cadence()),
        steps=len(gait.steps()),
        bouts=[
            Bout(t_start_s=rounded(float(times[start])), t_end_s=rounded(float(times[stop])))
            for start, stop in gait.bouts
        ],
        events=[
            GaitEventRecord(
                kind=e.kind,
                side=e.side,
                t_s=rounded(e.t_s),
                frame=first_frame + e.frame,
                by_hand=e.by_hand or None,
            )
            for e in gait.events
        ],
    )
