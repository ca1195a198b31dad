"""Estimate the range of times at which feet leave and meet the ground, from the ankles' height.

A foot rolls: its ankle rises before the toes leave the ground, and comes down after they are on it.
The ankle's height is fitted by three successive parts: flat foot, rolling foot and free fall. All
times of contact with an acceptable fit are possible.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from biomech.kinematics.geometry import Array

ANKLE_AHEAD: Final = 0.09
ANKLE_HEIGHT: Final = 0.039
"""Distance in statures from the ball of a flat foot back and up to its ankle (Winter)."""

MOST_RISE: Final = 0.06
"""Largest rise of an ankle in statures while the ball of the foot is on the ground."""

FASTEST_ROLL_DEG_S: Final = 800.0
"""Highest mean speed of a rolling foot; in jumps its peak is about 900 degrees a second."""

_DURATIONS_S: Final = (0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.14, 0.2)
RISES: Final = (2.0, 3.0)
"""Exponents of time for a foot that rolls from rest before it leaves the ground."""

SETTLES: Final = (1.3, 2.0)
"""Exponents after a landing, backward from rest; the foot may stop at once."""

_FASTER: Final = 1.2
"""Highest speed of the ankle over a rolling foot, relative to the speed of the fall."""

_CHI_SQUARE_95: Final = 3.84
_ONE_SIDED_95: Final = 1.645
_MOST_TURN_DEG: Final = 10.0
"""Largest rotation between a possible contact time and the middle; beyond it the value is NaN."""

_LEAST_NOISE: Final = 0.002
_BEFORE_S: Final = 0.3
_AIR_S: Final = 0.3
_EARLIER_S: Final = 0.08
_LATER_S: Final = 0.12
_STEP_S: Final = 0.004
_ROUGH_S: Final = 0.005
_ROUGH_FRAMES: Final = 0.15
"""Frames added to both ends: a foot rotates in the air, so its ankle does not fall quite freely,
and between frames it may rotate faster than modeled."""

_LEAST_FRAMES: Final = 6


@dataclass(frozen=True, slots=True)
class Fall:
    """Free fall in the picture, and the noise of the points.

    Attributes:
        gravity: statures a second squared. doubt: standard deviation of it, relative.
        noise: standard deviation of an ankle's height, statures.
        correlation: of the noise of neighboring frames.
    """

    gravity: float
    doubt: float
    noise: float
    correlation: float


def leaving_times(
    times_s: Array, height: Array, near_s: float, fall: Fall, powers: tuple[float, ...]
) -> tuple[float, float, float]:
    """Find the first and the last time at which the foot may have left the ground, and the misfit.

    The misfit is the mean square residual of the best fit over the noise; 0 with too few frames.
    For a landing, pass the times negated and reversed.

    Args:
        times_s: (f,) seconds, of the ground and the air to the top of the flight, ascending.
        height: (f,) of the ankle, statures, NaN unknown.
        near_s: time of contact of a flat foot. fall: see :class:`Fall`.
        powers: exponents of time, :data:`RISES` or :data:`SETTLES`.
    """
    inside = np.isfinite(height) & (times_s >= near_s - _BEFORE_S) & (times_s <= near_s + _AIR_S)
    t, z = times_s[inside], height[inside]
    last = min(near_s + _LATER_S, float(times_s[-1]))
    candidates = np.arange(near_s - _EARLIER_S, last, _STEP_S)
    possible, scatter = candidates, 0.0
    if len(t) >= _LEAST_FRAMES:
        misfit = _misfit(t, z, candidates, fall, powers)
        least = float(misfit.min())
        if np.isfinite(least):
            scatter = least / max(len(t) - _LEAST_FRAMES, 1)
            longer = (1 + fall.correlation) / (1 - fall.correlation)
            possible = candidates[misfit <= least + _CHI_SQUARE_95 * max(scatter, 1.0) * longer]
    rough = _ROUGH_S + _ROUGH_FRAMES * float(np.median(np.diff(times_s)))
    return float(possible[0]) - rough, float(possible[-1]) + rough, scatter


def value_at(
    times_s: Array, values: Array, sigma: Array, between_s: tuple[float, float], corner_s: float
) -> tuple[float, float]:
    """Find a signal's value and standard deviation at a contact between two times.

    NaN if the signal is not known throughout, or rotates too far between the two times. The
    deviation combines that of the value, of the time, and of a corner that the filter rounds. The
    ends of the time range are taken as 1.645 deviations, so that at most one in twenty lies beyond.

    Args:
        times_s: (f,) seconds. values, sigma: (f,) degrees, NaN unknown.
        between_s: first and last possible time of the contact.
        corner_s: time within which the filter rounds.
    """
    middle = sum(between_s) / 2
    ends = [*between_s, middle - corner_s, middle, middle + corner_s]
    first, last = np.searchsorted(times_s, [min(ends), max(ends)]).tolist()
    near = slice(max(first - 1, 0), last + 1)
    t, part = times_s[near], values[near]
    if len(t) < 2 or not np.isfinite(part).all():
        return np.nan, np.nan
    early, late, before, value, after = np.interp(ends, t, part)
    inside = part[(t > between_s[0]) & (t < between_s[1])]
    half = float(np.abs(np.array([early, late, *inside]) - value).max())
    if half > _MOST_TURN_DEG:
        return np.nan, np.nan
    own = float(np.interp(middle, t, sigma[near]))
    corner = float((before + after) / 2 - value)
    return float(value), float(np.sqrt(own**2 + (half / _ONE_SIDED_95) ** 2 + corner**2))


def _misfit(t: Array, z: Array, candidates: Array, fall: Fall, powers: tuple[float, ...]) -> Array:
    """Return the sum of squares (n,) of the best fit for each candidate time of contact."""
    sigma = max(fall.noise, _LEAST_NOISE)
    air = np.maximum(t - candidates[:, None], 0.0)
    drop = -0.5 * air**2
    target = np.concatenate(
        [(z - fall.gravity * drop) / sigma, np.zeros((len(candidates), 1))], axis=1
    )
    prior = 1.0 / (fall.doubt * fall.gravity)

    def least(columns: list[Array], offset: Array | float = 0.0) -> tuple[Array, Array]:
        """Return coefficients and sum of squares of a fit by columns, gravity's the last."""
        a = np.stack([*columns, drop], -1) / sigma
        own = np.zeros((len(candidates), 1, a.shape[-1]))
        own[..., -1] = prior
        a = np.concatenate([a, own], axis=1)
        b = target - np.concatenate(
            [np.broadcast_to(offset, air.shape) / sigma, np.zeros((len(candidates), 1))], axis=1
        )
        turned = a.transpose(0, 2, 1)
        normal = turned @ a + 1e-9 * np.eye(a.shape[-1])
        found = np.linalg.solve(normal, turned @ b[..., None])[..., 0]
        rest = b - (a @ found[..., None])[..., 0]
        return found, (rest**2).sum(1)

    level = np.ones_like(air)
    flat, best = least([level, air])
    best = np.where(flat[:, 1] > 0, best, np.inf)
    for seconds in _DURATIONS_S:
        most = _rise(FASTEST_ROLL_DEG_S * seconds)
        for power in powers:
            rolled = np.clip((t - candidates[:, None] + seconds) / seconds, 0, 1) ** power
            quickest = _FASTER * seconds / power
            free, squares = least([level, rolled, air])
            rise, speed = free[:, 1], free[:, 2]
            ok = (rise >= 0) & (rise <= most) & (speed > 0) & (rise <= quickest * speed)
            best = np.where(ok, np.minimum(best, squares), best)
            if ok.all():
                continue
            full, squares = least([level, air], most * rolled)
            ok = (full[:, 1] > 0) & (most <= quickest * full[:, 1])
            best = np.where(ok, np.minimum(best, squares), best)
            tied, squares = least([level, quickest * rolled + air])
            ok = (tied[:, 1] > 0) & (quickest * tied[:, 1] <= most)
            best = np.where(ok, np.minimum(best, squares), best)
    return best


def _rise(degrees: float) -> float:
    """Return the rise of an ankle in statures as the foot rolls on its ball, up to its limit."""
    length, flat = np.hypot(ANKLE_AHEAD, ANKLE_HEIGHT), np.arctan2(ANKLE_HEIGHT, ANKLE_AHEAD)
    turned = min(flat + np.radians(degrees), np.pi / 2)
    return min(float(length * (np.sin(turned) - np.sin(flat))), MOST_RISE)
