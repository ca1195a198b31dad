"""Apply corrections by hand to the events of one person: contacts, toe-offs and repetitions.

An edit names events by their frames. The events are detected again from the corrected points, so a
removed one is that of the same kind and side which is nearest to the frame, within 0.1 s. Removed
repetitions are those that share most of their frames with the named ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from biomech.events.gait import RUNNING_ERROR_S, Gait, GaitEvent
from biomech.events.repetitions import Repetition, Repetitions, shared
from biomech.kinematics.geometry import Array
from biomech.records.event_records import EventKind
from biomech.skeleton import Side

GaitEdit = tuple[EventKind, Side, int]
"""Kind, side and frame of a gait event."""

Bounds = tuple[int, int]
"""First and last frame of a repetition."""

_LEAST_SHARED: Final = 0.5
"""Share of the frames of two repetitions from which they are the same one."""


@dataclass(frozen=True, slots=True)
class EventEdits:
    """Events removed and added by hand; frames are indices of the clip.

    Attributes:
        gait_removed, gait_added: of contacts and toe-offs.
        reps_removed, reps_added: of repetitions.
    """

    gait_removed: tuple[GaitEdit, ...] = ()
    gait_added: tuple[GaitEdit, ...] = ()
    reps_removed: tuple[Bounds, ...] = ()
    reps_added: tuple[Bounds, ...] = ()

    def shifted(self, by: int) -> "EventEdits":
        """Return the same edits with ``by`` added to every frame."""

        def gait(edits: Sequence[GaitEdit]) -> tuple[GaitEdit, ...]:
            return tuple((kind, side, frame + by) for kind, side, frame in edits)

        def reps(edits: Sequence[Bounds]) -> tuple[Bounds, ...]:
            return tuple((start + by, stop + by) for start, stop in edits)

        return EventEdits(
            gait(self.gait_removed),
            gait(self.gait_added),
            reps(self.reps_removed),
            reps(self.reps_added),
        )

    def unapplied(self, gait: Gait | None, repetitions: Repetitions | None) -> list[str]:
        """Return in words the added events that the result lacks."""
        made = {(e.kind, e.side, e.frame) for e in gait.events if e.by_hand} if gait else set()
        reps = {(rep.start, rep.stop) for rep in repetitions.items} if repetitions else set()
        lost = [f"{kind} {side}" for kind, side, frame in self.gait_added
                if (kind, side, frame) not in made]  # fmt: skip
        return lost + ["repetition" for bounds in self.reps_added if bounds not in reps]


NO_EDITS: Final = EventEdits()


def edited_gait(gait: Gait | None, edits: EventEdits, times_s: Array) -> Gait | None:
    """Return the gait with its events corrected; None without any event.

    Args:
        gait: as detected, None where the person does not walk. edits: of it. times_s: (f,).
    """
    if gait is None or not (edits.gait_removed or edits.gait_added):
        return gait
    events = list(gait.events)
    for kind, side, frame in edits.gait_removed:
        near = [
            event
            for event in events
            if (event.kind, event.side) == (kind, side)
            and abs(event.t_s - times_s[frame]) <= RUNNING_ERROR_S
        ]
        if near:
            events.remove(min(near, key=lambda event: abs(event.t_s - times_s[frame])))
    events += [
        GaitEvent(kind, side, float(times_s[frame]), frame, by_hand=True)
        for kind, side, frame in edits.gait_added
    ]
    if not events:
        return None
    events.sort(key=lambda event: event.t_s)
    return replace(gait, events=events, bouts=_bouts(gait.bouts, [e.frame for e in events]))


def _bouts(bouts: list[Bounds], frames: list[int]) -> list[Bounds]:
    """Return the stretches of steps, the nearest one extended to each event outside of all."""
    reached = [list(bout) for bout in bouts]
    for frame in frames:
        gaps = [max(start - frame, frame - stop, 0) for start, stop in reached]
        nearest = reached[int(np.argmin(gaps))]
        nearest[:] = min(nearest[0], frame), max(nearest[1], frame)
    return [
        (start, stop)
        for start, stop in reached
        if any(start <= frame <= stop for frame in frames)
    ]  # fmt: skip


def edited_repetitions(found: Repetitions, edits: EventEdits, times_s: Array) -> Repetitions:
    """Return the repetitions with their bounds corrected.

    An added one is left out where the signal does not rise between its bounds.

    Args:
        found: as detected. edits: of them. times_s: (f,).
    """
    if not (edits.reps_removed or edits.reps_added) or found.driver is None:
        return found
    items = list(found.items)
    for bounds in edits.reps_removed:
        shares = [_overlap(bounds, (rep.start, rep.stop)) for rep in items]
        if shares and max(shares) >= _LEAST_SHARED:
            del items[int(np.argmax(shares))]
    added = (_repetition(found, bounds, times_s) for bounds in edits.reps_added)
    items += [rep for rep in added if rep is not None]
    items.sort(key=lambda rep: rep.start_s)
    return replace(found, items=shared(items))


def _overlap(a: Bounds, b: Bounds) -> float:
    """Return the intersection of two stretches of frames over their union."""
    both = min(a[1], b[1]) - max(a[0], b[0]) + 1
    return max(both, 0) / (max(a[1], b[1]) - min(a[0], b[0]) + 1)


def _repetition(found: Repetitions, bounds: Bounds, times_s: Array) -> Repetition | None:
    """Return the repetition between two frames; None where the signal does not rise."""
    start, stop = bounds
    height = found.direction * found.signal[start : stop + 1]
    if stop - start < 2 or not np.isfinite(height[1:-1]).any():
        return None
    peak = 1 + int(np.nanargmax(height[1:-1]))
    ends = height[[0, -1]]
    low = np.nanmax(ends) if np.isfinite(ends).any() else np.nanmin(height)
    depth = float(height[peak] - low)
    if not depth > 0:
        return None
    return Repetition(
        start=start,
        peak=start + peak,
        stop=stop,
        start_s=float(times_s[start]),
        peak_s=float(times_s[start + peak]),
        stop_s=float(times_s[stop]),
        depth=depth,
        by_hand=True,
    )
