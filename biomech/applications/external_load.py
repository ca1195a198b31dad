"""Measure external load: counts and durations, never forces."""

import numpy as np

from biomech.applications.outcome import OK, number, rounded
from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import ClipEvents
from biomech.kinematics.curves import Curves
from biomech.kinematics.geometry import Array
from biomech.records.application_records import JointLoad, LoadOutcome
from biomech.time_windows import velocity


def load(clip_events: ClipEvents, config: BiomechanicsConfig) -> LoadOutcome:
    """Return counts, seconds in motion, and the travel and speed zones of each joint.

    A joint counts as moving if it turns within a second by more than noise alone explains.
    ``travel_deg`` is the total rotation while the joint moves. ``zones_s`` is the time between the
    speeds ``zones_deg_s``; time in which a joint does not move is in the slowest zone. The person
    is in motion while any moving joint is faster than ``config.active_speed_deg_s``. Frames of
    unknown speed are not counted.
    """
    curves, gait = clip_events.curves, clip_events.gait
    lasts = _lasts(curves.times_s, curves.max_gap_s)
    speeds = {name: _speed(curves, name) for name in curves.flexion}
    active = np.zeros(len(lasts), np.bool_)
    for speed in speeds.values():
        active |= np.nan_to_num(speed) > config.active_speed_deg_s
    return LoadOutcome(
        status=OK,
        repetitions=len(clip_events.repetitions.items),
        steps=len(gait.steps()) if gait else 0,
        jumps=len(clip_events.jumps),
        landings=len(clip_events.landings),
        active_s=number(float(lasts[active].sum())),
        zones_deg_s=list(config.speed_zones_deg_s),
        joints={name: _joint(speed, lasts, config) for name, speed in speeds.items()},
    )


def _speed(curves: Curves, name: str) -> Array:
    """Return the speed (f,) of a flexion in degrees a second; 0 within noise, NaN if unknown."""
    signal = curves.flexion[name]
    speed = np.abs(velocity(curves.times_s, signal))
    still = np.isfinite(signal) & ~curves.moves(name, signal)
    return np.where(still, 0.0, speed)


def _lasts(times_s: Array, max_gap_s: float) -> Array:
    """Return the duration (f,) of each frame in seconds: half its intervals, except gaps."""
    steps = np.diff(times_s)
    steps = np.where(steps > max_gap_s, 0.0, steps)
    lasts = np.zeros(len(times_s))
    lasts[:-1] += steps / 2
    lasts[1:] += steps / 2
    return lasts


def _joint(speed: Array, lasts: Array, config: BiomechanicsConfig) -> JointLoad:
    if not np.isfinite(speed).any():
        return JointLoad(travel_deg=None, zones_s=None)
    zone = np.digitize(speed, config.speed_zones_deg_s)
    there = np.isfinite(speed)
    return JointLoad(
        travel_deg=number(float((speed * lasts)[there].sum())),
        zones_s=[
            rounded(float(lasts[there & (zone == z)].sum()))
            for z in range(len(config.speed_zones_deg_s) + 1)
        ],
    )
