"""Compute deviations and intervals of a saved result's angles from its raw points.

A response tells the interval of its unsigned angles, cut off at the ends of their range. Everything
it rests on is in it too, so the rest is computed again, by the definitions that it names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from biomech.config import DEFINITIONS, Subject
from biomech.kinematics.geometry import Array
from biomech.kinematics.person_metrics import person_metrics
from serve_app.export.saved_clip import SavedPerson, SavedResult

_MARGIN = 64  # frames about those that show a person


@dataclass(frozen=True, slots=True)
class Spread:
    """An angle in the n frames of a person.

    Attributes:
        sd: (n,) degrees, NaN where there is none, as where the interval was drawn.
        interval: (n, 2) 95 % interval, NaN where there is none.
    """

    sd: Array
    interval: Array


def frames_around(result: SavedResult, person: SavedPerson) -> NDArray[np.intp]:
    """Mark the frames of ``result`` that show ``person`` or are near one that does."""
    edges = np.zeros(len(result.frame) + 1, np.int64)
    np.add.at(edges, np.maximum(person.rows - _MARGIN, 0), 1)
    np.add.at(edges, np.minimum(person.rows + _MARGIN + 1, len(result.frame)), -1)
    return np.flatnonzero(np.cumsum(edges[:-1]))


def around(result: SavedResult, person: SavedPerson) -> tuple[SavedResult, SavedPerson]:
    """Return the part of ``result`` about ``person``; passers-by are in little of a long clip."""
    frames = frames_around(result, person)
    part = replace(
        result,
        frame=result.frame[frames],
        times_s=result.times_s[frames],
        reason=tuple(result.reason[f] for f in frames.tolist()),
    )
    return part, replace(person, rows=np.searchsorted(frames, person.rows))


def spreads_of(result: SavedResult, person: SavedPerson) -> Mapping[str, Spread]:
    """Return the spreads of the angles of ``person`` by name, signed and included ones too.

    Empty where the result was made by other definitions than these.
    """
    if person.definitions != DEFINITIONS:
        return {}
    result, person = around(result, person)
    made = person_metrics(
        result.track(person),
        result.config(person),
        Subject(height_m=person.height_m),
        person.roll_deg if person.roll_known else None,
    )
    angles = made.angles()
    found = {}
    for name, values in {**person.included, **person.values, **person.signed}.items():
        if name not in angles:
            continue
        angle, known = angles[name], np.isfinite(values)
        interval = person.ci95.get(name, angle.interval()[person.rows])
        found[name] = Spread(
            np.where(known, np.round(angle.sigma[person.rows], 4), np.nan),
            np.where(known[:, None], np.round(interval, 3), np.nan),
        )
    return found
