"""From where the camera sees the person, which way the person faces, and how tall they appear."""

from dataclasses import dataclass

import numpy as np

from biomech.config import BmConfig
from biomech.geometry import TRUNK, Array, combine, length
from biomech.skeleton import INDEX
from biomech.timeline import half_width, percentile, rolling_mean, rolling_median, velocity

SHOULDER_TO_TRUNK = 0.76
"""Shoulder width over trunk length, seen from the front (Sports2D's marker model)."""

SEGMENT_SHARES = 0.246 + 0.245 + 0.288
"""Shank, thigh and trunk as shares of stature (Winter)."""

FRONTAL, OBLIQUE, SAGITTAL = "frontal", "oblique", "sagittal"


@dataclass(frozen=True, slots=True)
class View:
    """The view of one person over a clip.

    Attributes:
        ratio: (f,) shoulder width over what it would be from the front, smoothed.
        yaw_deg: (f,) turn of the person from facing along the camera's axis, 0-90.
        kind: (f,) ``frontal``, ``oblique``, ``sagittal``; empty where unknown.
        facing: (f,) +1 toward image right, -1 left, 0 unknown or not sagittal.
    """

    ratio: Array
    yaw_deg: Array
    kind: np.ndarray[tuple[int], np.dtype[np.str_]]
    facing: Array


def view_of(times_s: Array, xy: Array, config: BmConfig) -> View:
    """The view, from points (f, 17, 2) of one person."""
    trunk = percentile(length(TRUNK, xy), 95)
    width = np.abs(xy[:, INDEX["left_shoulder"], 0] - xy[:, INDEX["right_shoulder"], 0])
    half = half_width(times_s, config.view_window_s)
    ratio = rolling_median(width / (SHOULDER_TO_TRUNK * trunk), half)
    kind = _classify(ratio, config)
    facing = _facing(times_s, xy, stature_px(xy), config)
    return View(
        ratio=ratio,
        yaw_deg=np.degrees(np.arccos(np.minimum(ratio, 1.0))),
        kind=kind,
        facing=np.where(kind == SAGITTAL, facing, 0.0),
    )


def stature_px(xy: Array) -> float:
    """Apparent stature of points (f, 17, 2), pixels; NaN unless a leg and the trunk are seen."""
    parts = [percentile(length(TRUNK, xy), 95)]
    for start, end in (("hip", "knee"), ("knee", "ankle")):
        sides = [
            length({f"{side}_{end}": 1.0, f"{side}_{start}": -1.0}, xy)
            for side in ("left", "right")
        ]
        parts.append(percentile(_mean_of_seen(np.stack(sides)), 95))
    return float(np.sum(parts)) / SEGMENT_SHARES


def _mean_of_seen(sides: Array) -> Array:
    seen = np.isfinite(sides)
    count = seen.sum(0)
    mean: Array = np.where(
        count > 0, np.where(seen, sides, 0.0).sum(0) / np.maximum(count, 1), np.nan
    )
    return mean


def _classify(ratio: Array, config: BmConfig) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Class by frame; a class is left only beyond its bound by the hysteresis."""
    kinds = np.full(len(ratio), "", dtype="<U8")
    current = ""
    for i, r in enumerate(ratio):
        if not np.isfinite(r):
            continue
        slack = config.view_hysteresis
        frontal = config.frontal_ratio - (slack if current == FRONTAL else 0.0)
        sagittal = config.sagittal_ratio + (slack if current == SAGITTAL else 0.0)
        current = FRONTAL if r >= frontal else SAGITTAL if r <= sagittal else OBLIQUE
        kinds[i] = current
    return kinds


def _facing(times_s: Array, xy: Array, stature: float, config: BmConfig) -> Array:
    """Majority over a window of where nose, knees and travel point: +1 right, -1 left, 0 tie."""
    ears = _mean_of_seen(xy[:, [INDEX["left_ear"], INDEX["right_ear"]], 0].T)
    votes = [np.sign(xy[:, INDEX["nose"], 0] - ears)]
    votes += [_knee_bulge(xy, side) for side in ("left", "right")]
    hips = combine({"left_hip": 0.5, "right_hip": 0.5}, xy)[:, 0]
    speed = velocity(times_s, hips[:, None])[:, 0] / stature
    votes.append(np.where(np.abs(speed) > config.facing_speed, np.sign(speed), 0.0))
    total = np.nansum(np.stack(votes), axis=0)
    mean = rolling_mean(total, half_width(times_s, config.facing_window_s))
    return np.sign(np.nan_to_num(mean))


def _knee_bulge(xy: Array, side: str) -> Array:
    """Where the knee lies beside the line from hip to ankle, if it is bent at all."""
    hip, knee, ankle = (xy[:, INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    line, offset = ankle - hip, knee - hip
    cross = line[:, 1] * offset[:, 0] - line[:, 0] * offset[:, 1]
    square = (line**2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = cross / square
        return np.where(np.abs(share) > 0.03, np.sign(share), 0.0)
