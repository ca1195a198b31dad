"""Choose the angles that a report shows over time, by the view, and mark events on them."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np

from biomech.joints import JOINTS
from biomech.kinematics.geometry import Array
from biomech.kinematics.view import FRONTAL, SAGITTAL
from biomech.records.person_record import PersonSummary
from biomech.skeleton import split_side
from serve_app.export.angle_intervals import Spread, spreads_of
from serve_app.export.saved_clip import SavedPerson, SavedResult
from serve_app.report.chart import Chart, Mark, Series, draw

MOST: Final = 6

PEAK: Final = "peak of a repetition"
CONTACT: Final = "contact with the ground"
FLIGHT: Final = "flight"

_Shown = tuple[tuple[str, tuple[str, ...]], ...]

_JOINTS: Final = {
    joint.name: (f"{joint.label}, {joint.neutral_deg:.0f}° {joint.neutral}", joint.angles)
    for joint in JOINTS
}
_TRUNK: Final = ("Trunk from vertical", ("spine_angle",))

_BY_VIEW: Final[dict[str | None, _Shown]] = {
    SAGITTAL: (*_JOINTS.values(), ("Trunk lean, + forward", ("trunk_lean",)), _TRUNK),
    FRONTAL: (
        _JOINTS["knee"],
        ("Knee in the frontal plane (FPPA), + valgus", ("left_fppa", "right_fppa")),
        ("Trunk lean, + to the right", ("trunk_lateral_lean",)),
        ("Tilt of the hips, + left higher", ("hip_tilt",)),
        ("Tilt of the shoulders, + left higher", ("shoulder_tilt",)),
        _JOINTS["elbow"],
    ),
}
_OTHERWISE: Final[_Shown] = (*_JOINTS.values(), _TRUNK)


def charts_of(result: SavedResult, person: SavedPerson, marks: tuple[Mark, ...]) -> list[Chart]:
    """Return at most six charts of the angles that the view shows."""
    return list(islice(_charts(result, person, marks), MOST))


def _charts(result: SavedResult, person: SavedPerson, marks: tuple[Mark, ...]) -> Iterator[Chart]:
    drawn: set[str] = set()
    spreads = spreads_of(result, person)
    for title, names in _BY_VIEW.get(person.view, _OTHERWISE):
        if names == _TRUNK[1] and "trunk_lean" in drawn:
            continue
        found = {
            name: shown
            for name in names
            if (shown := _values(person, name, spreads.get(name))) is not None
        }
        shaded = any(np.isfinite(interval).any() for _, interval in found.values())
        series = {
            _side(name): Series(*(result.over_frames(person, part) for part in shown))
            for name, shown in found.items()
        }
        made = draw(title if shaded else f"{title} (no interval)", result.times_s, series, marks)
        if made is not None:
            drawn.update(found)
            yield made


def _values(person: SavedPerson, name: str, spread: Spread | None) -> tuple[Array, Array] | None:
    """Return (n,) of an angle and its interval (n, 2), NaN if none; None without the angle.

    Where the deviations cannot be computed again there are the intervals of the response.
    """
    known = ({**person.included, **person.values, **person.signed}).get(name)
    if known is None:
        return None
    nothing = np.full((len(known), 2), np.nan)
    interval = person.ci95.get(name, nothing) if spread is None else spread.interval
    return known, interval


def _side(name: str) -> str:
    return split_side(name)[0] or "both"


def marks_of(summary: PersonSummary) -> Iterator[Mark]:
    """Yield contacts where the person walks, else peaks of repetitions; and flights."""
    contacts = [e for e in summary.gait.events if e.kind == "contact"] if summary.gait else []
    for event in contacts:
        yield Mark(event.t_s, event.t_s, CONTACT, event.side)
    for rep in () if contacts else summary.reps:
        yield Mark(rep.t_peak_s, rep.t_peak_s, PEAK)
    for jump in summary.jumps:
        yield Mark(jump.t_takeoff_s, jump.t_landing_s, FLIGHT)
