"""Find jumps and landings, with both feet off the ground, from the ankles' height.

There are no keypoints of the feet, and feet roll: ankles rise before the feet leave the ground and
come down after the feet are on it. A flight therefore has a range of durations.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech.events.foot_contact import RISES, SETTLES, Fall, leaving_times
from biomech.kinematics.curves import Curves
from biomech.kinematics.geometry import Array
from biomech.preprocessing.noise import Noise
from biomech.reasons import CONTACT_UNCERTAIN, NO_FREE_FALL, Flags
from biomech.scores.balance import GRAVITY_M_S2
from biomech.skeleton import INDEX, SIDES
from biomech.time_windows import Windows, percentile, runs_of, velocity

LEAST_RISE: Final = 0.03
"""Minimum height of the lower ankle above its stance line in flight, in statures."""

USUAL_HEIGHT_M: Final = 1.7
"""Height in metres assumed for free fall if the person's height is unknown."""

_LINE_S: Final = 3.0
_LINE_SHARE: Final = 0.1
_SPEED_WINDOW_S: Final = 0.06
_STILL_SPEED: Final = 0.3
_STILL_S: Final = 0.2
_SHORTEST_S: Final = 0.1
_LONGEST_S: Final = 1.0
_BESIDE_S: Final = 0.4
_SAME_LEVEL: Final = 0.05
_GROUND_SHARE: Final = 0.4
_LOW: Final = 0.6 * LEAST_RISE
_ONE_FOOT: Final = 0.05
"""Distance in statures between the ankles of a person standing on one foot."""

_LEAST_FALL: Final = 0.5
_LEAST_FITTED: Final = 3
_ANKLES: Final = tuple(INDEX[f"{side}_ankle"] for side in SIDES)
_KNOWN_DOUBT: Final = 0.15
_UNKNOWN_DOUBT: Final = 0.2
"""Relative doubt of the ankle's fall: legs bend in the air, and stature is 1.5 to 1.95 m."""

_MOST_ERROR: Final = 0.25
"""Largest relative error of a jump's height; beyond it only a range is returned."""

_MOST_MISFIT: Final = 4.0
"""Largest misfit of the ankles' path to a foot that rolls and falls: twice the noise."""

_NOISE_SPREAD: Final = 3.6
"""Standard deviations of a point from the 10th to the 90th percentile of distances of two."""

_BENT_SHARE: Final = 0.3
"""Share of the disagreement between hips and ankles in the air that is added to contact times."""


Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Contacts:
    """Possible times at which the feet leave and meet the ground, and the height of the flight.

    Attributes:
        takeoff_s, landing_s: first and last possible time, seconds.
        time_s: least and greatest time in the air.
        height_range_m: g T^2 / 8 of both; None where the flight does not end on its own level.
        height_m: the middle of it; None with ``reason`` if it is too wide or the fit is poor.
        height_error_m: half of its width, the nominal 95 % interval of the height.
        flight_s: time in the air for that height.
        reason: empty if the height is known, or if there is no ``height_range_m``.
    """

    takeoff_s: Interval
    landing_s: Interval
    time_s: Interval
    height_range_m: Interval | None
    height_m: float | None
    height_error_m: float | None
    flight_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Flight:
    """Both ankles off the ground.

    Attributes:
        takeoff_s, landing_s: seconds, between frames, for flat feet.
        takeoff, landing: last frame before, first frame after.
        same_level: whether it ends at the level it began on; else its duration gives no height.
        leap: whether it goes from one foot to the other, as in running.
        contacts: of the feet; None if not computed, as for running steps.
    """

    takeoff_s: float
    landing_s: float
    takeoff: int
    landing: int
    same_level: bool
    leap: bool
    contacts: Contacts | None = None

    @property
    def landing_between_s(self) -> Interval:
        """Return the first and last possible time of contact in seconds."""
        return self.contacts.landing_s if self.contacts else (self.landing_s, self.landing_s)


def flights(curves: Curves, height_m: float | None) -> list[Flight]:
    """Return the flights of a clip in order; ``height_m`` is the person's, None if unknown.

    The stance line is the usual height of the lower ankle within 1.5 s. An ankle that is higher but
    at rest stands on a box; one that is higher for over a second is on another floor. The hips must
    be in free fall, because a walker also lifts both heels for a moment.
    """
    times = curves.times_s
    height = np.minimum(*curves.ankle_height.values())
    high = airborne(times, height)
    gravity = _gravity(height_m)
    left, right = (over_stance(times, curves.ankle_height[side]) for side in SIDES)
    ahead = left - right
    found = []
    for start, stop in runs_of(high, times, curves.max_gap_s).tolist():
        if start and stop < len(times):
            flight = _flight(times, height, start, stop, gravity)
            if flight is not None and _falls(curves, flight, gravity):
                leap = bool(ahead[flight.takeoff] * ahead[flight.landing] < -(_ONE_FOOT**2))
                found.append(replace(flight, leap=leap))
    return found


def with_contacts(
    curves: Curves,
    flight: Flight,
    ground: tuple[int, int],
    noise: Noise,
    height_m: float | None,
) -> Flight:
    """Return the flight with the possible times of contact of its feet.

    Args:
        curves: of the person. flight: of the clip.
        ground: first frame of the stance before the flight, last of that after.
        noise: of the person's points. height_m: of the person, None unknown.
    """
    takeoff, landing, misfit = _edges(curves, flight, ground, noise, height_m)
    time = (max(landing[0] - takeoff[1], 0.0), landing[1] - takeoff[0])
    found = Contacts(takeoff, landing, time, None, None, None, None, "")
    if not flight.same_level:
        return replace(flight, contacts=found)
    low, high = (GRAVITY_M_S2 * t**2 / 8 for t in time)
    middle, error = (low + high) / 2, (high - low) / 2
    if error > _MOST_ERROR * middle:
        found = replace(found, height_range_m=(low, high), reason=CONTACT_UNCERTAIN)
    elif misfit > _MOST_MISFIT:
        found = replace(found, height_range_m=(low, high), reason=NO_FREE_FALL)
    else:
        air = float(np.sqrt(8 * middle / GRAVITY_M_S2))
        found = Contacts(takeoff, landing, time, (low, high), middle, error, air, "")
    return replace(flight, contacts=found)


def _edges(
    curves: Curves,
    flight: Flight,
    ground: tuple[int, int],
    noise: Noise,
    height_m: float | None,
) -> tuple[Interval, Interval, float]:
    """Return the possible times of both contacts, and the larger misfit of the ankles' paths."""
    times, height = curves.times_s, np.minimum(*curves.ankle_height.values())
    level = noise.level_px[list(_ANKLES)]
    known = level[np.isfinite(level)]
    fall = Fall(
        gravity=_gravity(height_m),
        doubt=_KNOWN_DOUBT if height_m is not None else _UNKNOWN_DOUBT,
        noise=float(known.mean()) / curves.stature_px if len(known) else 0.0,
        correlation=noise.correlation if noise.known else 0.0,
    )
    inside = slice(flight.takeoff + 1, flight.landing)
    legs = (curves.hip_height_raw - height)[inside]
    spread = float(np.nan_to_num(percentile(legs, 90) - percentile(legs, 10)))
    bent = np.sqrt(max(spread**2 - (_NOISE_SPREAD * fall.noise) ** 2, 0.0))
    speed = fall.gravity * (flight.landing_s - flight.takeoff_s) / 2
    rough = _BENT_SHARE * bent / speed
    top = flight.takeoff + 1 + int(np.nanargmax(height[inside]))
    up, down = slice(ground[0], top + 1), slice(top, ground[1] + 1)
    first, last, rise = leaving_times(times[up], height[up], flight.takeoff_s, fall, RISES)
    takeoff = (first - rough, last + rough)
    first, last, drop = leaving_times(
        -times[down][::-1], height[down][::-1], -flight.landing_s, fall, SETTLES
    )
    landing = (-last - rough, -first + rough)
    return takeoff, landing, max(rise, drop)


def _gravity(height_m: float | None) -> float:
    """Return gravity in statures a second squared."""
    return GRAVITY_M_S2 / (USUAL_HEIGHT_M if height_m is None else height_m)


def _falls(curves: Curves, flight: Flight, gravity: float) -> bool:
    """Return True if the hips accelerate downward at half of gravity or more."""
    during = slice(flight.takeoff + 1, flight.landing)
    bend = _bend(curves.times_s[during], curves.hip_height_raw[during])
    return bool(-2.0 * bend >= _LEAST_FALL * gravity)


def _bend(times_s: Array, height: Array) -> float:
    """Return the quadratic coefficient of the parabola through heights; NaN with too few."""
    known = np.isfinite(height)
    if known.sum() < _LEAST_FITTED:
        return float("nan")
    t = times_s[known] - times_s[0]
    return float(np.polynomial.polynomial.polyfit(t, height[known], 2)[2])


def over_stance(times_s: Array, height: Array) -> Array:
    """Return the height (f,) of an ankle over its usual height within 1.5 s."""
    return height - Windows.of(times_s, _LINE_S).quantile(height, _LINE_SHARE)


def airborne(times_s: Array, height: Array) -> Flags:
    """Return the frames (f,) with the lower ankle above its stance line and not at rest."""
    over = over_stance(times_s, height)
    # Differences of neighboring frames are mostly noise at high frame rates.
    speed = Windows.of(times_s, _SPEED_WINDOW_S).mean(velocity(times_s, height))
    still = np.abs(speed) < _STILL_SPEED
    rest = np.zeros(len(height), np.bool_)
    for start, stop in runs_of(still, times_s, _STILL_S).tolist():
        if times_s[stop - 1] - times_s[start] >= _STILL_S:
            rest[start:stop] = True
    return np.asarray((over > LEAST_RISE) & ~rest)


def _flight(times_s: Array, height: Array, start: int, stop: int, gravity: float) -> Flight | None:
    """Return the flight whose frames ``start`` to ``stop`` are well above the ground."""
    before = _ground(times_s, height, times_s[start] - _BESIDE_S, times_s[start - 1])
    after = _ground(times_s, height, times_s[stop], times_s[stop] + _BESIDE_S)
    middle = start + int(height[start:stop].argmax())
    # Search only as far as the longest flight: searching the whole clip takes quadratic time.
    first = int(np.searchsorted(times_s, times_s[middle] - _LONGEST_S))
    last = int(np.searchsorted(times_s, times_s[middle] + _LONGEST_S))
    takeoff = _leaves(times_s, height, before, np.arange(middle, first - 1, -1), gravity)
    landing = _leaves(times_s, height, after, np.arange(middle, last), gravity)
    time = landing - takeoff
    if not _SHORTEST_S <= time <= _LONGEST_S:  # NaN too
        return None
    return Flight(
        takeoff_s=takeoff,
        landing_s=landing,
        takeoff=int(np.searchsorted(times_s, takeoff, "right")) - 1,
        landing=min(int(np.searchsorted(times_s, landing, "left")), len(times_s) - 1),
        same_level=abs(before - after) <= _SAME_LEVEL,
        leap=False,
    )


def _ground(times_s: Array, height: Array, since_s: float, until_s: float) -> float:
    """Return the height of the ground between two times; most frames may be in the air."""
    near = height[
        np.searchsorted(times_s, since_s, "left") : np.searchsorted(times_s, until_s, "right")
    ]
    return percentile(near, 100 * _GROUND_SHARE)


def _leaves(
    times_s: Array, height: Array, ground: float, outward: NDArray[np.intp], gravity: float
) -> float:
    """Return the seconds at which the ankle, followed ``outward`` from the air, meets the ground.

    The time is extrapolated from those at which it passes the least rise and twice that, and by
    gravity. The contact itself is not visible because of the noise.

    Args:
        times_s: (f,). height: (f,) statures. ground: height of it.
        outward: frames from the highest one toward the ground.
        gravity: statures a second squared.
    """
    way, times = height[outward] - ground, times_s[outward]
    if not way[0] > LEAST_RISE:
        return float(times[0])
    upper = min(2 * LEAST_RISE, 0.9 * float(way[0]))
    low, high = _below(way, LEAST_RISE), _below(way, upper)
    low_s = _passes(times, way, LEAST_RISE, low)
    at_once = low == high and low < len(way) and way[low] <= _LOW
    if at_once or upper < 1.2 * LEAST_RISE:
        return low_s  # both levels lie between the same two frames and give no speed
    step = abs(low_s - _passes(times, way, upper, high))
    speed = (upper - LEAST_RISE) / max(step, 1e-6) + gravity * step / 2
    rest = (np.sqrt(speed**2 + 2 * gravity * LEAST_RISE) - speed) / gravity
    return float(low_s + np.sign(times[-1] - low_s) * rest)


def _below(way: Array, level: float) -> int:
    """Return the first index at which ``way`` is not above ``level``; its length if none.

    ``way`` begins above the level.
    """
    below = np.flatnonzero(~(way > level))
    return int(below[0]) if len(below) else len(way)


def _passes(times_s: Array, way: Array, level: float, below: int) -> float:
    """Interpolate the seconds at which ``way`` passes ``level``, given its first index below."""
    if below == len(way) or not np.isfinite(way[below]):
        return float(times_s[below - 1])
    share = (way[below - 1] - level) / (way[below - 1] - way[below])
    return float(times_s[below - 1] + share * (times_s[below] - times_s[below - 1]))
