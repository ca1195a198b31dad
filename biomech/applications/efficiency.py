"""Rate movement efficiency by smoothness; energy use is not estimated."""

from typing import Any

import numpy as np

from biomech.applications.outcome import INSUFFICIENT_DATA, Outcome, number, ok, unavailable
from biomech.events.clip_events import ClipEvents
from biomech.events.measures import Phase, phases_of_repetitions, phases_of_strides


def efficiency(clip_events: ClipEvents) -> Outcome:
    """Compute SPARC and LDLJ of each way of a repetition, or of the knee over each stride.

    Values nearer 0 are smoother. They are null where the speed does not exceed three standard
    deviations of its noise; ``ldlj`` is also null below 60 frames a second.
    """
    found: list[dict[str, Any]] = []
    if clip_events.gait:
        for side, strides in phases_of_strides(clip_events, clip_events.gait).items():
            found += [_row("stride", side, i, p) for i, p in enumerate(strides)]
        of = "knee"
    else:
        for i, (out, back) in enumerate(phases_of_repetitions(clip_events)):
            found += [_row("out", None, i, out), _row("back", None, i, back)]
        of = clip_events.repetitions.driver or ""
    known = [row["sparc"] for row in found if row["sparc"] is not None]
    if not known:
        reason = "no repetition or stride is faster than the noise of its speed"
        return unavailable(INSUFFICIENT_DATA, reason, of=None, sparc=None, ldlj=None, phases=found)
    jerks = [row["ldlj"] for row in found if row["ldlj"] is not None]
    return ok(
        of=of,
        sparc=number(float(np.mean(known))),
        ldlj=number(float(np.mean(jerks))) if jerks else None,
        phases=found,
    )


def _row(phase: str, side: str | None, index: int, made: Phase) -> dict[str, Any]:
    return {
        "phase": phase,
        "side": side,
        "number": index + 1,
        "t_start_s": number(made.start_s),
        "t_end_s": number(made.stop_s),
        "peak_speed": number(made.peak_speed),
        "sparc": number(made.sparc),
        "ldlj": number(made.ldlj),
    }
