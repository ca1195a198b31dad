"""Estimate the noise of one person's points over a clip: its level and correlation.

Errors of a network are correlated from frame to frame. They are modeled as first-order
autoregressive: one correlation of neighboring frames for the clip, because all points come from one
network, and one level for each point. All tests against noise use this estimate.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy

from biomech.kinematics.geometry import Array
from biomech.preprocessing.filters import NoiseGains, noise_gains
from biomech.reasons import Flags
from biomech.skeleton import INDEX, KEYPOINTS, SIDES, SKELETON
from biomech.time_windows import MAD_TO_SD, percentile

FALSE_ALARMS: Final = 0.05
"""Share of motionless clips in which noise alone may be taken for movement."""

_BODY: Final = SKELETON.body_slice
_RIGID: Final = (*SKELETON.bones.values(), ("shoulder", "hip"))
_CORRELATIONS: Final = tuple(i / 100 for i in range(96))
_STILLEST: Final = 25.0
"""Percentile of the correlations of all signals; movement only increases a correlation."""

_DOUBT: Final = 2.0
_LEAST_FRAMES: Final = 30
_LEAST_COMPARED: Final = 100
_LEAST_PX: Final = 0.05
"""Lowest level of noise in pixels; less is only rounding and the movement itself."""

_SIGNALS: Final = 8


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of one person over a clip.

    Attributes:
        correlation: of the noise of neighboring frames, 0 to 0.95; NaN if it cannot be estimated.
        level_px: (17,) standard deviation of each measured coordinate, NaN if unknown.
        inflation: ratio of the scatter of points to their given deviations, 1 or more.
        gains: of the filter for such noise, for white noise if the correlation is unknown; None if
            nothing was filtered.
    """

    correlation: float
    level_px: Array
    inflation: float
    gains: NoiseGains | None

    @property
    def known(self) -> bool:
        """Return whether the correlation of the clip's noise is known."""
        return math.isfinite(self.correlation)

    @property
    def passed(self) -> float:
        """Return the standard deviation after the filter over that before; 1 if unknown."""
        return self.gains.passed if self.gains and self.known else 1.0

    def smooth_sd(self, taken: Array) -> float:
        """Return the noise of a smoothed signal from its part (f,) that the filter removed."""
        return self._from_taken(taken, self.passed)

    def speed_sd(self, taken: Array) -> float:
        """Return the same for the smoothed signal's rate of change, a second."""
        return self._from_taken(taken, self.gains.speed) if self.gains else math.nan

    def swing(self, sd: float, seconds: float) -> float:
        """Return the swing, valley to peak, that noise of ``sd`` reaches in one of twenty clips.

        Computed by Rice's rate of crossings, for any of the monitored signals of a person.
        """
        if self.gains is None or not self.known or not sd > 0:
            return 0.0
        crossings = max(seconds * self.gains.crossings_hz, 1.0)
        return 2.0 * math.sqrt(2.0 * math.log(_SIGNALS * crossings / FALSE_ALARMS)) * sd

    def scatter(self, sd: float, window_s: float, seconds: float, lengths: int) -> float:
        """Return the rms in a window that noise of ``sd`` exceeds in one clip of twenty.

        ``lengths`` is the number of window lengths that are watched.

        A window of low-pass noise has about as many independent values as its bandwidth, the
        square root of 3 times its rate of crossings, allows.
        """
        if self.gains is None or not self.known or not sd > 0:
            return 0.0
        freedom = max(2.0 * math.sqrt(3.0) * self.gains.crossings_hz * window_s - 1.0, 1.0)
        windows = lengths * _SIGNALS * max(seconds / window_s, 1.0)
        most = scipy.special.chdtri(freedom, FALSE_ALARMS / windows)
        return float(sd * math.sqrt(most / freedom))

    def _from_taken(self, taken: Array, gain: float) -> float:
        known = np.abs(taken[np.isfinite(taken)])
        if self.gains is None or not len(known):
            return math.nan
        return float(MAD_TO_SD * np.median(known) / self.gains.taken * gain)


def noise_of(
    raw: Array, smooth: Array, sigma: Array, cutoff_hz: float | None, rate_hz: float | None
) -> Noise:
    """Estimate the noise of (f, 17, 2) points from the part that the filter removed.

    Args:
        raw: as measured. smooth: NaN where not filtered. sigma: given deviations in pixels.
        cutoff_hz, rate_hz: of the filter; None without a filter.
    """
    taken = raw - smooth
    spread = np.array([_spread(taken[:, k]) for k in range(len(KEYPOINTS))])
    gains, correlation = None, math.nan
    if cutoff_hz is not None and rate_hz is not None:
        rate_hz = round(rate_hz, 6)  # equal for all people, so that their gains are cached
        gains = noise_gains(cutoff_hz, rate_hz)
        if _enough(taken) and percentile(spread[_BODY], 50) / gains.taken >= _LEAST_PX:
            correlation = _correlation(raw, taken, cutoff_hz, rate_hz)
            gains = noise_gains(cutoff_hz, rate_hz, correlation)
    share = gains.taken if gains else 1.0
    scaled = taken / np.where(sigma > 0, sigma, np.nan)
    known = int(np.isfinite(scaled).sum())
    inflation = max(_spread(scaled) / share, 1.0) if known >= _LEAST_COMPARED else 1.0
    return Noise(correlation, spread / share, inflation, gains)


def _enough(taken: Array) -> bool:
    return bool(np.isfinite(taken[:, _BODY, 0]).sum(0).max() >= _LEAST_FRAMES)


def _spread(values: Array) -> float:
    """Return the standard deviation about zero from the median, which is robust to outliers."""
    known = np.abs(values[np.isfinite(values)])
    return MAD_TO_SD * float(np.median(known)) if len(known) else math.nan


def _correlation(raw: Array, taken: Array, cutoff_hz: float, rate_hz: float) -> float:
    """Estimate the correlation of the noise of neighboring frames.

    Signals that hold still, such as a standing foot or the length of a limb, show it directly.
    If all signals move, the part that the filter removed gives an upper bound: the lower the
    correlation, the more neighboring frames alternate in that part.
    """
    signals = np.concatenate([raw[:, _BODY].reshape(len(raw), -1), _lengths(raw)], axis=1)
    still = percentile(_neighbours(signals, centered=True), _STILLEST)
    above = _neighbours(taken[:, _BODY].reshape(len(raw), -1), centered=False)
    above = above[np.isfinite(above)]
    doubt = _DOUBT * _spread(above - np.median(above)) / math.sqrt(len(above))
    found = [noise_gains(cutoff_hz, rate_hz, r).neighbours for r in _CORRELATIONS]
    most = float(np.interp(np.median(above) + doubt, found, _CORRELATIONS))
    return float(np.clip(min(still, most), 0.0, _CORRELATIONS[-1]))


def _lengths(xy: Array) -> Array:
    """Return the lengths (f, 10) of rigid segments."""
    ends = [(INDEX[f"{side}_{a}"], INDEX[f"{side}_{b}"]) for side in SIDES for a, b in _RIGID]
    a, b = np.array(ends).T
    length: Array = np.hypot(*np.moveaxis(xy[:, a] - xy[:, b], -1, 0))
    return length


def _neighbours(signals: Array, centered: bool) -> Array:
    """Return the correlation (k,) of neighbors in (f, k) signals; NaN with too few values.

    Subtracting the mean reduces it by (1 + 3 r) / n, which is added back.
    """
    there: Flags = np.isfinite(signals)
    count = there.sum(0)
    known = np.where(there, signals, 0.0)
    if centered:
        known = np.where(there, known - known.sum(0) / np.maximum(count, 1), 0.0)
    pairs = (there[1:] & there[:-1]).sum(0)
    usable = pairs >= _LEAST_FRAMES - 1
    power = (known**2).sum(0) / np.maximum(count, 1)
    usable &= power > 0
    found = (known[1:] * known[:-1]).sum(0) / np.maximum(pairs, 1) / np.where(usable, power, 1.0)
    if centered:
        found = found + (1.0 + 3.0 * found) / np.maximum(count, 1)
    return np.where(usable, found, np.nan)
