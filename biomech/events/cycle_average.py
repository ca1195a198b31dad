"""Average repetitions or strides at 101 points from beginning to end."""

from typing import Final

import numpy as np

from biomech.events.clip_events import ClipEvents
from biomech.events.repetitions import DIRECTIONS
from biomech.kinematics.curves import TRUNK
from biomech.kinematics.geometry import Array
from biomech.records.event_records import MeanCurve, MeanMovement
from biomech.skeleton import SIDES, split_side

POINTS: Final = 101
_DECIMALS: Final = 3

Windows = list[tuple[float, float]]


def phases(clip_events: ClipEvents) -> MeanMovement | None:
    """Return mean and standard deviation by joint; None without repetitions.

    Strides start at the contact of the joint's own side, for the trunk at the right contact. A
    repetition in which a joint is not known throughout is left out for that joint.
    """
    curves, gait, reps = clip_events.curves, clip_events.gait, clip_events.repetitions
    if gait:
        driver, direction = None, None
        windows = {s: [(a.t_s, b.t_s) for a, b in gait.strides(s)] for s in SIDES}
    else:
        windows = {s: [(rep.start_s, rep.stop_s) for rep in reps.items] for s in SIDES}
        driver = reps.driver
        direction = DIRECTIONS[reps.direction] if driver else None
    signals = {
        name: (signal, windows[side])
        for name, signal in curves.flexion.items()
        if (side := split_side(name)[0])
    }
    if curves.signed:
        signals[TRUNK] = (curves.lean, windows["right"])
    joints = {}
    for name, (signal, own) in signals.items():
        rows = sampled(curves.times_s, signal, own)
        if len(rows):
            joints[name] = MeanCurve(
                n=len(rows),
                mean=_listed(rows.mean(0)),
                sd=_listed(rows.std(0, ddof=1)) if len(rows) > 1 else None,
            )
    if not joints:
        return None
    return MeanMovement(
        of="stride" if gait else "repetition",
        driver=driver,
        direction=direction,
        signed=curves.signed,
        joints=joints,
    )


def sampled(times_s: Array, signal: Array, windows: Windows) -> Array:
    """Resample the signal (f,) to (n, 101) in the windows in which it is known throughout."""
    rows = []
    for start, stop in windows:
        inside = slice(
            max(int(np.searchsorted(times_s, start, "right")) - 1, 0),
            int(np.searchsorted(times_s, stop, "left")) + 1,
        )
        if np.isfinite(signal[inside]).all():
            rows.append(
                np.interp(np.linspace(start, stop, POINTS), times_s[inside], signal[inside])
            )
    return np.array(rows).reshape(-1, POINTS)


def _listed(values: Array) -> list[float]:
    return [float(v) for v in np.round(values, _DECIMALS) + 0.0]
