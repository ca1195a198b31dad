"""Jumps and landings: when both feet are off the ground, by the ankles' height alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech.balance import GRAVITY_M_S2
from biomech.curves import Curves
from biomech.geometry import Array
from biomech.reasons import Flags
from biomech.timeline import Windows, percentile, runs_of, velocity

LEAST_RISE: Final = 0.03
"""Statures by which the lower ankle is above its stance line in flight."""

USUAL_HEIGHT_M: Final = 1.7
"""For the last tenth of a stature of a fall, where the height of the person is not known."""

_LINE_S: Final = 3.0
_LINE_SHARE: Final = 0.1
_STILL_SPEED: Final = 0.3
_STILL_S: Final = 0.2
_SHORTEST_S: Final = 0.1
_LONGEST_S: Final = 1.0
_BESIDE_S: Final = 0.4
_SAME_LEVEL: Final = 0.05
_GROUND_SHARE: Final = 0.4
_LOW: Final = 0.6 * LEAST_RISE
_LEAST_FALL: Final = 0.5
_LEAST_FITTED: Final = 3


@dataclass(frozen=True, slots=True)
class Flight:
    """Both feet off the ground.

    Attributes:
        takeoff_s, landing_s: seconds, between frames.
        takeoff, landing: last frame before, first frame after.
        same_level: whether it ends on the ground it began on: else its length tells no height.
        height_m: gT²/8 of the time in the air T, None where not ``same_level``.
        height_error_m: what one frame more or less makes of it.
    """

    takeoff_s: float
    landing_s: float
    takeoff: int
    landing: int
    same_level: bool
    height_m: float | None
    height_error_m: float | None


def flights(curves: Curves, height_m: float | None) -> list[Flight]:
    """The flights of a clip, in the order of time; ``height_m`` is the person's, None unknown.

    The stance line is where the lower ankle mostly is within 1.5 s. Higher but at rest is standing
    on a box, higher for over a second is another floor. The hips must fall about as bodies do: who
    walks lifts both heels for a moment.
    """
    times = curves.times_s
    height = np.minimum(*curves.ankle_height.values())
    high = airborne(times, height)
    gravity = GRAVITY_M_S2 / (USUAL_HEIGHT_M if height_m is None else height_m)
    found = []
    for start, stop in runs_of(high, times, curves.max_gap_s).tolist():
        if start and stop < len(times):
            flight = _flight(times, height, start, stop, curves.rate_hz, gravity)
            if flight is not None and _falls(curves, flight, gravity):
                found.append(flight)
    return found


def _falls(curves: Curves, flight: Flight, gravity: float) -> bool:
    """Whether the hips are slowed and drawn down as in free fall, at half of it or more."""
    during = slice(flight.takeoff + 1, flight.landing)
    t, height = curves.times_s[during] - flight.takeoff_s, curves.hip_height_raw[during]
    known = np.isfinite(height)
    if known.sum() < _LEAST_FITTED:
        return False
    bend = np.polynomial.polynomial.polyfit(t[known], height[known], 2)[2]
    return bool(-2.0 * bend >= _LEAST_FALL * gravity)


def airborne(times_s: Array, height: Array) -> Flags:
    """(f,) where the lower ankle (f,) is above its stance line, and not at rest."""
    line = Windows.of(times_s, _LINE_S).quantile(height, _LINE_SHARE)
    still = np.abs(velocity(times_s, height)) < _STILL_SPEED
    rest = np.zeros(len(height), np.bool_)
    for start, stop in runs_of(still, times_s, _STILL_S).tolist():
        if times_s[stop - 1] - times_s[start] >= _STILL_S:
            rest[start:stop] = True
    return np.asarray((height - line > LEAST_RISE) & ~rest)


def _flight(
    times_s: Array, height: Array, start: int, stop: int, rate_hz: float, gravity: float
) -> Flight | None:
    """The flight whose frames ``start`` to ``stop`` are well above the ground."""
    before = _ground(times_s, height, times_s[start] - _BESIDE_S, times_s[start - 1])
    after = _ground(times_s, height, times_s[stop], times_s[stop] + _BESIDE_S)
    middle = start + int(height[start:stop].argmax())
    # No further than the longest flight: to look to the end of the clip would cost its square.
    first = int(np.searchsorted(times_s, times_s[middle] - _LONGEST_S))
    last = int(np.searchsorted(times_s, times_s[middle] + _LONGEST_S))
    takeoff = _leaves(times_s, height, before, np.arange(middle, first - 1, -1), gravity)
    landing = _leaves(times_s, height, after, np.arange(middle, last), gravity)
    time = landing - takeoff
    if not _SHORTEST_S <= time <= _LONGEST_S:  # NaN too
        return None
    same = abs(before - after) <= _SAME_LEVEL
    return Flight(
        takeoff_s=takeoff,
        landing_s=landing,
        takeoff=int(np.searchsorted(times_s, takeoff, "right")) - 1,
        landing=min(int(np.searchsorted(times_s, landing, "left")), len(times_s) - 1),
        same_level=same,
        height_m=GRAVITY_M_S2 * time**2 / 8 if same else None,
        height_error_m=GRAVITY_M_S2 * time / 4 / rate_hz if same else None,
    )


def _ground(times_s: Array, height: Array, since_s: float, until_s: float) -> float:
    """Height of the ground between two times, of which most frames may be in the air."""
    near = height[
        np.searchsorted(times_s, since_s, "left") : np.searchsorted(times_s, until_s, "right")
    ]
    return percentile(near, 100 * _GROUND_SHARE)


def _leaves(
    times_s: Array, height: Array, ground: float, outward: NDArray[np.intp], gravity: float
) -> float:
    """Seconds at which the ankle, followed from the air ``outward``, is on the ground again.

    Told by the two times at which it passes the least rise and twice that, and by the fall of all
    bodies: to wait for the ground itself would be to wait for the noise to end.

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
        return low_s  # between the same two frames both levels tell no speed
    step = abs(low_s - _passes(times, way, upper, high))
    speed = (upper - LEAST_RISE) / max(step, 1e-6) + gravity * step / 2
    rest = (np.sqrt(speed**2 + 2 * gravity * LEAST_RISE) - speed) / gravity
    return float(low_s + np.sign(times[-1] - low_s) * rest)


def _below(way: Array, level: float) -> int:
    """The first index at which ``way`` is at ``level`` or below or not known; its length for none.

    ``way`` begins above the level.
    """
    below = np.flatnonzero(~(way > level))
    return int(below[0]) if len(below) else len(way)


def _passes(times_s: Array, way: Array, level: float, below: int) -> float:
    """Seconds at which ``way`` passes ``level``, which it is below at that index first."""
    if below == len(way) or not np.isfinite(way[below]):
        return float(times_s[below - 1])
    share = (way[below - 1] - level) / (way[below - 1] - way[below])
    return float(times_s[below - 1] + share * (times_s[below] - times_s[below - 1]))
