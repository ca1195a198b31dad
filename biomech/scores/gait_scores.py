"""Score gait by the similarity of strides: stability within a side, symmetry between sides.

The definitions for standing do not apply to walking: the center of mass leaves the base at every
step, and the legs are in antiphase. Each stride starts at its own side's contact.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech import reasons
from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import ClipEvents
from biomech.events.cycle_average import sampled
from biomech.events.gait import Gait
from biomech.kinematics.geometry import Array
from biomech.reasons import Flags
from biomech.scores.frame_scores import GAIT, Score, weighted
from biomech.skeleton import SIDES, Side
from biomech.time_windows import Windows, velocity

_JOINTS: Final = ("knee", "hip")
_LEAST_STRIDES: Final = 2
_LEAST_STRIDE_TIMES: Final = 3
_TIE_S: Final = 1e-9
_SWING_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class GaitScores:
    """Scores of the gait of a clip, by frame.

    Attributes:
        walking: (f,) frames that they apply to: within strides, and near one while the person
            travels.
        stability: of the nearest stride. symmetry: of all strides of both sides.
    """

    walking: Flags
    stability: Score
    symmetry: Score


def gait_scores(clip_events: ClipEvents, gait: Gait, config: BiomechanicsConfig) -> GaitScores:
    """Return the scores of a gait."""
    times = clip_events.curves.times_s
    strides = {side: [(a.t_s, b.t_s) for a, b in gait.strides(side)] for side in SIDES}
    regular, near = _regularity(clip_events, strides, config)
    frames = len(times)
    stable = weighted(
        {"regularity": regular, "rhythm": np.full(frames, _rhythm(strides, config))},
        config.gait_stability_weights,
        config,
        100.0,
    )
    few: Flags = np.asarray(~np.isfinite(np.stack(list(stable.components.values()))).all(0))
    alike = {**_curves_alike(clip_events, strides, config), "step_time": _steps_alike(gait, config)}
    symmetric = weighted(
        {name: np.full(frames, value) for name, value in alike.items()},
        (0.25, 0.25, 0.5),
        config,
        1.0,
    )
    inside = np.zeros(frames, np.bool_)
    for start, stop in gait.bouts:
        inside[start : stop + 1] = True
    travels = near & _moves(clip_events, config)
    few_reason = reasons.where(few, reasons.INSUFFICIENT_HISTORY)
    return GaitScores(
        walking=(inside | travels) & clip_events.metrics.points.track.present,
        stability=stable.only_where(few_reason).defined(GAIT),
        symmetry=symmetric.defined(GAIT),
    )


def _moves(clip_events: ClipEvents, config: BiomechanicsConfig) -> Flags:
    """Return the frames (f,) in which the person travels, or the legs swing past each other."""
    ahead = clip_events.curves.ankle_ahead
    swing = np.abs(velocity(clip_events.curves.times_s, ahead["left"] - ahead["right"]))
    swings = Windows.of(clip_events.curves.times_s, _SWING_S).mean(swing) > config.contact_speed
    return np.asarray(swings | (clip_events.metrics.balance.travel > config.locomotion_speed))


def _regularity(
    clip_events: ClipEvents,
    strides: dict[Side, list[tuple[float, float]]],
    config: BiomechanicsConfig,
) -> tuple[Array, Flags]:
    """Return the regularity (f,) of the strides next to each frame, and whether one is near.

    A stride's curves are compared with the mean of the other strides of its side. The scatter of
    that mean of n - 1 strides is subtracted.
    """
    curves = clip_events.curves
    times = curves.times_s
    values, distances, lengths = [], [], []
    for side in SIDES:
        for joint in _JOINTS:
            signal = curves.flexion.get(f"{side}_{joint}")
            if signal is None:
                continue
            known = [w for w in strides[side] if len(sampled(times, signal, [w]))]
            rows = sampled(times, signal, known)
            if len(rows) < _LEAST_STRIDES:
                continue
            others = (rows.sum(0) - rows) / (len(rows) - 1)
            scatter = np.sqrt(((rows - others) ** 2).mean(1) * (1.0 - 1.0 / len(rows)))
            regular = 1.0 - np.minimum(scatter / config.regularity_span_deg, 1.0)
            nearest, distance = _nearest(times, np.array(known))
            values.append(regular[nearest])
            distances.append(distance)
            lengths += [stop - start for start, stop in known]
    if not values:
        return np.full(len(times), np.nan), np.zeros(len(times), np.bool_)
    away = np.stack(distances)
    least = away.min(0)
    counts = (away <= least + _TIE_S).astype(np.float64)
    mean = (counts * np.stack(values)).sum(0) / counts.sum(0)
    return mean, np.asarray(least <= float(np.median(lengths)))


def _nearest(times_s: Array, strides: Array) -> tuple[NDArray[np.intp], Array]:
    """Return for each time the index of the nearest stride (n, 2) and its distance in seconds."""
    before = np.maximum(np.searchsorted(strides[:, 0], times_s, "right") - 1, 0)
    after = np.minimum(before + 1, len(strides) - 1)
    since = np.maximum(np.maximum(times_s - strides[before, 1], strides[before, 0] - times_s), 0.0)
    until = np.maximum(strides[after, 0] - times_s, 0.0)
    later = (until < since) & (after > before)
    return np.where(later, after, before), np.where(later, until, since)


def _rhythm(strides: dict[Side, list[tuple[float, float]]], config: BiomechanicsConfig) -> float:
    """Return the rhythm component: 1 if all strides of a side have the same duration."""
    squares, count, lost = 0.0, 0, 0
    for windows in strides.values():
        lengths = np.array([stop - start for start, stop in windows])
        if len(lengths) >= _LEAST_STRIDES:
            squares += float(((lengths / lengths.mean() - 1.0) ** 2).sum())
            count, lost = count + len(lengths), lost + 1
    if count < _LEAST_STRIDE_TIMES:
        return float("nan")
    variation = np.sqrt(squares / (count - lost))
    return float(1.0 / (1.0 + (variation / config.rhythm_scale) ** 2))


def _curves_alike(
    clip_events: ClipEvents,
    strides: dict[Side, list[tuple[float, float]]],
    config: BiomechanicsConfig,
) -> dict[str, float]:
    """Return by joint the similarity of both sides' mean strides, each from its own contact."""
    curves, alike = clip_events.curves, {}
    for joint in _JOINTS:
        means = []
        for side in SIDES:
            signal = curves.flexion.get(f"{side}_{joint}")
            if signal is None:
                continue
            rows = sampled(curves.times_s, signal, strides[side])
            if len(rows):
                means.append(rows.mean(0))
        alike[joint] = float("nan")
        if len(means) == len(SIDES):
            apart = float(np.sqrt(((means[0] - means[1]) ** 2).mean()))
            alike[joint] = 1.0 - min(apart / config.gait_symmetry_span_deg, 1.0)
    return alike


def _steps_alike(gait: Gait, config: BiomechanicsConfig) -> float:
    """Return the similarity of the sides' mean step times."""
    times = [[b.t_s - a.t_s for a, b in gait.steps() if b.side == side] for side in SIDES]
    if not all(times):
        return float("nan")
    left, right = (float(np.mean(own)) for own in times)
    apart = abs(left - right) / ((left + right) / 2)
    return 1.0 - min(apart / config.step_time_span, 1.0)
