"""Collect the events of one person in a clip: repetitions, gait, jumps and landings."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np

from biomech.config import CUTOFFS_HZ, JUMP, RUN, BiomechanicsConfig
from biomech.events.event_edits import NO_EDITS, EventEdits, edited_gait, edited_repetitions
from biomech.events.flight import Flight, flights, with_contacts
from biomech.events.gait import Gait, gait_of
from biomech.events.repetitions import Repetition, Repetitions, descents, repetitions
from biomech.kinematics.curves import Curves, curves_of
from biomech.kinematics.person_metrics import PersonMetrics, person_metrics
from biomech.preprocessing.filters import MAX_SHARE
from biomech.reasons import Flags
from biomech.records.values import ClipView

AFTER_LANDING_S: Final = 0.5
"""Seconds after a landing in which its load is absorbed."""

_LEAST_JUMP_S: Final = 0.2
"""Shortest flight of a jump in seconds, 5 cm high; running steps and lifted heels are shorter."""

_FAST_CADENCE: Final = 160.0
"""Steps a minute above which nobody walks; the knee then turns as fast as in running."""


@dataclass(frozen=True)
class ClipEvents:
    """The events of a clip of one person.

    Attributes:
        metrics: source of the events. curves: signals over the clip.
        view: of the clip. repetitions: of the movement, outside of gait.
        gait: None with ``gait_reason``, which is empty if the person does not walk.
        flights: both feet off the ground, including running steps.
    """

    metrics: PersonMetrics
    curves: Curves
    view: ClipView | None
    repetitions: Repetitions
    gait: Gait | None
    gait_reason: str
    flights: list[Flight]

    @property
    def landings(self) -> list[Flight]:
        """Return the flights of at least 0.2 s that are not steps; each ends with a landing."""
        bouts = self.gait.bouts if self.gait else []
        return [
            flight
            for flight in self.flights
            if flight.landing_s - flight.takeoff_s >= _LEAST_JUMP_S
            and not flight.leap
            and not any(start <= flight.takeoff <= stop for start, stop in bouts)
        ]

    @property
    def jumps(self) -> list[Flight]:
        """Return the landings' flights that end at the level they began on."""
        return [flight for flight in self.landings if flight.same_level]

    @cached_property
    def lows(self) -> list[Repetition]:
        """Return the repetitions of the hips' height, without those after a landing."""
        landed = [flight.landing for flight in self.landings]
        return [
            rep
            for rep in descents(self.curves, self.metrics.points.track.present)
            if not any(rep.start <= frame <= rep.peak for frame in landed)
        ]

    def after(self, landing: Flight) -> slice:
        """Return the frames from the earliest contact to half a second after the latest."""
        earliest, latest = landing.landing_between_s
        ends = np.searchsorted(self.curves.times_s, [earliest, latest + AFTER_LANDING_S])
        return slice(*ends.tolist())

    @property
    def recognized(self) -> str | None:
        """Return the recognized movement that needs a higher cut-off, or None."""
        gait = self.gait
        if gait and (gait.running or gait.cadence() > _FAST_CADENCE):
            return RUN
        return JUMP if self.landings else None


def clip_events_of(
    metrics: PersonMetrics,
    config: BiomechanicsConfig,
    movement: str,
    edits: EventEdits = NO_EDITS,
) -> ClipEvents | None:
    """Return the events of one person; None where the clip is too short or slow to be filtered.

    If nobody chose the cut-off and the clip shows a movement with a higher one, everything is
    computed again with that cut-off, including ``metrics`` of the result.

    Args:
        metrics: of the person. config: thresholds. movement: named by the caller.
        edits: corrections by hand, in frames of the person's track.
    """
    made = _performance(metrics, config, movement, edits)
    if made is None or made.recognized is None or config.cutoff_source != "default":
        return made
    sharper = replace(config, cutoff_hz=CUTOFFS_HZ[made.recognized], cutoff_source="recognized")
    if sharper.cutoff_hz <= config.cutoff_hz or MAX_SHARE * made.curves.rate_hz <= config.cutoff_hz:
        return made
    again = person_metrics(metrics.points.track, sharper, metrics.subject, metrics.roll_deg)
    return _performance(again, sharper, movement, edits)


def _performance(
    metrics: PersonMetrics, config: BiomechanicsConfig, movement: str, edits: EventEdits
) -> ClipEvents | None:
    used = metrics.points.filter
    if used.cutoff_hz is None or not metrics.size.stature_px > 0:
        return None
    curves = curves_of(metrics, config)
    view, present = metrics.view.of_clip(), metrics.points.track.present
    flown = flights(curves, metrics.size.height_m)
    gait, reason = gait_of(curves, view, present, flown, runner=movement == RUN)
    gait = edited_gait(gait, edits, curves.times_s)
    reps = repetitions(curves, present, striding(curves, gait))
    reps = edited_repetitions(reps, edits, curves.times_s)
    made = ClipEvents(metrics, curves, view, reps, gait, reason, flown)
    landed = set(made.landings)
    # Split the stance between two flights: the first half belongs to the landing.
    middles = [(a.landing + b.takeoff) // 2 for a, b in pairwise(flown)]
    stances = zip([0, *middles], [*middles, len(curves.times_s) - 1], strict=False)
    timed = [
        with_contacts(curves, flight, ground, metrics.points.noise, metrics.size.height_m)
        if flight in landed
        else flight
        for flight, ground in zip(flown, stances, strict=False)
    ]
    return replace(made, flights=timed)


def striding(curves: Curves, gait: Gait | None) -> Flags:
    """Return (f,) the frames of steps, from one step before the first event to one after the last.

    The first and the last step of a stretch are rarely visible in full.
    """
    frames = np.zeros(len(curves.times_s), np.bool_)
    if gait is None:
        return frames
    step_s = float(np.nan_to_num(60.0 / gait.cadence()))
    for first, last in gait.bouts:
        since, until = curves.times_s[first] - step_s, curves.times_s[last] + step_s
        frames |= (curves.times_s >= since) & (curves.times_s <= until)
    return frames
