"""Repair points before smoothing: swapped sides, outliers and short gaps.

Points are (f, 17, 2) pixels of one person, NaN where not seen.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from biomech.kinematics.geometry import Array, between, length
from biomech.kinematics.view import apparent_size
from biomech.reasons import Flags
from biomech.skeleton import INDEX, SIDES, SKELETON
from biomech.time_windows import MAD_TO_SD, Windows, ratio, runs_of

LIMB_PAIRS: Final[Mapping[str, tuple[str, ...]]] = {
    "legs": ("hip", "knee", "ankle"),
    "arms": ("shoulder", "elbow", "wrist"),
}
"""Joints that are exchanged together when sides are swapped, from the body outward."""

Scalar = TypeVar("Scalar", bound=np.generic)

_REACH_S: Final = 0.25
"""Longest time in seconds that constant velocity predicts."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Frames ``start`` to ``stop`` (excluded) in which left and right ``limbs`` were exchanged."""

    limbs: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SwapCosts:
    """Costs and limits for detecting swapped sides.

    Attributes:
        switch: cost of every change between frames. tolerance_px: error of a prediction, in
            addition to the points' own deviations.
        longest_s: longest exchange to undo. least_gain: smallest share of the cost of an exchange
            that undoing it must save.
    """

    switch: float
    tolerance_px: float
    longest_s: float
    least_gain: float


def find_swaps(times_s: Array, xy: Array, sigma: Array, costs: SwapCosts) -> list[Swap]:
    """Find temporary exchanges of left and right, separately for legs and arms.

    Each frame is compared with the prediction of constant velocity, with the sides as they are and
    exchanged. Viterbi's algorithm finds the best path through the clip. Only an exchange between
    two longer stretches that agree is returned, because otherwise the correct one is unknown.

    Args:
        times_s: (f,). xy, sigma: (f, 17, 2) pixels.
        costs: weights and limits.
    """
    return [
        swap
        for limbs, joints in LIMB_PAIRS.items()
        for swap in _swaps_of(limbs, times_s, _sided(xy, joints), _sided(sigma, joints), costs)
    ]


def exchange(values: NDArray[Scalar], swaps: list[Swap]) -> NDArray[Scalar]:
    """Copy (f, 17, ...) with left and right exchanged in the frames of ``swaps``."""
    values = values.copy()
    for swap in swaps:
        left, right = (
            [INDEX[f"{side}_{joint}"] for joint in LIMB_PAIRS[swap.limbs]] for side in SIDES
        )
        frames = slice(swap.start, swap.stop)
        values[frames, left + right] = values[frames, right + left]
    return values


def _sided(xy: Array, joints: tuple[str, ...]) -> Array:
    """Return the points of joints as (f, side, joint, 2)."""
    return np.stack([xy[:, [INDEX[f"{side}_{j}"] for j in joints]] for side in SIDES], axis=1)


def _swaps_of(
    limbs: str, times_s: Array, points: Array, sigma: Array, costs: SwapCosts
) -> list[Swap]:
    # Drop half-visible pairs: they bias towards swapping.
    points = np.where(np.isfinite(points).all((1, 3), keepdims=True), points, np.nan)
    usable = np.flatnonzero(np.isfinite(points[:, :, 1:]).all((1, 2, 3)))
    if len(usable) < 3:
        return []
    costs_of = _step_costs(times_s[usable], points[usable], sigma[usable], costs)
    switches = _best_switches(costs_of, costs.switch)
    bounds = np.concatenate([[0], switches, [len(usable)]])
    starts, stops = usable[bounds[:-1]], usable[bounds[1:] - 1] + 1
    short = times_s[stops - 1] - times_s[starts] <= costs.longest_s
    swapped = np.zeros(len(starts), np.bool_)
    long = np.flatnonzero(~short)
    for before, after in pairwise(long.tolist()):
        if (after - before) % 2 == 0:
            swapped[before + 1 : after : 2] = True
    return [
        Swap(limbs, int(starts[i]), int(stops[i]))
        for i in np.flatnonzero(swapped)
        if _pays(costs_of, int(bounds[i]), int(bounds[i + 1]), costs)
    ]


def _step_costs(times_s: Array, points: Array, sigma: Array, costs: SwapCosts) -> Array:
    """Return the cost (n, 2, 2) of each frame by whether sides change before it and one earlier.

    Exchanging the sides of all three frames changes nothing, so these two states are sufficient.
    """
    step = np.diff(times_s)
    swapped = points[:, ::-1]
    now, last = points[2:], points[1:-1]
    spread = (sigma[2:] ** 2).mean((1, 3), keepdims=True) + costs.tolerance_px**2
    near = times_s[2:] - times_s[:-2] <= _REACH_S
    found = np.zeros((len(points), 2, 2))
    pace = (step[1:] / step[:-1])[:, None, None, None]
    for earlier, before in enumerate((points[:-2], swapped[:-2])):
        predicted = last + (last - before) * pace
        for later, there in enumerate((now, swapped[2:])):
            error = (there - predicted) ** 2 / spread
            found[2:, later, earlier] = np.where(near, np.nansum(error, axis=(1, 2, 3)), 0.0)
    return found


def _best_switches(step_costs: Array, switch: float) -> NDArray[np.intp]:
    """Return the indices before which sides change, along the cheapest path of (n, 2, 2) costs."""
    stay, change = 0.0, switch
    came_from: list[tuple[int, int]] = []
    for (stay_stay, stay_change), (change_stay, change_change) in step_costs.tolist():
        # The first index: a change before this frame; the second: before the last one.
        a, b = stay + stay_stay, change + stay_change
        c, d = stay + change_stay, change + change_change
        came_from.append((int(b < a), int(d < c)))
        stay, change = min(a, b), min(c, d) + switch
    state = int(change < stay)
    switches = []
    for i in range(len(came_from) - 1, -1, -1):
        if state:
            switches.append(i)
        state = came_from[i][state]
    return np.array(switches[::-1], np.intp)


def _pays(step_costs: Array, start: int, stop: int, costs: SwapCosts) -> bool:
    """Return True if exchanging the sides from ``start`` to ``stop`` saves enough cost."""
    frames = slice(start, min(stop + 2, len(step_costs)))
    kept = step_costs[frames, 0, 0].sum()
    change = np.zeros(len(step_costs) + 1, np.intp)
    change[[start, stop]] = 1
    index = np.arange(len(step_costs))
    exchanged = step_costs[index, change[:-1], np.concatenate([[0], change[:-2]])][frames].sum()
    return bool(exchanged + 2 * costs.switch < costs.least_gain * kept)


def hampel_outliers(
    times_s: Array, xy: Array, suspect: Flags, half_window_s: float, deviations: float, floor: float
) -> Flags:
    """Return the outliers (f, 17) of a Hampel filter: points far from the median in time.

    A window of fewer than five points has no reliable median, and so no outliers.

    Args:
        times_s: (f,). xy: (f, 17, 2).
        suspect: (f, 17) points to test; the others only count as neighbors.
        half_window_s: largest distance of neighbors in time.
        deviations: threshold in median absolute deviations, scaled to standard deviations.
        floor: minimum of the scaled deviation in pixels.
    """
    windows = Windows.of(times_s, 2 * half_window_s)
    found = np.zeros(suspect.shape, np.bool_)
    for point in range(xy.shape[1]):
        frames = np.flatnonzero(suspect[:, point])
        for axis in range(2):
            values = xy[:, point, axis]
            near = windows.sum(np.isfinite(values).astype(np.float64))[frames]
            middle, spread = windows.median_deviation(values, frames)
            limit = deviations * np.maximum(MAD_TO_SD * spread, floor)
            far = np.abs(values[frames] - middle) > limit
            found[frames, point] |= far & (near >= _LEAST_NEIGHBOURS)
    return found


_LEAST_NEIGHBOURS: Final = 5

_BONES: Final = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in SIDES
    for start, end in (*SKELETON.bones.values(), ("shoulder", "hip"))
)
"""Limbs whose length is checked, without lines between the sides, which vanish from the side."""


def bone_length_outliers(xy: Array, share: float) -> Flags:
    """Return the points (f, 17) of limbs that are more than ``share`` off their median length.

    Lengths are taken relative to the person's apparent size, which changes with the distance.
    """
    size = apparent_size(xy)
    off = np.zeros(xy.shape[:2], np.bool_)
    for start, end in _BONES:
        span = ratio(length(between(start, end), xy), size)
        known = span[np.isfinite(span)]
        if len(known):
            usual = float(np.median(known))
            far = np.abs(span - usual) > share * usual
            off[:, [INDEX[start], INDEX[end]]] |= far[:, None]
    return off


def fill_gaps(times_s: Array, xy: Array, longest_s: float, neighbours: int) -> tuple[Array, Flags]:
    """Fill short gaps by monotone cubics (PCHIP), and return which points (f, 17) were filled.

    Args:
        times_s: (f,). xy: (f, 17, 2).
        longest_s: from the last point before a gap to the first after it.
        neighbours: minimum number of consecutive points on both sides; fewer belong to the gap.
    """
    filled = xy.copy()
    there = np.asarray(np.isfinite(xy).all(-1))
    made = np.zeros(there.shape, np.bool_)
    for point in range(xy.shape[1]):
        gaps = _short_gaps(times_s, there[:, point], longest_s, neighbours)
        if len(gaps):
            known = np.flatnonzero(there[:, point])
            curve = scipy.interpolate.PchipInterpolator(times_s[known], xy[known, point])
            filled[gaps, point] = curve(times_s[gaps])
            made[gaps, point] = True
    return filled, made


def _short_gaps(
    times_s: Array, there: Flags, longest_s: float, neighbours: int
) -> NDArray[np.intp]:
    """Return the frames of gaps to fill; a short stretch of points counts as part of a gap."""
    runs = runs_of(there, times_s, math.inf)
    runs = runs[runs[:, 1] - runs[:, 0] >= neighbours]
    ends, starts = runs[:-1, 1], runs[1:, 0]
    short = np.flatnonzero(times_s[starts] - times_s[ends - 1] <= longest_s + 1e-6)
    frames = [ends[gap] + np.flatnonzero(~there[ends[gap] : starts[gap]]) for gap in short]
    return np.concatenate(frames) if frames else np.empty(0, np.intp)
