"""Resample signals to a constant rate, which OpenSim and C3D need."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy

from biomech.files import FileError
from biomech.kinematics.geometry import Array, wrap
from biomech.time_windows import rate_of, runs_of

_ON_GRID: Final = 0.05
"""Of a frame's interval: time stamps that are off by less are rounded ones."""

_TICK_S: Final = 1e-3
"""Tick of WebM and MKV, seconds: each time stamp is rounded by up to half of it."""

_WRITTEN_S: Final = 1e-6
"""Tick of the times in a result, seconds."""

_DECIMALS: Final = 6
"""Decimals of a written rate."""

_NTSC: Final = 1000 / 1001
"""Ratio of NTSC's rates to whole ones: 29.97 Hz to 30 Hz."""

_MOST_RESAMPLED: Final = 8
"""Times as many rows as there are frames: beyond it the frames are bunched."""

_LEAST_HZ: Final = 0.01
"""Slower pictures are not of a movement."""

_LEAST_FOR_SPLINE: Final = 4


@dataclass(frozen=True, slots=True)
class UniformTimebase:
    """A constant rate over the frames of a clip.

    Attributes:
        frames_s: (f,) when the frames are. times_s: (g,) the even times.
        rate_hz: of them. exact: whether each frame is at one of them, so that g is f.
    """

    frames_s: Array
    times_s: Array
    rate_hz: float
    exact: bool

    @staticmethod
    def of(frames_s: Array) -> "UniformTimebase":
        """Make even times from the first of the ascending ``frames_s`` (f,) to the last.

        Raises:
            FileError: a single frame, or frames too bunched for any rate.
        """
        if len(frames_s) < 2:
            raise FileError(
                "a single picture has no frame rate", hint="Export it as csv, parquet or coco."
            )
        span = float(frames_s[-1] - frames_s[0])
        steps = round(span * rate_of(frames_s))
        if not 1 <= steps < _MOST_RESAMPLED * len(frames_s):
            raise FileError(
                "the frames are too unevenly spread for a constant rate",
                hint="Export them as csv, parquet or coco.",
            )
        rate_hz = _plain(steps / span, _tick_of(frames_s) / span)
        if rate_hz < _LEAST_HZ:
            raise FileError(
                f"the frames are further apart than {1 / _LEAST_HZ:g} s",
                hint="Export them as csv, parquet or coco.",
            )
        times = frames_s[0] + np.arange(steps + 1) / rate_hz
        exact = steps + 1 == len(frames_s) and bool(
            np.abs(times - frames_s).max() <= max(_ON_GRID / rate_hz, _TICK_S + 1e-6)
        )
        return UniformTimebase(frames_s, times, rate_hz, exact)

    def resampled(self, values: Array, max_gap_s: float) -> Array:
        """Resample (f, k) values, NaN missing, to (g, k) by cubic splines within runs.

        Args:
            values: at the frames. max_gap_s: frames further apart are not of one run.
        """
        if self.exact:
            return values
        out = np.full((len(self.times_s), values.shape[1]), np.nan)
        for column in range(values.shape[1]):
            there = np.isfinite(values[:, column])
            for start, stop in runs_of(there, self.frames_s, max_gap_s).tolist():
                frames = self.frames_s[start:stop]
                # A grid point that is a frame but for rounding is inside.
                reach = _ON_GRID / self.rate_hz
                first, last = np.searchsorted(
                    self.times_s, [frames[0] - reach, frames[-1] + reach]
                ).tolist()
                at = np.clip(self.times_s[first:last], frames[0], frames[-1])
                part = values[start:stop, column]
                out[first:last, column] = (
                    scipy.interpolate.CubicSpline(frames, part)(at)
                    if len(part) >= _LEAST_FOR_SPLINE
                    else np.interp(at, frames, part)
                )
        return out

    def resampled_angles(self, degrees: Mapping[str, Array], max_gap_s: float) -> dict[str, Array]:
        """Resample angles (f,) in (-180, 180] to (g,) by name; they may turn past an end."""
        if self.exact or not degrees:
            return dict(degrees)
        columns = np.stack(list(degrees.values()), axis=1)
        for column in columns.T:
            for start, stop in runs_of(np.isfinite(column), self.frames_s, max_gap_s).tolist():
                column[start:stop] = np.unwrap(column[start:stop], period=360.0)
        turned = wrap(self.resampled(columns, max_gap_s))
        return dict(zip(degrees, turned.T, strict=True))


def _tick_of(times_s: Array) -> float:
    """Return the tick that ``times_s`` are rounded to, seconds."""
    in_ticks = times_s / _TICK_S
    return _TICK_S if np.abs(in_ticks - np.rint(in_ticks)).max() < 2e-3 else _WRITTEN_S


def _plain(rate_hz: float, error: float) -> float:
    """Return the plainest rate that ``rate_hz`` is but for its relative ``error``.

    That is a whole one or television's, whichever is nearer, else one of few decimals.
    """
    error = rate_hz * error + 0.5 * 10.0**-_DECIMALS
    known = [float(round(rate_hz)), round(_NTSC * round(rate_hz / _NTSC), _DECIMALS)]
    known.sort(key=lambda known_hz: abs(known_hz - rate_hz))
    known += [round(rate_hz, decimals) for decimals in range(1, _DECIMALS + 1)]
    return next(known_hz for known_hz in known if abs(known_hz - rate_hz) <= error)
