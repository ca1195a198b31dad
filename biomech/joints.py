"""Range, speed and coverage of each joint over a clip, JSON-ready."""

from typing import Any, Final

import numpy as np

from biomech.applications.outcome import number
from biomech.curves import speed_of
from biomech.geometry import Array
from biomech.measures import TRUNK
from biomech.performance import Performance
from biomech.reasons import INSUFFICIENT_HISTORY, LOW_COVERAGE
from biomech.statistics import Z95
from biomech.timeline import percentile
from biomech.view import SAGITTAL

EXPECTED_ERROR_DEG: Final = {"knee": 6.0, "hip": 6.0, "elbow": 8.0, "shoulder": 8.0, TRUNK: 4.0}
"""Of one camera from the side against motion capture, published, and ours for arms and trunk; it
comes on top of the intervals, which are about repeating the measurement."""

_LEAST_SPAN_S: Final = 0.5
_LEAST_VALID: Final = 0.7
_ENDS: Final = (1.0, 99.0)


def joints_block(performance: Performance) -> dict[str, Any]:
    """By flexion and for the trunk's lean: ``min`` and ``max`` are the 1st and 99th percentile.

    Null, with the reason, where under 70 % of the person's frames or half a second are known.
    """
    curves = performance.curves
    found = {
        name: _joint(performance, signal, curves.sigma[name], name)
        for name, signal in curves.flexion.items()
    }
    if curves.signed:
        lean = performance.metrics.sagittal[TRUNK]
        found[TRUNK] = _joint(performance, curves.lean, lean.sigma, TRUNK)
    return found


def _joint(performance: Performance, signal: Array, sigma: Array, name: str) -> dict[str, Any]:
    times, present = performance.curves.times_s, performance.metrics.points.track.present
    known = np.isfinite(signal) & present
    share = float(known.sum() / present.sum())
    span = float(np.ptp(times[known])) if known.any() else 0.0
    reason = (
        INSUFFICIENT_HISTORY
        if span < _LEAST_SPAN_S
        else LOW_COVERAGE
        if share < _LEAST_VALID
        else None
    )
    expected = EXPECTED_ERROR_DEG[TRUNK if name == TRUNK else name.partition("_")[2]]
    head = {
        "signed": name == TRUNK or performance.curves.has_sign(name),
        "valid_fraction": number(share),
        "reason": reason,
        "expected_error_deg": expected if performance.view == SAGITTAL else None,
    }
    if reason:
        nothing = (
            "min",
            "max",
            "rom",
            "rom_ci95",
            "peak_velocity_deg_s",
            "t_peak_s",
            "velocity_sigma_deg_s",
        )
        return dict.fromkeys(nothing) | head
    low, high = (percentile(signal[known], q) for q in _ENDS)
    speed = np.where(known, speed_of(performance.curves, signal), 0.0)
    fastest = int(np.nanargmax(speed))
    half = Z95 * _error_of_range(signal, sigma, low, high)
    return {
        "min": number(low),
        "max": number(high),
        "rom": number(high - low),
        "rom_ci95": None
        if not np.isfinite(half)
        else [number(max(high - low - half, 0.0)), number(high - low + half)],
        "peak_velocity_deg_s": number(float(speed[fastest])),
        "t_peak_s": number(float(times[fastest])),
        "velocity_sigma_deg_s": number(performance.curves.jitter.get(name)),
    } | head


def _error_of_range(signal: Array, sigma: Array, low: float, high: float) -> float:
    """Standard deviation of the range: of the frames nearest its ends. Smoothing earns no credit,
    since errors of a network last."""
    known = np.isfinite(signal) & np.isfinite(sigma)
    if not known.any():
        return float("nan")
    ends = [int(np.argmin(np.where(known, np.abs(signal - end), np.inf))) for end in (low, high)]
    return float(np.hypot(*sigma[ends]))
