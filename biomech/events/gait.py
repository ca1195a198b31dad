"""Detect gait events by the ankles' position relative to the hips (Zeni 2008), from the side only.

The ankle is used for heel and toe, which COCO lacks. On figures with known feet, contacts are up
to 0.06 s early and toe-offs up to 0.06 s late, for runners up to 0.1 s. Stance time and step length
are therefore unknown for runners, and for walkers whose ankles are well above the ground at the
detected contacts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from biomech import reasons
from biomech.events.flight import Flight, over_stance
from biomech.events.peaks import crest_s, peaks_of
from biomech.kinematics.curves import Curves
from biomech.kinematics.geometry import Array
from biomech.kinematics.view import SAGITTAL
from biomech.reasons import Flags
from biomech.records.event_records import EventKind
from biomech.skeleton import SIDES, Side
from biomech.time_windows import percentile, runs_of

_PROMINENCE: Final = 0.1
_CREST: Final = 0.005
_LEAST_VALID: Final = 0.7
_UPRIGHT_DEG: Final = 60.0
"""Largest lean of the trunk in gait; beyond it alternating legs are pedaling, not walking."""

_STRIDES_HZ: Final = (0.5, 3.5)
_ANTIPHASE: Final = -0.5
_LEAST_CONTACTS: Final = 3
_PAUSE_STRIDES: Final = 1.5
_RUNNING_SHARE: Final = 0.5
WALKING_ERROR_S: Final = 0.06
RUNNING_ERROR_S: Final = 0.1
"""Largest error of contacts and toe-offs in running, from figures with known feet."""

_LANDED: Final = 0.035
"""Largest height of an ankle above its stance line at a contact, in statures."""

_SWINGS: Final = 0.075
_BOTH_UP: Final = 0.04
"""Height in statures of the lower ankle at a contact above which no foot is on the ground."""


@dataclass(frozen=True, slots=True)
class GaitEvent:
    """A gait event; ``kind`` is ``contact`` or ``toe_off``, ``frame`` the nearest frame.

    ``by_hand`` is whether somebody set it, rather than the detection.
    """

    kind: EventKind
    side: Side
    t_s: float
    frame: int
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Gait:
    """Walking or running.

    Attributes:
        events: sorted by time.
        bouts: first and last frame of each stretch of steps.
        running: whether both feet leave the ground between steps.
        landed: whether the ankles' height puts feet on the ground at the contacts.
    """

    events: list[GaitEvent]
    bouts: list[tuple[int, int]]
    running: bool
    landed: bool

    @property
    def stance_known(self) -> bool:
        """Return True if stance time and step length are known."""
        return self.landed and not self.running

    @property
    def event_error_s(self) -> float:
        """Return the largest error of contacts and toe-offs in seconds."""
        return RUNNING_ERROR_S if self.running else WALKING_ERROR_S

    def times(self, kind: str, side: str) -> Array:
        """Return the times (n,) in seconds of the events of one kind and side."""
        return np.array([e.t_s for e in self.events if (e.kind, e.side) == (kind, side)])

    def steps(self) -> list[tuple[GaitEvent, GaitEvent]]:
        """Return pairs of a contact and the next one of the other side, within a bout."""
        contacts = [e for e in self.events if e.kind == "contact"]
        return [
            (a, b)
            for a, b in pairwise(contacts)
            if a.side != b.side and self._bout(a) == self._bout(b)
        ]

    def strides(self, side: str) -> list[tuple[GaitEvent, GaitEvent]]:
        """Return pairs of successive contacts of a side in a bout, one of the other between."""
        contacts = [e for e in self.events if e.kind == "contact"]
        return [
            (a, c)
            for a, b, c in zip(contacts, contacts[1:], contacts[2:], strict=False)
            if a.side == c.side == side != b.side and self._bout(a) == self._bout(c)
        ]

    def cadence(self) -> float:
        """Return steps a minute from the median stride, else the median step; NaN without steps.

        A limping walker has long and short steps: their median is that of one side.
        """
        strides = [c.t_s - a.t_s for side in SIDES for a, c in self.strides(side)]
        if strides:
            return 120.0 / float(np.median(strides))
        steps = [b.t_s - a.t_s for a, b in self.steps()]
        return 60.0 / float(np.median(steps)) if steps else float("nan")

    def _bout(self, event: GaitEvent) -> int:
        return next(
            (i for i, (start, stop) in enumerate(self.bouts) if start <= event.frame <= stop), -1
        )


def gait_of(
    curves: Curves,
    view: str | None,
    present: Flags,
    flights: Sequence[Flight],
    *,
    runner: bool = False,
) -> tuple[Gait | None, str]:
    """Find the gait of a clip, or None and the reason (empty: the person does not walk).

    Args:
        curves: of the person. view: the clip's class. present: (f,) frames with the person.
        flights: of the clip; flights at most steps mean running.
        runner: whether the caller named a run.
    """
    if view != SAGITTAL:
        return None, reasons.VIEW_MISMATCH
    if not curves.signed:
        return None, reasons.FACING_UNKNOWN
    if percentile(np.abs(curves.lean[present]), 50) > _UPRIGHT_DEG:
        return None, ""
    both = np.stack([curves.ankle_ahead[side] for side in SIDES])
    seen = np.asarray(np.isfinite(both).all(0))
    if seen[present].sum() < _LEAST_VALID * present.sum():
        return None, reasons.LOW_CONFIDENCE
    events: list[GaitEvent] = []
    bouts: list[tuple[int, int]] = []
    for start, stop in runs_of(seen, curves.times_s, curves.max_gap_s).tolist():
        for found in _parts(_events(curves, start, stop)):
            bout = _bout(both, found)
            if bout is not None:
                events += found
                bouts.append(bout)
    if not events:
        return None, ""
    own, other = _over_ground(curves, [e for e in events if e.kind == "contact"])
    running = runner or _runs(events, bouts, flights) or _swings(own, other)
    landed = percentile(own, 50) <= _LANDED
    return Gait(sorted(events, key=lambda e: e.t_s), bouts, running, landed), ""


def _over_ground(curves: Curves, contacts: list[GaitEvent]) -> tuple[Array, Array]:
    """Return the heights (n,) of landing and other ankle over their stance lines, in statures."""
    frames = [contact.frame for contact in contacts]
    over = np.stack(
        [over_stance(curves.times_s, curves.ankle_height[side])[frames] for side in SIDES]
    )
    lands = np.array([SIDES.index(contact.side) for contact in contacts])
    every = np.arange(len(frames))
    return over[lands, every], over[1 - lands, every]


def _swings(own: Array, other: Array) -> bool:
    """Return True if no foot is on the ground at most contacts, as in running."""
    in_air = (other > _SWINGS) | (np.minimum(own, other) > _BOTH_UP)
    return bool(in_air.mean() > _RUNNING_SHARE)


_SIGNS: Final[Mapping[EventKind, float]] = {"contact": 1.0, "toe_off": -1.0}
"""Sign with which the ankle ahead of the hips peaks at an event."""


def _events(curves: Curves, start: int, stop: int) -> list[GaitEvent]:
    """Return the events of both sides in the frames ``start`` to ``stop``."""
    times_s, found = curves.times_s[start:stop], []
    for side in SIDES:
        for kind, sign in _SIGNS.items():
            signal = sign * curves.ankle_ahead[side][start:stop]
            peaks = peaks_of(times_s, signal, _PROMINENCE)
            exact = [crest_s(times_s, signal, p, _CREST) for p in peaks.tolist()]
            found += [
                GaitEvent(kind, side, float(t), start + int(np.abs(times_s - t).argmin()))
                for t in exact
            ]
    return sorted(found, key=lambda e: e.t_s)


def _stride_s(found: list[GaitEvent]) -> float:
    """Return the median time between contacts of a side in seconds; NaN without two of one."""
    contacts = [e for e in found if e.kind == "contact"]
    strides = [
        b.t_s - a.t_s
        for side in SIDES
        for a, b in pairwise([e for e in contacts if e.side == side])
    ]
    return float(np.median(strides)) if strides else float("nan")


def _parts(found: list[GaitEvent]) -> list[list[GaitEvent]]:
    """Split events at pauses, in which none falls for longer than 1.5 strides."""
    longest = _PAUSE_STRIDES * _stride_s(found)
    parts: list[list[GaitEvent]] = []
    for event in found:
        if not parts or event.t_s - parts[-1][-1].t_s > longest:
            parts.append([])
        parts[-1].append(event)
    return parts


def _bout(both: Array, found: list[GaitEvent]) -> tuple[int, int] | None:
    """Return the first and last frame of a stretch of steps, or None."""
    if sum(e.kind == "contact" for e in found) < _LEAST_CONTACTS:
        return None
    first, last = found[0].frame, found[-1].frame
    left, right = both[:, first : last + 1]
    pace = 1.0 / _stride_s(found)
    in_antiphase = float(np.corrcoef(left, right)[0, 1]) < _ANTIPHASE
    return (first, last) if in_antiphase and _STRIDES_HZ[0] <= pace <= _STRIDES_HZ[1] else None


def _runs(events: list[GaitEvent], bouts: list[tuple[int, int]], flights: Sequence[Flight]) -> bool:
    steps = sum(e.kind == "contact" for e in events) - len(bouts)
    inside = [
        f for f in flights if any(start <= f.takeoff and f.landing <= stop for start, stop in bouts)
    ]
    return len(inside) > _RUNNING_SHARE * steps
