"""Which angles a report shows over time, by the view."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np

from biomech.geometry import Array
from biomech.view import FRONTAL, SAGITTAL
from serve_app.export.intervals import signed_interval
from serve_app.export.saved import Person, SavedResult
from serve_app.report.chart import Chart, Mark, Series, draw

MOST: Final = 6

_Shown = tuple[tuple[str, tuple[str, ...]], ...]

_KNEE: Final = ("Knee, 180° straight", ("left_knee", "right_knee"))
_HIP: Final = ("Hip, 180° straight", ("left_hip", "right_hip"))
_SHOULDER: Final = ("Shoulder, 0° hanging", ("left_shoulder", "right_shoulder"))
_ELBOW: Final = ("Elbow, 180° straight", ("left_elbow", "right_elbow"))
_TRUNK: Final = ("Trunk from vertical", ("spine_angle",))

_BY_VIEW: Final[dict[str | None, _Shown]] = {
    SAGITTAL: (_KNEE, _HIP, _SHOULDER, _ELBOW, ("Trunk lean, + forward", ("trunk_lean",)), _TRUNK),
    FRONTAL: (
        _KNEE,
        ("Knee in the frontal plane (FPPA), + valgus", ("left_fppa", "right_fppa")),
        ("Trunk lean, + to the right", ("trunk_lateral_lean",)),
        ("Tilt of the hips, + left higher", ("hip_tilt",)),
        ("Tilt of the shoulders, + left higher", ("shoulder_tilt",)),
        _ELBOW,
    ),
}
_OTHERWISE: Final[_Shown] = (_KNEE, _HIP, _SHOULDER, _ELBOW, _TRUNK)


def charts_of(result: SavedResult, person: Person, marks: tuple[Mark, ...]) -> list[Chart]:
    """At most six charts of the angles that the view shows."""
    return list(islice(_charts(result, person, marks), MOST))


def _charts(result: SavedResult, person: Person, marks: tuple[Mark, ...]) -> Iterator[Chart]:
    drawn: set[str] = set()
    for title, names in _BY_VIEW.get(person.view, _OTHERWISE):
        if names == _TRUNK[1] and "trunk_lean" in drawn:
            continue
        found = {name: shown for name in names if (shown := _values(person, name)) is not None}
        shaded = any(np.isfinite(interval).any() for _, interval in found.values())
        series = {
            _side(name): Series(*(result.over_frames(person, part) for part in shown))
            for name, shown in found.items()
        }
        made = draw(title if shaded else f"{title} (no interval)", result.times_s, series, marks)
        if made is not None:
            drawn.update(found)
            yield made


def _values(person: Person, name: str) -> tuple[Array, Array] | None:
    """(n,) of an angle, and its interval (n, 2), NaN where there is none."""
    if name in person.signed:
        value, interval = person.signed[name], signed_interval(person, name)
    elif name in person.values:
        value, interval = person.values[name], person.ci95.get(name)
    elif name in person.included:
        value, interval = person.included[name], None
    else:
        return None
    return value, np.full((len(value), 2), np.nan) if interval is None else interval


def _side(name: str) -> str:
    side = name.partition("_")[0]
    return side if side in ("left", "right") else "both"
