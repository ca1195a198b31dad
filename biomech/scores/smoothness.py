"""How smooth a movement is, from its speed: nearer 0 is smoother. Not metabolic economy."""

import math
from typing import Final

import numpy as np

from biomech.kinematics.geometry import Array

LEAST_RATE_HZ: Final = 60.0
"""Frames a second below which a jerk, a second derivative of a speed, says nothing."""

_PADDING: Final = 4
_HIGHEST_HZ: Final = 10.0
_LEAST_AMPLITUDE: Final = 0.05


def sparc(speed: Array, rate_hz: float) -> float:
    """Spectral arc length of (n,) speeds at even times (Balasubramanian et al. 2015).

    Of the amplitude spectrum up to 10 Hz, scaled to its value at 0 Hz's largest, padded 16 times.
    NaN for fewer than two speeds or none but 0.
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
    """Log dimensionless jerk of (n,) speeds at even times, each taken to last one interval.

    NaN for fewer than three speeds, or where the movement has no jerk.
    """
    if len(speed) < 3:
        return math.nan
    step = 1.0 / rate_hz
    jerk = np.diff(speed, 2) / step**2
    scaled = (len(speed) * step) ** 3 / np.max(np.abs(speed)) ** 2 if np.any(speed) else math.nan
    total = scaled * float((jerk**2).sum()) * step
    return -math.log(total) if total > 0 else math.nan
