"""Range, speed and coverage of each joint over a clip."""

from dataclasses import replace
from typing import Final

import numpy as np

from biomech.applications.outcome import number, rounded
from biomech.events.clip_events import ClipEvents
from biomech.joints import joint_of
from biomech.kinematics.curves import TRUNK, extremes, speed_of, whole_turns
from biomech.kinematics.geometry import Array
from biomech.kinematics.joint_angles import Z95
from biomech.kinematics.view import FRONTAL, SAGITTAL
from biomech.reasons import INSUFFICIENT_HISTORY, LOW_COVERAGE, VIEW_MISMATCH, Flags
from biomech.records.person_record import JointRange, PartRange

_TRUNK_ERROR_DEG: Final = 4.0
"""Expected error of the trunk's lean, as ``expected_error_deg`` of a joint (ours)."""

_LEAST_SPAN_S: Final = 0.5
_LEAST_VALID: Final = 0.7


def joints_of(clip_events: ClipEvents) -> dict[str, JointRange]:
    """Return, by flexion and for the trunk's lean, its range, speed and coverage.

    ``min`` and ``max`` are :func:`biomech.kinematics.curves.extremes`. Null, with the reason, where
    under 70 % of the person's frames or half a second are known. ``included`` has the same of the
    angle without a sign, whatever the view; ``sagittal`` of the signed one, in views from the side.
    """
    curves = clip_events.curves
    found = {
        name: _joint(clip_events, signal, curves.sigma[name], name)
        for name, signal in curves.flexion.items()
    }
    lean = clip_events.metrics.sagittal[TRUNK]
    if curves.signed:
        found[TRUNK] = _joint(clip_events, curves.lean, lean.sigma, TRUNK)
    elif _span(clip_events, np.isfinite(lean.value)) >= _LEAST_SPAN_S:
        found[TRUNK] = _joint(clip_events, lean.value, lean.sigma, TRUNK)
    return found


def _joint(clip_events: ClipEvents, signal: Array, sigma: Array, name: str) -> JointRange:
    curves = clip_events.curves
    times, present = curves.times_s, clip_events.metrics.points.track.present
    known = np.isfinite(signal) & present
    reason = _unknown(clip_events, known, present)
    # Judged with the sign of the flexion where it has one.
    moving = curves.moves(name, curves.lean if name == TRUNK else curves.flexion[name])
    expected = _TRUNK_ERROR_DEG if name == TRUNK else joint_of(name).expected_error_deg
    nothing = JointRange(
        min=None,
        max=None,
        rom=None,
        rom_ci95=None,
        peak_velocity_deg_s=None,
        t_peak_s=None,
        velocity_sigma_deg_s=None,
        signed=name == TRUNK or curves.has_sign(name),
        valid_fraction=rounded(float(known.sum() / present.sum())),
        reason=reason,
        expected_error_deg=expected if clip_events.view == SAGITTAL else None,
        included=_included(clip_events, name, moving),
        sagittal=_sagittal(clip_events, name, moving),
    )
    if reason:
        return nothing
    low, high = extremes(curves, np.where(known, signal, np.nan), moving)
    speed = np.where(known, speed_of(curves, signal), 0.0)
    fastest = int(np.nanargmax(speed))
    half = Z95 * _error_of_range(signal, sigma, low, high)
    return replace(
        nothing,
        min=number(low),
        max=number(high),
        rom=number(high - low),
        rom_ci95=None
        if not np.isfinite(half)
        else (number(max(high - low - half, 0.0)), number(high - low + half)),
        peak_velocity_deg_s=number(float(speed[fastest])),
        t_peak_s=number(float(times[fastest])),
        velocity_sigma_deg_s=number(curves.jitter.get(name)),
    )


def _included(clip_events: ClipEvents, name: str, moving: Flags) -> PartRange | None:
    """Return the range of the angle without a sign in all views that show it; None of the trunk."""
    metrics = clip_events.metrics
    if name == TRUNK:
        return None
    shown = metrics.points.track.present
    if not joint_of(name).seen_from_front:
        shown = shown & (metrics.view.kind != FRONTAL)
    angle = {**metrics.joint_angles, **metrics.included}[name]
    return _range(clip_events, angle.value, shown, moving)


def _sagittal(clip_events: ClipEvents, name: str, moving: Flags) -> PartRange:
    """Return the range of the signed angle in the frames from the side whose facing is known."""
    metrics = clip_events.metrics
    curves = clip_events.curves
    value = metrics.sagittal[TRUNK if name == TRUNK else f"{name}_flexion"].value
    if name != TRUNK:
        value = whole_turns(name, value, curves.times_s, curves.max_gap_s)
    aside = (metrics.view.kind == SAGITTAL) & (metrics.view.facing != 0)
    return _range(clip_events, value, aside & metrics.points.track.present, moving)


def _range(clip_events: ClipEvents, value: Array, shown: Flags, moving: Flags) -> PartRange:
    """Return the range of an angle in the frames of a view, and their share of all frames.

    Null, with the reason, where no frame is of the view, or under 70 % of those are known.
    """
    present = clip_events.metrics.points.track.present
    known = np.isfinite(value) & shown
    reason = _unknown(clip_events, known, shown) if shown.any() else VIEW_MISMATCH
    low = high = float("nan")
    if reason is None:
        curves = clip_events.curves
        low, high = extremes(curves, np.where(known, value, np.nan), moving)
    return PartRange(
        min=number(low),
        max=number(high),
        rom=number(high - low),
        valid_fraction=rounded(float(known.sum() / present.sum())),
        reason=reason,
    )


def _unknown(clip_events: ClipEvents, known: Flags, shown: Flags) -> str | None:
    """Return why ``known`` frames (f,) of those ``shown`` have no range; None where they have."""
    if _span(clip_events, known) < _LEAST_SPAN_S:
        return INSUFFICIENT_HISTORY
    return LOW_COVERAGE if known.sum() < _LEAST_VALID * shown.sum() else None


def _span(clip_events: ClipEvents, known: Flags) -> float:
    times = clip_events.curves.times_s[known]
    return float(np.ptp(times)) if len(times) else 0.0


def _error_of_range(signal: Array, sigma: Array, low: float, high: float) -> float:
    """Standard deviation of the range: of the frames nearest its ends. Smoothing earns no credit,
    since errors of a network last."""
    known = np.isfinite(signal) & np.isfinite(sigma)
    if not known.any():
        return float("nan")
    ends = [int(np.argmin(np.where(known, np.abs(signal - end), np.inf))) for end in (low, high)]
    return float(np.hypot(*sigma[ends]))
