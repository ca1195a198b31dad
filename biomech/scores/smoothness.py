"""Compute the smoothness of a movement from its speed; values nearer 0 are smoother."""

import math
from typing import Final

import numpy as np

from biomech.kinematics.geometry import Array

LEAST_RATE_HZ: Final = 60.0
"""Lowest frame rate for jerk, the second derivative of speed."""

_PADDING: Final = 4
_HIGHEST_HZ: Final = 10.0
_LEAST_AMPLITUDE: Final = 0.05


def sparc(speed: Array, rate_hz: float) -> float:
    """Return the spectral arc length of (n,) speeds at even times (Balasubramanian et al. 2015).

    The amplitude spectrum is zero-padded 16 times, scaled to its largest value, and used up to
    10 Hz. NaN for fewer than two speeds, or if all are 0.
    """
    if len(speed) < 2 or not np.any(speed):
        return math.nan
    size = 2 ** (math.ceil(math.log2(len(speed))) + _PADDING)
    spectrum = np.abs(np.fft.fft(speed, size))
    spectrum = spectrum / spectrum.max()
    frequency = np.arange(size) * rate_hz / size
    low = frequency <= min(_HIGHEST_HZ, rate_hz / 2)
    frequency, spectrum = frequency[low], spectrum[low]
    strong = np.flatnonzero(spectrum >= _LEAST_AMPLITUDE)
    band = slice(int(strong[0]), int(strong[-1]) + 1)
    frequency, spectrum = frequency[band], spectrum[band]
    if len(frequency) < 2:
        return math.nan
    steps = np.diff(frequency) / (frequency[-1] - frequency[0])
    return -float(np.hypot(steps, np.diff(spectrum)).sum())


def ldlj(speed: Array, rate_hz: float) -> float:
    """Return the log dimensionless jerk of (n,) speeds at even times, one interval each.

    NaN for fewer than three speeds, or if the movement has no jerk.
    """
    if len(speed) < 3:
        return math.nan
    step = 1.0 / rate_hz
    jerk = np.diff(speed, 2) / step**2
    scaled = (len(speed) * step) ** 3 / np.max(np.abs(speed)) ** 2 if np.any(speed) else math.nan
    total = scaled * float((jerk**2).sum()) * step
    return -math.log(total) if total > 0 else math.nan
