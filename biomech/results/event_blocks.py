"""Build the JSON-ready blocks of repetitions, steps, jumps and landings."""

from typing import Any

import numpy as np

from biomech.applications.outcome import number
from biomech.events.clip_events import ClipEvents
from biomech.events.flight import Flight
from biomech.events.gait import Gait
from biomech.events.measures import Phase, phases_of_repetitions
from biomech.events.repetitions import DIRECTIONS
from biomech.reasons import INSUFFICIENT_HISTORY, LOCOMOTION, NO_FOOT_POINTS, NO_REPETITION

Block = dict[str, Any]


def events_block(clip_events: ClipEvents | None, first_frame: int = 0) -> Block:
    """Build ``driver``, ``reps`` and ``gait`` with their reasons, ``jumps`` and ``landings``.

    Frames count from the start of the clip; ``first_frame`` is that of the track. Times may lie
    between frames. The angles of ``reps`` are the maximum and the range of each joint from valley
    to valley.
    """
    if clip_events is None:
        return {
            "driver": None, "direction": None, "reps": [], "reps_cut": [],
            "reps_reason": INSUFFICIENT_HISTORY, "gait": None, "gait_reason": INSUFFICIENT_HISTORY,
            "jumps": [], "landings": [],
        }  # fmt: skip
    reps = clip_events.repetitions
    none = LOCOMOTION if clip_events.gait else NO_REPETITION
    return {
        "driver": reps.driver,
        "direction": DIRECTIONS[reps.direction] if reps.driver else None,
        "reps": _repetitions(clip_events, first_frame),
        "reps_cut": [{"t_s": number(cut.time_s), "depth": number(cut.depth)} for cut in reps.cut],
        "reps_reason": None if reps.items else none,
        "gait": _gait(clip_events, clip_events.gait, first_frame) if clip_events.gait else None,
        "gait_reason": clip_events.gait_reason or None,
        "jumps": [_jump(jump, first_frame) for jump in clip_events.jumps],
        "landings": [
            {
                "t_s": number(sum(flight.landing_between_s) / 2),
                "t_range_s": [number(t) for t in flight.landing_between_s],
                "frame": first_frame + flight.landing,
            }
            for flight in clip_events.landings
        ],
    }


def _jump(jump: Flight, first_frame: int) -> Block:
    found = jump.contacts
    if found is None:  # never for flights that count as jumps
        raise ValueError("the contacts of a jump were not looked for")
    return {
        "t_takeoff_s": number(sum(found.takeoff_s) / 2),
        "t_takeoff_range_s": [number(t) for t in found.takeoff_s],
        "t_landing_s": number(sum(found.landing_s) / 2),
        "t_landing_range_s": [number(t) for t in found.landing_s],
        "frames": [first_frame + jump.takeoff, first_frame + jump.landing],
        "flight_s": number(found.flight_s),
        "flight_range_s": [number(t) for t in found.time_s],
        "height_m": number(found.height_m),
        "height_error_m": number(found.height_error_m),
        "height_range_m": [number(h) for h in found.height_range_m or ()] or None,
        "reason": found.reason or None,
    }


def _repetitions(clip_events: ClipEvents, first_frame: int) -> list[Block]:
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
            {
                "number": i + 1,
                "t_start_s": number(rep.start_s),
                "t_peak_s": number(rep.peak_s),
                "t_end_s": number(rep.stop_s),
                "duration_s": number(rep.stop_s - rep.start_s),
                "frames": [first_frame + f for f in (rep.start, rep.peak, rep.stop)],
                "depth": number(rep.depth),
                "depth_share": number(rep.share),
                "depth_class": "full" if rep.full else "partial",
                "peak_deg": {n: number(float(v.max())) for n, v in known.items() if len(v)},
                "rom_deg": {n: number(float(np.ptp(v))) for n, v in known.items() if len(v)},
                "out": _phase(out),
                "back": _phase(back),
            }
        )
    return made


def _phase(phase: Phase) -> Block:
    return {
        "peak_speed": number(phase.peak_speed),
        "sparc": number(phase.sparc),
        "ldlj": number(phase.ldlj),
    }


def _gait(clip_events: ClipEvents, gait: Gait, first_frame: int) -> Block:
    times = clip_events.curves.times_s
    return {
        "running": gait.running,
        "stance_known": gait.stance_known,
        "stance_reason": None if gait.stance_known else NO_FOOT_POINTS,
        "event_error_s": gait.event_error_s,
        "cadence_per_min": number(gait.cadence()),
        "steps": len(gait.steps()),
        "bouts": [
            {"t_start_s": number(float(times[start])), "t_end_s": number(float(times[stop]))}
            for start, stop in gait.bouts
        ],
        "events": [
            {"kind": e.kind, "side": e.side, "t_s": number(e.t_s), "frame": first_frame + e.frame}
            for e in gait.events
        ],
    }
