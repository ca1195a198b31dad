"""What one person did in a clip: curves, repetitions, gait, jumps and landings."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from biomech.config import BmConfig
from biomech.curves import Curves, curves_of
from biomech.flight import Flight, flights, with_contacts
from biomech.gait import Gait, gait_of
from biomech.metrics import PersonMetrics
from biomech.repetitions import Repetitions, repetitions

RUN: Final = "run"

_LEAST_JUMP_S: Final = 0.2
"""In the air: five centimetres. Steps of a run are shorter, and lifted heels."""


@dataclass(frozen=True, slots=True)
class Performance:
    """The events of a clip of one person.

    Attributes:
        metrics: what they are made of. curves: signals over the clip.
        view: of the clip. repetitions: of the movement; strides too, where the person walks.
        gait: None with ``gait_reason``, which is empty where the person does not walk.
        flights: both feet off the ground, also between the steps of a run.
    """

    metrics: PersonMetrics
    curves: Curves
    view: str | None
    repetitions: Repetitions
    gait: Gait | None
    gait_reason: str
    flights: list[Flight]

    @property
    def landings(self) -> list[Flight]:
        """Flights of a fifth of a second that are not steps: each ends with a landing."""
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
        """Of those the ones that end on the ground they began on."""
        return [flight for flight in self.landings if flight.same_level]


def performance_of(metrics: PersonMetrics, config: BmConfig, movement: str) -> Performance | None:
    """The events of one person; None where the clip is too short or too slow to be filtered.

    Args:
        metrics: of the person. config: thresholds. movement: as the caller calls it.
    """
    used = metrics.points.filter
    if used.cutoff_hz is None or not metrics.size.stature_px > 0:
        return None
    curves = curves_of(metrics, config)
    view, present = metrics.view.of_clip(), metrics.points.track.present
    flown = flights(curves, metrics.size.height_m)
    gait, reason = gait_of(curves, view, present, flown, runner=movement == RUN)
    made = Performance(metrics, curves, view, repetitions(curves, present), gait, reason, flown)
    landed = set(made.landings)
    # Halfway through the stance between two flights the one foot comes down, the other goes up.
    middles = [(a.landing + b.takeoff) // 2 for a, b in pairwise(flown)]
    stances = zip([0, *middles], [*middles, len(curves.times_s) - 1], strict=False)
    timed = [
        with_contacts(curves, flight, ground, metrics.points.noise, metrics.size.height_m)
        if flight in landed
        else flight
        for flight, ground in zip(flown, stances, strict=False)
    ]
    return replace(made, flights=timed)
