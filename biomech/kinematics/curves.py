"""Make the signals behind speeds and events of one person: gaps filled, no jumps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import scipy

from biomech.config import BiomechanicsConfig
from biomech.joints import joint_of
from biomech.kinematics.geometry import (
    ANGLES,
    Array,
    Vector,
    combine,
    flexion,
    possible,
    segments_with,
    trunk_lean,
    trunk_line,
    wrap,
)
from biomech.kinematics.person_metrics import PersonMetrics
from biomech.kinematics.uncertainty import flexion_sigma
from biomech.kinematics.view import FRONTAL, SAGITTAL
from biomech.reasons import Flags
from biomech.skeleton import INDEX, SIDES
from biomech.time_windows import Windows, lasting, runs_of, velocity

BEYOND: Final = 1.1
"""Largest movement as a share of a joint's range; beyond it a limb points at the camera."""

TRUNK: Final = "trunk_lean"
_TURN: Final = 360.0
_KNOWN_FACING: Final = 0.7
"""Share of the person's frames, from the side and of known facing, for angles to have a sign."""

_ENDS: Final = 2
_WITHIN_S: Final = 1.0
_WINDOWS_S: Final = (1.0, 2.0)
_MID_HIP: Final[Vector] = {"left_hip": 0.5, "right_hip": 0.5}


@dataclass(frozen=True, slots=True)
class Curves:
    """Signals (f,), NaN where unknown. Lengths in statures, + up and, where signed, forward.

    Attributes:
        times_s: (f,) seconds.
        max_gap_s: frames further apart do not hang together.
        flexion: degrees by name of :data:`biomech.kinematics.geometry.ANGLES`; signed, forward
            positive, where the clip shows the person from the side and facing one; else, and
            always of elbows, the size alone. From the front knees and hips bend out of the
            picture and are missing. NaN where no joint can bend so far.
        signed: which of the two; see :meth:`has_sign`.
        lean: of the trunk, degrees; forward where ``signed``, else toward image right.
        sigma: degrees by flexion, of a frame. jitter: degrees a second by flexion, of the whole
            clip: how far the speed is off by the scatter that the filter lets pass.
        hip_height: of mid-hip, or the near hip, over the picture's lower edge.
        hip_height_raw: the same, not smoothed.
        ankle_height: of each ankle over the same, by side; not smoothed.
        ankle_ahead: of each ankle before mid-hip, by side; NaN where the side faced is unknown. Of
            who is upright: of others the side faced is not one of the ground.
        stature_px: what a stature is.
        rate_hz: frames a second.
        noise_swing: degrees by flexion that noise alone reaches from valley to peak in one clip of
            twenty as long as this one; none where it cannot be told. hip_noise_swing: the same of
            the hips' height.
        noise_scatter: degrees by flexion that the rms of noise alone exceeds in some window of each
            of ``_WINDOWS_S`` in one such clip.
    """

    times_s: Array
    max_gap_s: float
    flexion: Mapping[str, Array]
    signed: bool
    lean: Array
    sigma: Mapping[str, Array]
    jitter: Mapping[str, float]
    hip_height: Array
    hip_height_raw: Array
    ankle_height: Mapping[str, Array]
    ankle_ahead: Mapping[str, Array]
    stature_px: float
    rate_hz: float
    noise_swing: Mapping[str, float] = field(default_factory=dict)
    hip_noise_swing: float = 0.0
    noise_scatter: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def has_sign(self, name: str) -> bool:
        """Return whether the flexion ``name`` is signed."""
        return self.signed and joint_of(name).signed

    def least_swing(self, name: str) -> float:
        """Return the degrees by which a flexion must turn to stand out from noise."""
        return self.noise_swing.get(name, 0.0)

    def moves(self, name: str, signal: Array) -> Flags:
        """Return (f,) whether a flexion, given as ``signal`` (f,), moves more than noise would.

        It turns by more within a second. If it hardly ever does, it moves where it scatters by more
        within one of ``_WINDOWS_S``: noise might reach as far once, but not again and again.
        """
        moving = turns(self, signal, self.least_swing(name))
        if moving.sum() >= _WITHIN_S * self.rate_hz:
            return moving
        for window_s, limit in zip(_WINDOWS_S, self.noise_scatter.get(name, ()), strict=False):
            moving |= Windows.of(self.times_s, window_s).deviation(signal) >= limit
        return moving & np.isfinite(signal)


def curves_of(metrics: PersonMetrics, config: BiomechanicsConfig) -> Curves:
    """Make the curves of one person who was filmed long enough to be filtered.

    Raises:
        ValueError: nothing was filtered.
    """
    points = metrics.points
    used = points.filter
    if used.cutoff_hz is None or used.rate_hz is None:
        raise ValueError("too short to be filtered: there are no curves")
    times, xy = points.track.times_s, points.curve
    trunk = trunk_line(metrics.near_side)
    segments = segments_with(trunk)
    facing = np.where(metrics.view.facing == 0, np.nan, metrics.view.facing)
    signed = _faces_aside(metrics)
    frontal = metrics.view.of_clip() == FRONTAL
    names = [name for name in ANGLES if not frontal or joint_of(name).seen_from_front]
    smooth = {name: flexion(name, xy, segments) for name in names}
    lean = trunk_lean(xy, trunk)
    taken = {name: wrap(flexion(name, points.raw, segments) - smooth[name]) for name in names}
    size = metrics.size.stature_px
    hip = _MID_HIP if metrics.near_side is None else {f"{metrics.near_side}_hip": 1.0}
    hips, raw_hips = combine(hip, xy), combine(hip, points.raw)
    noise, seconds = points.noise, float(np.ptp(times))
    ankles = {side: xy[:, INDEX[f"{side}_ankle"]] for side in SIDES}
    # A foot that meets the ground stops at once: the filter would round that corner.
    sharp = np.where(np.isfinite(points.raw), points.raw, xy)
    foot = float(points.track.size[1])
    noise_sd = {
        name: noise.smooth_sd(gone)
        for name, gone in (taken | {TRUNK: trunk_lean(points.raw, trunk) - lean}).items()
    }
    return Curves(
        times_s=times,
        max_gap_s=config.max_gap_s,
        flexion={
            name: whole_turns(name, value * facing, times, config.max_gap_s)
            if signed
            else np.where(possible(name, value), np.abs(value), np.nan)
            for name, value in smooth.items()
        },
        signed=signed,
        lean=lean * (facing if signed else 1.0),
        sigma={name: flexion_sigma(name, xy, points.curve_sigma, segments) for name in names},
        jitter={name: noise.speed_sd(taken[name]) for name in names},
        hip_height=(foot - hips[:, 1]) / size,
        hip_height_raw=(foot - combine(hip, sharp)[:, 1]) / size,
        ankle_height={side: (foot - sharp[:, INDEX[f"{side}_ankle"], 1]) / size for side in SIDES},
        ankle_ahead={
            side: facing * (ankle[:, 0] - hips[:, 0]) / size for side, ankle in ankles.items()
        },
        stature_px=size,
        rate_hz=used.rate_hz,
        noise_swing={name: noise.swing(sd, seconds) for name, sd in noise_sd.items()},
        noise_scatter={
            name: tuple(
                noise.scatter(sd, window_s, seconds, len(_WINDOWS_S)) for window_s in _WINDOWS_S
            )
            for name, sd in noise_sd.items()
        },
        hip_noise_swing=noise.swing(noise.smooth_sd(raw_hips[:, 1] - hips[:, 1]), seconds) / size,
    )


def speed_of(curves: Curves, signal: Array) -> Array:
    """Return the size (f,) of the rate of change of a signal (f,), a second.

    NaN in the two outermost frames of a run: the filter has only one side to go by there.
    """
    speed = np.abs(velocity(curves.times_s, signal))
    for start, stop in runs_of(np.isfinite(signal), curves.times_s, curves.max_gap_s).tolist():
        speed[start : start + _ENDS] = np.nan
        speed[max(stop - _ENDS, start) : stop] = np.nan
    return speed


def turns(curves: Curves, signal: Array, swing: float) -> Flags:
    """Return (f,) whether a signal (f,) goes by ``swing`` or more within a second: it moves."""
    there = np.isfinite(signal)
    window = 2 * round(_WITHIN_S / 2 * curves.rate_hz) + 1
    high = scipy.ndimage.maximum_filter1d(np.where(there, signal, -np.inf), window, mode="nearest")
    low = scipy.ndimage.minimum_filter1d(np.where(there, signal, np.inf), window, mode="nearest")
    return np.asarray(there & (high - low >= swing))


def extremes(curves: Curves, signal: Array, moving: Flags) -> tuple[float, float]:
    """Return the :func:`biomech.time_windows.lasting` extremes of a signal (f,).

    Where it is not ``moving`` (f,), its mean over a second counts: noise reaches the further, the
    longer one waits.
    """
    mean = Windows.of(curves.times_s, _WITHIN_S).mean(signal)
    steady = np.where(moving, signal, mean)
    return lasting(np.where(np.isfinite(signal), steady, np.nan), curves.rate_hz)


def _faces_aside(metrics: PersonMetrics) -> bool:
    """Return whether most of the clip is from the side, and the side faced known there."""
    view = metrics.view
    present = metrics.points.track.present
    aside = (view.kind == SAGITTAL) & present
    known = (view.facing != 0) & aside
    return bool(view.of_clip() == SAGITTAL and known.sum() >= _KNOWN_FACING * present.sum())


def whole_turns(name: str, degrees: Array, times_s: Array, max_gap_s: float) -> Array:
    """Add whole turns to a signed flexion, NaN where no joint bends so far.

    An elbow's is its size. An arm may go round: then its angle goes on beyond a half turn instead
    of jumping, within runs. Other joints cannot, so theirs are within a half turn of the middle of
    their range; where a limb that points at the camera seems to go round, the turns would add up.
    So are an arm's where it does not go round; raised sideways and seen from the side it points at
    the camera on its way, to chance where, and a line through what an arm can do replaces what it
    cannot.
    """
    joint = joint_of(name)
    if not joint.signed:
        return np.where(possible(name, wrap(degrees)), np.abs(wrap(degrees)), np.nan)
    low, high = joint.motion_deg
    middle = (low + high) / 2
    result = wrap(degrees - middle) + middle
    if not joint.whole_turns:
        least, most = joint.possible_deg
        return np.where((result < least) | (result > most), np.nan, result)
    for start, stop in runs_of(np.isfinite(degrees), times_s, max_gap_s).tolist():
        run = slice(start, stop)
        part = np.unwrap(degrees[run], period=_TURN)
        if np.ptp(part) >= _TURN:
            # Which turn a run is of, its middle says: most of it is within the usual range.
            result[run] = part - _TURN * round(float(np.median(part)) / _TURN)
            continue
        can = np.abs(result[run] - middle) <= BEYOND * (high - low) / 2
        between = times_s[run][can], result[run][can]
        result[run] = np.nan
        if can.any():
            result[run] = np.interp(times_s[run], *between, left=np.nan, right=np.nan)
    return result
