"""From a track as measured to one that is clean and smooth, with what was done to it."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from biomech import reasons
from biomech.config import BiomechanicsConfig
from biomech.kinematics.geometry import Array, derotated
from biomech.kinematics.uncertainty import oks_sigma
from biomech.kinematics.view import stature_px
from biomech.preprocessing.filters import (
    MAX_SHARE,
    MIN_SAMPLES,
    ORDER,
    is_even,
    lowpass,
    residual_cutoffs,
)
from biomech.preprocessing.noise import Noise, noise_of
from biomech.preprocessing.repair import (
    Swap,
    SwapCosts,
    bone_length_outliers,
    exchange,
    fill_gaps,
    find_swaps,
    hampel_outliers,
)
from biomech.preprocessing.visibility import VisibleKeypoints, gate
from biomech.reasons import Flags
from biomech.skeleton import SKELETON
from biomech.time_windows import rate_of, runs_of
from biomech.track import Track

_LONGEST_RESIDUAL: Final = 3000
"""Frames that the residual analysis looks at, at most: an hour tells no more than a minute."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The low-pass filter in force.

    Attributes:
        cutoff_hz: None where nothing was smoothed. rate_hz: of the frames, None for one picture.
        resampled: whether uneven intervals were evened for the filter.
        limited: whether the frame rate allowed less than was asked for.
        suggested_cutoff_hz: by the residual analysis of this clip; only told, since numbers of
            different cut-offs do not compare.
        source: why that cut-off: see ``BiomechanicsConfig.cutoff_source``.
    """

    cutoff_hz: float | None
    rate_hz: float | None
    resampled: bool = False
    limited: bool = False
    suggested_cutoff_hz: float | None = None
    source: str = "default"

    @property
    def type(self) -> str:
        """``butterworth_zero_phase`` or ``none``."""
        return "none" if self.cutoff_hz is None else "butterworth_zero_phase"

    @property
    def order(self) -> int | None:
        """Of both passes together."""
        return None if self.cutoff_hz is None else ORDER


@dataclass(frozen=True, slots=True)
class Smoothed:
    """One person over a clip, clean and smooth. All (f, 17, ...); NaN where there is nothing.

    Attributes:
        track: as measured.
        raw: pixels of the points that count as measured, sides repaired, not smoothed.
        gated: the same points smoothed, and why the others are missing: what angles of a frame
            are made of.
        curve: smoothed, short gaps filled too: what speeds and events are made of.
        sigma: standard deviations of ``raw``, pixels. from_model: whether the model gave them, else
            they are the prior.
        curve_sigma: the same of ``curve``: what the filter lets pass of the clip's noise.
        noise: of the clip, whose ``inflation`` is a factor of ``sigma``.
        outlier, filled, unsmoothed: (f, 17) points taken out, made up, and left as measured.
        swaps: exchanges of left and right that were undone.
        filter: what smoothed.
    """

    track: Track
    raw: Array
    gated: VisibleKeypoints
    curve: Array
    sigma: Array
    curve_sigma: Array
    from_model: Flags
    noise: Noise
    outlier: Flags
    filled: Flags
    unsmoothed: Flags
    swaps: list[Swap]
    filter: Filter

    def swapped(self) -> Flags:
        """(f,) whether sides were exchanged in a frame."""
        found = np.zeros(len(self.raw), np.bool_)
        for swap in self.swaps:
            found[swap.start : swap.stop] = True
        return found


def preprocess(track: Track, config: BiomechanicsConfig, roll_deg: float = 0.0) -> Smoothed:
    """Gate, repair of sides, stray points, gaps, low-pass filter, in this order.

    What is too short to filter, a single picture above all, is only gated.

    Args:
        track: as measured. config: thresholds.
        roll_deg: by which the scene is turned clockwise; points are turned back by it.

    Raises:
        ValueError: time stamps do not ascend.
    """
    if np.any(np.diff(track.times_s) <= 0):
        raise ValueError("time stamps must ascend")
    from_model: Flags = np.asarray(np.isfinite(track.sigma).all(-1))
    sigma = np.where(from_model[..., None], track.sigma, oks_sigma(track.box))
    seen = gate(track.xy, track.score, track.size, config.min_score)
    score = track.score
    if roll_deg:
        seen = VisibleKeypoints(derotated(seen.xy, roll_deg, track.center), seen.reason)
        sigma = _turned_sigma(sigma, roll_deg)
    swaps = find_swaps(track.times_s, seen.xy, np.nan_to_num(sigma), _swap_costs(seen.xy, config))
    if swaps:
        seen = VisibleKeypoints(exchange(seen.xy, swaps), exchange(seen.reason, swaps))
        sigma, score = exchange(sigma, swaps), exchange(score, swaps)
        from_model = exchange(from_model, swaps)
    outlier = _outliers(track.times_s, seen.xy, score, config)
    raw = np.where(outlier[..., None], np.nan, seen.xy)
    reason = np.where(outlier, reasons.OUTLIER, seen.reason)
    whole, filled = fill_gaps(track.times_s, raw, config.max_gap_s, config.gap_neighbours)
    chosen = choose_filter(track.times_s, config)
    curve, done = whole, np.zeros(filled.shape, np.bool_)
    if chosen.cutoff_hz is not None:
        curve, done = lowpass(track.times_s, whole, chosen.cutoff_hz, config.max_gap_s)
        chosen = replace(chosen, suggested_cutoff_hz=_suggested(track.times_s, whole, config))
    measured = reason == ""
    smooth = np.where(done[..., None], curve, np.nan)
    noise = noise_of(raw, smooth, sigma, chosen.cutoff_hz, chosen.rate_hz)
    sigma = noise.inflation * sigma
    return Smoothed(
        track=track,
        raw=raw,
        gated=VisibleKeypoints(np.where(measured[..., None], curve, np.nan), reason),
        curve=curve,
        sigma=sigma,
        curve_sigma=np.where(done[..., None], noise.passed, 1.0) * sigma,
        from_model=from_model,
        noise=noise,
        outlier=outlier,
        filled=filled,
        unsmoothed=measured & ~done,
        swaps=swaps,
        filter=chosen if done.any() else replace(chosen, cutoff_hz=None, limited=False),
    )


def choose_filter(times_s: Array, config: BiomechanicsConfig) -> Filter:
    """The filter for frames at these times: none for a clip too short, or too slow for any."""
    if len(times_s) < 2:
        return Filter(None, None)
    rate = rate_of(times_s)
    highest = MAX_SHARE * rate
    if len(times_s) < MIN_SAMPLES or 1.0 / rate > config.max_gap_s:
        return Filter(None, rate)
    return Filter(
        min(config.cutoff_hz, highest),
        rate,
        resampled=not is_even(times_s),
        limited=config.cutoff_hz > highest,
        source=config.cutoff_source,
    )


def _turned_sigma(sigma: Array, roll_deg: float) -> Array:
    """Standard deviations along turned axes; that they then depend on one another is left out."""
    a = np.radians(roll_deg)
    c, s = np.cos(a) ** 2, np.sin(a) ** 2
    turned: Array = np.sqrt(sigma**2 @ np.array([[c, s], [s, c]]))
    return turned


def _swap_costs(xy: Array, config: BiomechanicsConfig) -> SwapCosts:
    return SwapCosts(
        config.swap_switch,
        config.swap_tolerance * stature_px(xy),
        config.swap_longest_s,
        config.swap_least_gain,
    )


def _outliers(times_s: Array, xy: Array, score: Array, config: BiomechanicsConfig) -> Flags:
    doubtful = score < config.outlier_score
    suspect = np.isfinite(xy).all(-1) & (doubtful | bone_length_outliers(xy, config.outlier_bone))
    return hampel_outliers(
        times_s,
        xy,
        suspect,
        config.outlier_window_s,
        config.outlier_deviations,
        config.outlier_floor_px,
    )


def _suggested(times_s: Array, xy: Array, config: BiomechanicsConfig) -> float | None:
    """Median over the body's points, each by its longest stretch without a gap; None unknown."""
    together: dict[tuple[int, int], list[int]] = {}
    for point in range(xy.shape[1])[SKELETON.body_slice]:
        runs = runs_of(np.isfinite(xy[:, point, 0]), times_s, config.max_gap_s)
        if len(runs):
            start, stop = runs[(runs[:, 1] - runs[:, 0]).argmax()].tolist()
            together.setdefault((start, min(stop, start + _LONGEST_RESIDUAL)), []).append(point)
    found = [
        cutoff
        for (start, stop), points in together.items()
        for cutoff in residual_cutoffs(times_s[start:stop], xy[start:stop, points]).tolist()
    ]
    known = [cutoff for cutoff in found if np.isfinite(cutoff)]
    return float(np.median(known)) if known else None
