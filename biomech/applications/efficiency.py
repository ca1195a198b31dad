"""Rate movement efficiency by smoothness; energy use is not estimated."""

from typing import Literal

import numpy as np

from biomech.applications.outcome import INSUFFICIENT_DATA, OK, number, rounded
from biomech.events.clip_events import ClipEvents
from biomech.events.measures import Phase, phases_of_repetitions, phases_of_strides
from biomech.records.application_records import EfficiencyOutcome, SmoothPhase
from biomech.skeleton import Side


def efficiency(clip_events: ClipEvents) -> EfficiencyOutcome:
    """Compute SPARC and LDLJ of each way of a repetition, or of the knee over each stride.

    Values nearer 0 are smoother. They are null where the speed does not exceed three standard
    deviations of its noise; ``ldlj`` is also null below 60 frames a second.
    """
    found: list[SmoothPhase] = []
    if clip_events.gait:
        for side, strides in phases_of_strides(clip_events, clip_events.gait).items():
            found += [_row("stride", side, i, p) for i, p in enumerate(strides)]
        of = "knee"
    else:
        for i, (out, back) in enumerate(phases_of_repetitions(clip_events)):
            found += [_row("out", None, i, out), _row("back", None, i, back)]
        of = clip_events.repetitions.driver or ""
    smooth = [row.sparc for row in found if row.sparc is not None]
    if not smooth:
        reason = "no repetition or stride is faster than the noise of its speed"
        return EfficiencyOutcome(status=INSUFFICIENT_DATA, reason=reason, phases=found)
    jerks = [row.ldlj for row in found if row.ldlj is not None]
    return EfficiencyOutcome(
        status=OK,
        of=of,
        sparc=number(float(np.mean(smooth))),
        ldlj=number(float(np.mean(jerks))) if jerks else None,
        phases=found,
    )


def _row(
    phase: Literal["out", "back", "stride"], side: Side | None, index: int, made: Phase
) -> SmoothPhase:
    return SmoothPhase(
        phase=phase,
        side=side,
        number=index + 1,
        t_start_s=rounded(made.start_s),
        t_end_s=rounded(made.stop_s),
        peak_speed=number(made.peak_speed),
        sparc=number(made.sparc),
        ldlj=number(made.ldlj),
    )
