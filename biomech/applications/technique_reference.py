"""Build a reference for technique from joint angles over time, from any source."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from biomech.config import BiomechanicsConfig
from biomech.events.cycle_average import sampled
from biomech.events.repetitions import DIRECTIONS, repetitions
from biomech.kinematics.curves import TRUNK, Curves, whole_turns
from biomech.kinematics.geometry import ANGLES, Array, unsigned
from biomech.preprocessing.repair import fill_gaps

SIZES: Final = tuple(ANGLES)
SIGNED: Final = (*(f"{name}_flexion" for name in ANGLES), TRUNK)
MAX_GAP_S: Final = BiomechanicsConfig().max_gap_s
"""Longest gap in seconds within a stretch."""


def reference_of(times_s: Array, angles_deg: Mapping[str, Array]) -> dict[str, Any]:
    """Build the reference for :func:`biomech.applications.technique.technique`.

    Repetitions are found as in a clip. ``phases`` has their mean, cut by the joint that moves most.
    ``cuts`` has the mean cut by each joint that repeats, because another joint may move most in
    another clip. View, movement, filter and definitions are not included.

    Args:
        times_s: (f,) ascending seconds.
        angles_deg: (f,) by name, NaN unknown: those of :data:`SIZES` as in a frame of the response
            (0 to 180, elbow, knee and hip 180 straight), or those of :data:`SIGNED` as in its
            ``detail.signed`` (0 straight or hanging, + flexion or forward). If there are signed
            angles, only they are used. Angles are not smoothed; gaps of up to 0.2 s are filled.

    Raises:
        ValueError: no repetition is found.
    """
    curves = _curves(times_s, {n: v for n, v in angles_deg.items() if np.isfinite(v).any()})
    most_first = sorted(
        curves.flexion, key=lambda n: np.nanmin(curves.flexion[n]) - np.nanmax(curves.flexion[n])
    )
    cuts = {name: cut for name in most_first if (cut := _cut(curves, name)) is not None}
    if not cuts:
        raise ValueError("no joint in it bends and straightens again by 10 degrees or more")
    return {"phases": next(iter(cuts.values())), "cuts": cuts}


def _curves(times_s: Array, angles_deg: Mapping[str, Array]) -> Curves:
    """Return the angles as the signals of a clip without other data."""
    signed = {n: v for n, v in angles_deg.items() if n in SIGNED}
    flexion = (
        {
            (name := n.removesuffix("_flexion")): whole_turns(name, v, times_s, MAX_GAP_S)
            for n, v in signed.items()
            if n != TRUNK
        }
        if signed
        else {n: unsigned(n, v) for n, v in angles_deg.items() if n in SIZES}
    )
    nothing = np.full(len(times_s), np.nan)
    return Curves(
        times_s=times_s,
        max_gap_s=MAX_GAP_S,
        flexion={name: _filled(times_s, signal) for name, signal in flexion.items()},
        signed=bool(signed),
        lean=_filled(times_s, signed.get(TRUNK, nothing)),
        sigma=dict.fromkeys(flexion, nothing),
        jitter={},
        hip_height=nothing,
        hip_height_raw=nothing,
        ankle_height={},
        ankle_ahead={},
        stature_px=float("nan"),
        rate_hz=float("nan"),
    )


def _cut(curves: Curves, driver: str) -> dict[str, Any] | None:
    """Return the mean repetition cut by the joint ``driver``; None without repetitions of it."""
    alone = replace(curves, flexion={driver: curves.flexion[driver]})
    reps = repetitions(alone, np.ones(len(curves.times_s), np.bool_))
    windows = [(rep.start_s, rep.stop_s) for rep in reps.items]
    joints = {}
    for name, signal in (*curves.flexion.items(), (TRUNK, curves.lean)):
        rows = sampled(curves.times_s, signal, windows)
        if len(rows):
            joints[name] = {
                "mean": rows.mean(0).tolist(),
                "sd": rows.std(0, ddof=1).tolist() if len(rows) > 1 else None,
            }
    if not joints:
        return None
    # Unsigned angles may belong to signed ones: None marks the signs as unknown.
    signed = True if curves.signed else None
    return {
        "of": "repetition",
        "driver": driver,
        "direction": DIRECTIONS[reps.direction],
        "signed": signed,
        "joints": joints,
    }


def _filled(times_s: Array, signal: Array) -> Array:
    filled, _ = fill_gaps(
        times_s, signal[:, None, None], MAX_GAP_S, BiomechanicsConfig().gap_neighbours
    )
    return filled[:, 0, 0]
