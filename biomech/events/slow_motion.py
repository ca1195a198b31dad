"""Detect undeclared slow motion: flights slower than gravity allows."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from biomech.events.clip_events import ClipEvents
from biomech.events.flight import LEAST_RISE, USUAL_HEIGHT_M
from biomech.kinematics.center_of_mass import center_of_mass
from biomech.kinematics.geometry import Array
from biomech.scores.balance import GRAVITY_M_S2
from biomech.skeleton import INDEX, SIDES
from biomech.time_windows import percentile, runs_of

LEAST_FACTOR: Final = 1.6
"""Smallest factor that counts as slow motion; its measurement is accurate to about a fifth."""

_AIR: Final = 2 * LEAST_RISE
_GROUND: Final = 5.0
_LEAST_S: Final = 0.3
_LEAST_FRAMES: Final = 8
_LEAST_ARC: Final = 0.02
_FITS: Final = 0.99
_FOLLOWS: Final = 0.95
_LEAST_SHARE: Final = 0.5
_LEAST_MASS: Final = 0.85


@dataclass(frozen=True, slots=True)
class SlowFlight:
    """A flight from frame ``start`` to before ``stop``, with the factor by which it is too slow."""

    start: int
    stop: int
    factor: float


def slow_flights(clip_events: ClipEvents) -> list[SlowFlight]:
    """Return the flights and falls with acceleration far below gravity.

    Both feet are off the ground, the center of mass follows a parabola (99 % of its variance), and
    both ankles move with it. An unknown height is assumed to be the usual one.
    """
    metrics, curves = clip_events.metrics, clip_events.curves
    if metrics.scale_drifts:
        return []
    xy, size = metrics.points.curve, curves.stature_px
    mass, seen = center_of_mass(xy, metrics.subject.sex)
    body = np.where(seen >= _LEAST_MASS, -mass[:, 1] / size, np.nan)
    ankles = [-xy[:, INDEX[f"{side}_ankle"], 1] / size for side in SIDES]
    lower = np.minimum(*ankles)
    gravity = GRAVITY_M_S2 / (metrics.size.height_m or USUAL_HEIGHT_M)
    air = (lower > percentile(lower, _GROUND) + _AIR) & np.isfinite(body)
    found = []
    for start, stop in runs_of(air, curves.times_s, curves.max_gap_s).tolist():
        if start == 0 and stop == len(air):
            continue
        # For a drop from a box, only the part after standing on it.
        top = np.flatnonzero(lower[start:stop] >= lower[start:stop].max() - LEAST_RISE)
        for first in (start, start + int(top[-1])):
            falls = _acceleration(curves.times_s, body, ankles, slice(first, stop))
            if falls is not None:
                factor = math.sqrt(gravity / falls)
                if factor >= LEAST_FACTOR:
                    found.append(SlowFlight(first, stop, factor))
                break
    return found


def _acceleration(times_s: Array, body: Array, ankles: list[Array], part: slice) -> float | None:
    """Return the downward acceleration in a stretch, statures a second squared, or None."""
    times = times_s[part]
    if len(times) < _LEAST_FRAMES or times[-1] - times[0] < _LEAST_S:
        return None
    bend, fits = _parabola(times, body[part])
    if fits < _FITS or -bend * (times[-1] - times[0]) ** 2 / 4 < _LEAST_ARC:
        return None
    way = float(np.ptp(body[part]))
    for ankle in ankles:
        if _parabola(times, ankle[part])[1] < _FOLLOWS:
            return None
        if np.ptp(ankle[part]) < _LEAST_SHARE * way:
            return None
    return -2.0 * bend


def _parabola(times_s: Array, values: Array) -> tuple[float, float]:
    """Return the quadratic coefficient of the best parabola, and its share of the variance."""
    t = times_s - times_s.mean()
    fit = np.polynomial.polynomial.polyfit(t, values, 2)
    left = values - np.polynomial.polynomial.polyval(t, fit)
    spread = float(values.var())
    return float(fit[2]), 1.0 - float(left.var()) / spread if spread > 0 else 0.0
