"""Clean and smooth a measured track, and record the steps applied."""

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
from biomech.records.values import CutoffSource, FilterType
from biomech.skeleton import SKELETON
from biomech.time_windows import rate_of, runs_of
from biomech.track import HandPoints, Track

_LONGEST_RESIDUAL: Final = 3000
"""Maximum number of frames for the residual analysis; more do not improve it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The low-pass filter in force.

    Attributes:
        cutoff_hz: None if nothing was smoothed. rate_hz: of the frames, None for one picture.
        resampled: whether uneven intervals were resampled for the filter.
        limited: whether the frame rate required a lower cut-off than requested.
        suggested_cutoff_hz: by the residual analysis of this clip. It is reported but not used,
            because numbers of different cut-offs are not comparable.
        source: origin of the cut-off, see ``BiomechanicsConfig.cutoff_source``.
    """

    cutoff_hz: float | None
    rate_hz: float | None
    resampled: bool = False
    limited: bool = False
    suggested_cutoff_hz: float | None = None
    source: CutoffSource = "default"

    @property
    def type(self) -> FilterType:
        """Return ``butterworth_zero_phase`` or ``none``."""
        return "none" if self.cutoff_hz is None else "butterworth_zero_phase"

    @property
    def order(self) -> int | None:
        """Return the order of both passes together."""
        return None if self.cutoff_hz is None else ORDER


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Cleaned and smoothed points of one person over a clip, (f, 17, ...); NaN where missing.

    Attributes:
        track: as measured.
        raw: measured points in pixels, sides repaired, not smoothed.
        gated: the same points smoothed, and why the others are missing; used for the angles of a
            frame.
        curve: smoothed points with short gaps filled; used for speeds and events.
        sigma: standard deviations of ``raw`` in pixels. from_model: True if from the model, False
            if from the prior.
        curve_sigma: standard deviations of ``curve``, from the noise that the filter passes.
        noise: of the clip; its ``inflation`` is a factor of ``sigma``.
        outlier, filled, unsmoothed: (f, 17) points removed, interpolated, and not smoothed.
        swaps: exchanges of left and right that were undone.
        filter: the filter applied.
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
        """Return whether (f,) sides were exchanged in a frame."""
        found = np.zeros(len(self.raw), np.bool_)
        for swap in self.swaps:
            found[swap.start : swap.stop] = True
        return found


def preprocess(track: Track, config: BiomechanicsConfig, roll_deg: float = 0.0) -> Smoothed:
    """Apply gate, repair of sides, outlier removal, gap filling and low-pass filter, in this order.

    A track too short to filter, such as a single picture, is only gated.

    Args:
        track: as measured. config: thresholds.
        roll_deg: clockwise rotation of the scene; points are rotated back by it.

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
    hand = track.by_hand or _no_hand(track.xy.shape)
    placed = hand.placed
    # On top of repaired sides: the name that a person chose is right.
    seen = _corrected(seen, hand, track, roll_deg)
    hand_sigma = _turned_sigma(oks_sigma(track.box), roll_deg)
    sigma = np.where(placed[..., None], hand_sigma, sigma)
    from_model = from_model & ~placed
    outlier = _outliers(track.times_s, seen.xy, score, config) & ~placed
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
    sigma = np.where(placed[..., None], hand_sigma, noise.inflation * sigma)
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


def _no_hand(shape: tuple[int, ...]) -> HandPoints:
    return HandPoints(np.full(shape, np.nan), np.zeros(shape[:-1], np.bool_))


def _corrected(
    seen: VisibleKeypoints, hand: HandPoints, track: Track, roll_deg: float
) -> VisibleKeypoints:
    """Return the points with those placed by hand, and without those hidden by hand."""
    placed = hand.placed
    xy = derotated(hand.xy, roll_deg, track.center) if roll_deg else hand.xy
    kept = np.where(hand.hidden[..., None], np.nan, seen.xy)
    reason = np.where(hand.hidden, reasons.HIDDEN_BY_HAND, seen.reason)
    return VisibleKeypoints(
        np.where(placed[..., None], xy, kept), np.where(placed, "", reason).astype(reason.dtype)
    )


def choose_filter(times_s: Array, config: BiomechanicsConfig) -> Filter:
    """Choose the filter for these times; none if the clip is too short or its rate too low."""
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
    """Rotate standard deviations to turned axes, ignoring the correlation that results."""
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
    """Return the median suggestion of the body's points, from each one's longest run, or None."""
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
