"""From where the camera sees the person, which way the person faces, and how tall they appear.

The camera is taken as level: nothing in the pictures says otherwise yet, and every result says so
(flag ``roll_assumed_level``).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biomech.config import BmConfig
from biomech.geometry import SIDES, TRUNK, Array, Vector, between, combine, length, trunk_line
from biomech.mass import velocity_of_mass
from biomech.reasons import Flags
from biomech.skeleton import INDEX
from biomech.timeline import Windows, percentile
from biomech.timeline import ratio as quotient

SHOULDER_TO_TRUNK = 0.76
"""Shoulder width over trunk length, seen from the front (Sports2D's marker model)."""

SEGMENT_SHARES = 0.246 + 0.245 + 0.288
"""Shank, thigh and trunk as shares of stature (Winter)."""

FRONTAL, OBLIQUE, SAGITTAL = "frontal", "oblique", "sagittal"


@dataclass(frozen=True, slots=True)
class View:
    """The view of one person over a clip.

    Attributes:
        ratio: (f,) shoulder width over what it would be from the front, median over a window; NaN
            where the shoulders are not seen.
        yaw_deg: (f,) turn from facing along the camera's axis, 0-90; good to about 15.
        kind: (f,) ``frontal``, ``oblique``, ``sagittal``; empty where unknown.
        facing: (f,) in a sagittal view +1 toward image right, -1 left; 0 unknown or another view.
        to_camera: (f,) in a frontal view +1 facing the camera, -1 away; 0 in another view.
    """

    ratio: Array
    yaw_deg: Array
    kind: NDArray[np.str_]
    facing: Array
    to_camera: Array

    def of_clip(self) -> str | None:
        """The commonest class; None where it was never known."""
        known = self.kind[self.kind != ""]
        kinds, counts = np.unique(known, return_counts=True)
        return str(kinds[counts.argmax()]) if len(kinds) else None


def view_of(times_s: Array, xy: Array, config: BmConfig) -> View:
    """The view, from the seen points (f, 17, 2) of one person."""
    across = combine(between("right_shoulder", "left_shoulder"), xy)[..., 0]
    windows = Windows.of(times_s, config.view_window_s)
    size = apparent_size(xy)
    trunk_px = _trunk_px(xy) * np.where(np.isfinite(size), size, 1.0)
    ratio = windows.median(quotient(np.abs(across), SHOULDER_TO_TRUNK * trunk_px))
    kind = classify(ratio, config)
    facing = _facing(times_s, xy, config)
    return View(
        ratio=ratio,
        yaw_deg=np.degrees(np.arccos(np.minimum(ratio, 1.0))),
        kind=kind,
        facing=np.where(kind == SAGITTAL, facing, 0.0),
        to_camera=np.where(kind == FRONTAL, np.sign(np.nan_to_num(windows.median(across))), 0.0),
    )


def near_side(view: View, xy: Array, present: Flags, config: BmConfig) -> str | None:
    """The side whose shoulder and hip stand for the trunk of the whole track, None for both sides.

    So in a sagittal track whose far side is mostly hidden; of sides that are seen alike, neither is
    the near one. Never for single frames: a definition that changed from frame to frame would move
    the angle.
    """
    if view.of_clip() != SAGITTAL:
        return None
    seen = {
        side: (np.isfinite(length(trunk_line(side), xy)) & present).sum() / present.sum()
        for side in SIDES
    }
    near, far = sorted(SIDES, key=lambda side: -seen[side])
    hidden = 1.0 - seen[far] > config.near_side_share
    return near if hidden and seen[near] > seen[far] else None


def stature_px(xy: Array, trunk: Vector = TRUNK) -> float:
    """Apparent stature of points (f, 17, 2), pixels; NaN unless a leg and the trunk are seen.

    Shank, thigh and trunk, each the 95th percentile over the clip of the mean of the sides seen: a
    segment turned out of the picture only appears shorter.
    """
    parts = [percentile(length(trunk, xy), 95)]
    for start, end in (("hip", "knee"), ("knee", "ankle")):
        sides = [length(between(f"{side}_{start}", f"{side}_{end}"), xy) for side in SIDES]
        parts.append(percentile(_mean_of_seen(*sides), 95))
    return float(np.sum(parts)) / SEGMENT_SHARES


def apparent_size(xy: Array) -> Array:
    """(f,) size of points (f, 17, 2) as a share of that in the clip, NaN where not seen.

    The largest of trunk, thighs and shanks, each over its own 95th percentile: bending over or
    lifting a leg shortens some of them, walking away from the camera all.
    """
    joints = ((f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in SIDES)
    legs = [between(*pair) for hip, knee, ankle in joints for pair in ((hip, knee), (knee, ankle))]
    spans = [length(vector, xy) for vector in (TRUNK, *legs)]
    shares = [quotient(span, np.full(len(span), percentile(span, 95))) for span in spans]
    size: Array = np.fmax.reduce(shares)
    return size


def scale_drifts(xy: Array, config: BmConfig) -> bool:
    """Whether the person's size varies so that a pixel has no one length."""
    size = apparent_size(xy)
    size = size[np.isfinite(size)]
    return bool(len(size) and size.std() > config.scale_drift * size.mean())


def classify(ratio: Array, config: BmConfig) -> NDArray[np.str_]:
    """Class by frame (f,); a class is left only beyond its bound by the hysteresis."""
    kinds = np.full(len(ratio), "", dtype="<U8")
    current = ""
    for i, r in enumerate(ratio.tolist()):
        if math.isnan(r):
            continue
        frontal = config.frontal_ratio - config.view_hysteresis * (current == FRONTAL)
        sagittal = config.sagittal_ratio + config.view_hysteresis * (current == SAGITTAL)
        current = FRONTAL if r >= frontal else SAGITTAL if r <= sagittal else OBLIQUE
        kinds[i] = current
    return kinds


def _trunk_px(xy: Array) -> float:
    """Length of the trunk over the clip; of its better seen side where both never are at once."""
    between_midpoints = percentile(length(TRUNK, xy), 95)
    if np.isfinite(between_midpoints):
        return between_midpoints
    sides = [percentile(length(trunk_line(side), xy), 95) for side in SIDES]
    return max((s for s in sides if np.isfinite(s)), default=float("nan"))


def _mean_of_seen(left: Array, right: Array) -> Array:
    filled = np.where(np.isfinite(left), left, right)
    mean: Array = (filled + np.where(np.isfinite(right), right, left)) / 2
    return mean


def _facing(times_s: Array, xy: Array, config: BmConfig) -> Array:
    """Majority over a window of three votes a frame: +1 toward image right, -1 left, 0 a tie.

    The nose lies before the ears, bent knees before the line of hip and ankle, and people mostly
    travel forward.
    """
    ears = _mean_of_seen(xy[:, INDEX["left_ear"], 0], xy[:, INDEX["right_ear"], 0])
    windows = Windows.of(times_s, config.facing_window_s)
    velocity, mass = velocity_of_mass(times_s, xy)
    travel = windows.mean(np.where(mass >= config.min_mass, velocity[:, 0], np.nan))
    speed = np.nan_to_num(travel / stature_px(xy))
    votes = (
        np.nan_to_num(np.sign(xy[:, INDEX["nose"], 0] - ears)),
        np.sign(sum(_knee_bulge(xy, side, config) for side in SIDES)),
        np.where(np.abs(speed) > config.facing_speed, np.sign(speed), 0.0),
    )
    majority: Array = np.sign(windows.sum(np.sum(votes, axis=0)))
    return majority


def _knee_bulge(xy: Array, side: str, config: BmConfig) -> Array:
    """Side of the line from hip to ankle on which the knee lies, 0 where it is about straight."""
    line = combine(between(f"{side}_hip", f"{side}_ankle"), xy)
    knee = combine(between(f"{side}_hip", f"{side}_knee"), xy)
    cross = line[:, 1] * knee[:, 0] - line[:, 0] * knee[:, 1]
    bent = np.abs(cross) > config.facing_bulge * (line**2).sum(-1)
    return np.where(bent, np.sign(cross), 0.0)
