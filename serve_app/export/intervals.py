"""Intervals of signed angles, and deviations, from the intervals that a response has."""

from typing import Final

import numpy as np

from biomech.geometry import Array
from biomech.statistics import Z95
from serve_app.export.saved import Person

_ROUNDED: Final = 0.003
"""An interval whose halves differ by less is symmetric: the response has three decimals."""

UNSIGNED: Final[dict[str, str]] = {
    **{
        f"{side}_{joint}_flexion": f"{side}_{joint}"
        for side in ("left", "right")
        for joint in ("knee", "shoulder", "elbow")
    },
    **{f"{side}_fppa": f"{side}_knee" for side in ("left", "right")},
    "trunk_lean": "spine_angle",
    "trunk_lateral_lean": "spine_angle",
    "hip_tilt": "hip_level_difference",
    "shoulder_tilt": "shoulder_level_difference",
}
"""Signed angles by the unsigned one whose standard deviation they share."""


def deviation(person: Person, name: str) -> Array | None:
    """(n,) standard deviation of an angle of the response; None where it tells of none.

    NaN where the interval was cut off at an end of the range, or drawn, and so is not symmetric.
    """
    signed = person.signed.get(name)
    unsigned = name if signed is None else UNSIGNED.get(name, "")
    if unsigned not in person.ci95 or unsigned not in person.values:
        return None
    value, interval = person.values[unsigned], person.ci95[unsigned]
    below, above = value - interval[:, 0], interval[:, 1] - value
    known = np.abs(below - above) < _ROUNDED
    if signed is not None:
        known &= np.isfinite(signed)
    half = np.round((below + above) / (2.0 * Z95), 4)
    return np.asarray(np.where(known, half, np.nan), np.float64)


def signed_interval(person: Person, name: str) -> Array | None:
    """(n, 2) 95 % interval of a signed angle, by the deviation that it shares."""
    sd = deviation(person, name)
    return None if sd is None else about(person.signed[name], sd)


def about(value: Array, sd: Array) -> Array:
    """(n, 2) 95 % intervals."""
    ends = np.stack([value - Z95 * sd, value + Z95 * sd], axis=-1)
    return np.asarray(np.round(ends, 3), np.float64)
