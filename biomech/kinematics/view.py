"""Estimate the view of the camera, the direction the person faces, and the apparent stature.

All of it uses axes of the body: the trunk from hips to shoulders, the line of the shoulders, ears
to nose. Therefore a rotated picture, lying or a handstand does not change it. Only angles relative
to the vertical assume a level camera (flag ``roll_assumed_level``).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from biomech.config import BiomechanicsConfig
from biomech.joints import joint_of
from biomech.kinematics.center_of_mass import velocity_of_mass
from biomech.kinematics.geometry import (
    LEVELS,
    TRUNK,
    Array,
    Vector,
    between,
    combine,
    direction,
    flexion,
    length,
    trunk_line,
    wrap,
)
from biomech.reasons import Flags
from biomech.records.values import ClipView
from biomech.skeleton import INDEX, SIDES
from biomech.time_windows import Windows, percentile
from biomech.time_windows import ratio as quotient

SHOULDER_TO_TRUNK = 0.76
"""Ratio of shoulder width to trunk length in a frontal view (Sports2D's marker model)."""

SEGMENT_SHARES = 0.246 + 0.245 + 0.288
"""Shank, thigh and trunk as shares of stature (Winter)."""

FRONTAL: Final = "frontal"
OBLIQUE: Final = "oblique"
SAGITTAL: Final = "sagittal"

_WIDTHS: Final = {"hip": 0.35, "ear": 0.26}
"""Distance between both sides over trunk length in a frontal view (measured on keypoints)."""
_IN_PLANE: Final = 0.5
"""Smallest visible share of the trunk's length for it to define an axis."""
_PROFILE: Final = 0.35
"""Smallest share of the way from ears to nose across the trunk (70 degrees of nodding)."""
_LEAST_PROFILE: Final = 0.08
"""Smallest distance from ears to nose over trunk length; less is a face turned to the camera."""
_NEAR_SEEN: Final = 0.8
_TURN_S: Final = 0.2
_LEAST_VOTES_S: Final = 0.1
_TURN_VOTES_S: Final = 2.0
"""Seconds of votes in every frame that an unseen turn needs, in either direction."""
_MAJORITY: Final = 1 / 3
"""Votes for minus votes against, over all votes: two of three must agree."""


@dataclass(frozen=True, slots=True)
class View:
    """The view of one person over a clip.

    Attributes:
        ratio: (f,) shoulder width over what it would be from the front, median over a window; NaN
            where the shoulders are not seen.
        yaw_deg: (f,) turn from facing along the camera's axis, 0-90; good to about 15.
        kind: (f,) ``frontal``, ``oblique``, ``sagittal``; empty where unknown.
        facing: (f,) in a sagittal view the side of the body's axis on which its front is: +1
            clockwise of the way from hips to shoulders, so toward image right for who is upright;
            -1 the other; 0 unknown or another view.
        to_camera: (f,) in a frontal view +1 facing the camera, -1 away; 0 in another view.
        axis: (f, 2) unit vector from hips to shoulders, NaN where not seen.
        inferred: (f,) whether the view is one from the side because the far side is never seen.
    """

    ratio: Array
    yaw_deg: Array
    kind: NDArray[np.str_]
    facing: Array
    to_camera: Array
    axis: Array
    inferred: Flags

    def of_clip(self) -> ClipView | None:
        """Return the commonest class; None if it was never known."""
        classes: tuple[ClipView, ...] = (
            FRONTAL,
            OBLIQUE,
            SAGITTAL,
        )  # the first of equally frequent ones
        counts = {kind: int((self.kind == kind).sum()) for kind in classes}
        commonest = max(classes, key=counts.__getitem__)
        return commonest if counts[commonest] else None

    def ahead(self) -> Array:
        """Return the person's forward unit vector (f, 2) in a sagittal view, NaN if unknown."""
        facing = np.where(self.facing == 0, np.nan, self.facing)
        return facing[:, None] * _across(self.axis)


def view_of(
    times_s: Array, xy: Array, config: BiomechanicsConfig, outside: Flags | None = None
) -> View:
    """Estimate the view from the seen points (f, 17, 2) of one person.

    Args:
        times_s: (f,) seconds. xy: pixels, NaN where not seen. config: thresholds.
        outside: (f, 17) points outside the picture, and therefore not hidden by the body.
    """
    windows = Windows.of(times_s, config.view_window_s)
    axis = body_axis(xy)
    trunk_px = _trunk_px(xy) * np.nan_to_num(apparent_size(xy), nan=1.0)
    shoulders = _width("shoulder", xy, axis, trunk_px) / SHOULDER_TO_TRUNK
    ratio = windows.median(shoulders)
    kind = classify(ratio, config)
    inferred = np.asarray(kind == "") & ~_among_frontal(kind)
    if inferred.any():
        inferred &= _far_side_hidden(windows, xy, axis, trunk_px, outside, config)
    kind = np.where(inferred, SAGITTAL, kind)
    # A trunk bent toward the camera may point down; the whole body shows which end is up.
    whole = _unit(_mid(xy, "shoulder") - _mid(xy, "ankle"))
    upward = _across(np.where(np.isfinite(whole), whole, axis))
    leftward = (-combine(LEVELS["shoulder"], xy) * upward).sum(-1)
    facing = _facing(times_s, xy, axis, shoulders, config)
    return View(
        ratio=ratio,
        yaw_deg=np.degrees(np.arccos(np.minimum(ratio, 1.0))),
        kind=kind,
        facing=np.where(kind == SAGITTAL, facing, 0.0),
        to_camera=np.where(kind == FRONTAL, np.sign(np.nan_to_num(windows.median(leftward))), 0.0),
        axis=axis,
        inferred=inferred,
    )


def body_axis(xy: Array) -> Array:
    """Return the unit vector (f, 2) from hips to shoulders of the sides seen; NaN without any."""
    return _unit(_mid(xy, "shoulder") - _mid(xy, "hip"))


def near_side(view: View, xy: Array, present: Flags, config: BiomechanicsConfig) -> str | None:
    """Return the side whose shoulder and hip define the trunk of the track, None for both sides.

    One side is used in a sagittal track whose far side is mostly hidden. If both are seen equally,
    there is no near side. The choice holds for the whole track, because changing the definition
    between frames would move the angle.
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
    """Return the apparent stature of points (f, 17, 2) in pixels; NaN without leg or trunk.

    It is computed from shank, thigh and trunk. Each is the 95th percentile over the clip of the
    mean of the sides seen, because a segment turned out of the picture only appears shorter.
    """
    parts = [percentile(length(trunk, xy), 95)]
    for start, end in (("hip", "knee"), ("knee", "ankle")):
        sides = [length(between(f"{side}_{start}", f"{side}_{end}"), xy) for side in SIDES]
        parts.append(percentile(_mean_of_seen(*sides), 95))
    return float(np.sum(parts)) / SEGMENT_SHARES


def apparent_size(xy: Array) -> Array:
    """Return the size (f,) of points (f, 17, 2) relative to that of the clip, NaN where not seen.

    It is the largest of trunk, thighs and shanks, each over its own 95th percentile. Bending over
    or lifting a leg shortens some of them; walking away from the camera shortens all.
    """
    joints = ((f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in SIDES)
    legs = [between(*pair) for hip, knee, ankle in joints for pair in ((hip, knee), (knee, ankle))]
    spans = [length(vector, xy) for vector in (TRUNK, *legs)]
    shares = [quotient(span, np.full(len(span), percentile(span, 95))) for span in spans]
    size: Array = np.fmax.reduce(shares)
    return size


def scale_drifts(xy: Array, config: BiomechanicsConfig) -> bool:
    """Return True if the person's size varies too much for one scale of pixels."""
    size = apparent_size(xy)
    size = size[np.isfinite(size)]
    return bool(len(size) and size.std() > config.scale_drift * size.mean())


def classify(ratio: Array, config: BiomechanicsConfig) -> NDArray[np.str_]:
    """Classify each frame (f,) with hysteresis at the bounds."""
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
    """Return the trunk's length over the clip, of the better seen side if never both are seen."""
    between_midpoints = percentile(length(TRUNK, xy), 95)
    if np.isfinite(between_midpoints):
        return between_midpoints
    sides = [percentile(length(trunk_line(side), xy), 95) for side in SIDES]
    return max((s for s in sides if np.isfinite(s)), default=float("nan"))


def _mean_of_seen(left: Array, right: Array) -> Array:
    filled = np.where(np.isfinite(left), left, right)
    mean: Array = (filled + np.where(np.isfinite(right), right, left)) / 2
    return mean


def _mid(xy: Array, part: str) -> Array:
    """Return the middle (f, 2) of the left and right ``part``, or the one that is seen."""
    return _mean_of_seen(xy[:, INDEX[f"left_{part}"]], xy[:, INDEX[f"right_{part}"]])


def _unit(w: Array) -> Array:
    return quotient(w, np.hypot(w[..., 0], w[..., 1])[..., None])


def _across(axis: Array) -> Array:
    """Rotate a quarter turn clockwise on the screen: an axis that points up gives image right."""
    return np.stack([-axis[..., 1], axis[..., 0]], -1)


def _width(part: str, xy: Array, axis: Array, trunk_px: Array) -> Array:
    """Return the distance (f,) of both sides across the trunk, over its length.

    If the trunk points at the camera it has no axis in the picture, and the full distance is used.
    """
    line = combine(between(f"left_{part}", f"right_{part}"), xy)
    shown = np.hypot(*np.moveaxis(_mid(xy, "shoulder") - _mid(xy, "hip"), -1, 0))
    across = np.abs((line * _across(axis)).sum(-1))
    flat = shown >= _IN_PLANE * trunk_px
    return quotient(np.where(flat, across, np.hypot(line[:, 0], line[:, 1])), trunk_px)


def _far_side_hidden(
    windows: Windows,
    xy: Array,
    axis: Array,
    trunk_px: Array,
    outside: Flags | None,
    config: BiomechanicsConfig,
) -> Flags:
    """Return the frames (f,) in which the body hides the far side.

    One shoulder is never seen and the other side is seen clearly. Exceptions are hips or ears far
    apart, and a shoulder outside the picture.
    """
    there: Flags = np.asarray(np.isfinite(xy).all(-1))
    anything = there.any(1)
    wide = np.zeros(len(xy), np.bool_)
    for part, width in _WIDTHS.items():
        apart = windows.median(_width(part, xy, axis, trunk_px) / width)
        wide |= np.nan_to_num(apart) > config.sagittal_ratio
    found = np.zeros(len(xy), np.bool_)
    for near, far in (SIDES, SIDES[::-1]):
        trunk = there[:, [INDEX[f"{near}_shoulder"], INDEX[f"{near}_hip"]]].all(1)
        seen = windows.mean(np.where(anything, trunk, np.nan))
        shoulder = INDEX[f"{far}_shoulder"]
        never = windows.sum(there[:, shoulder].astype(np.float64)) == 0
        if outside is not None:
            never &= windows.sum(outside[:, shoulder].astype(np.float64)) == 0
        found |= (np.nan_to_num(seen) >= _NEAR_SEEN) & never
    return np.asarray(found & anything & ~wide)


def _among_frontal(kind: NDArray[np.str_]) -> Flags:
    """Return the frames (f,) whose nearest known views are frontal: a side is briefly hidden."""
    index = np.arange(len(kind))
    known = kind != ""
    before = np.maximum.accumulate(np.where(known, index, -1))
    after = np.minimum.accumulate(np.where(known, index, len(kind))[::-1])[::-1]
    ends = np.concatenate([kind, [""]])  # index -1 and the length are the last: unknown
    nearest = np.stack([ends[before], ends[after]])
    return np.asarray((nearest == FRONTAL).any(0) & ~(nearest == SAGITTAL).any(0))


def _facing(
    times_s: Array, xy: Array, axis: Array, shoulders: Array, config: BiomechanicsConfig
) -> Array:
    """Return the side (f,) of the body's axis that is the front, constant in a stretch; 0 in doubt.

    Face and legs vote in every frame; if neither ever can, the direction in which an upright person
    travels does. A stretch ends where the person may have turned round, or where the votes are
    against it for longer than a look over the shoulder takes.
    """
    turns = _turns(times_s, xy, shoulders, config)
    bout = np.cumsum(turns)
    votes = _face_votes(xy, axis) + _leg_votes(xy, axis, config)
    silent = (np.bincount(bout, np.abs(votes)) == 0)[bout]
    if silent.any():
        votes += np.where(silent, _travel_votes(times_s, xy, axis, config), 0.0)
    step = float(np.median(np.diff(times_s))) if len(times_s) > 1 else _LEAST_VOTES_S
    side = _likeliest(votes, np.where(turns, 0.0, _TURN_VOTES_S / step))
    stretch = np.cumsum(turns | np.concatenate([[False], np.diff(side) != 0]))
    net, cast = np.bincount(stretch, votes), np.bincount(stretch, np.abs(votes))
    least = np.minimum(np.bincount(stretch), max(_LEAST_VOTES_S / step, 1.0) - 1e-6)
    sure = (np.abs(net) >= least) & (np.abs(net) > _MAJORITY * cast)
    facing: Array = np.where(sure, np.sign(net), 0.0)[stretch]
    return facing


def _turns(times_s: Array, xy: Array, shoulders: Array, config: BiomechanicsConfig) -> Flags:
    """Return the frames (f,) before which the person may have turned round.

    The shoulders start or stop facing the camera, only the other shoulder is seen, or the person
    was out of sight for a while.
    """
    turned = Windows.of(times_s, _TURN_S).median(shoulders) >= config.level_ratio
    left, right = (np.isfinite(xy[:, INDEX[f"{side}_shoulder"], 0]) for side in SIDES)
    only = np.where(left == right, 0, np.where(left, 1, 2))
    last = np.maximum.accumulate(np.where(only > 0, np.arange(len(only)), 0))
    state = np.stack([turned.astype(np.intp), only[last]])
    begins = (np.diff(state, axis=1) != 0).any(0) | (np.diff(times_s) > config.max_gap_s)
    return np.concatenate([[False], begins])


def _likeliest(votes: Array, cost: Array) -> NDArray[np.intp]:
    """Return +1 or -1 (f,) with the fewest votes against, each change costing ``cost`` votes.

    Uses Viterbi's algorithm over two states.
    """
    if not ((votes > 0).any() and (votes < 0).any()):
        return np.full(len(votes), 1 if (votes > 0).any() else -1)
    plus = minus = 0.0
    came_from: list[tuple[bool, bool]] = []
    for vote, change in zip(votes.tolist(), cost.tolist(), strict=True):
        to_plus, to_minus = minus + change < plus, plus + change < minus
        plus, minus = (
            (minus + change if to_plus else plus) + max(-vote, 0.0),
            (plus + change if to_minus else minus) + max(vote, 0.0),
        )
        came_from.append((to_plus, to_minus))
    sides = np.empty(len(votes), np.intp)
    is_plus = plus <= minus
    for i in range(len(votes) - 1, -1, -1):
        sides[i] = 1 if is_plus else -1
        to_plus, to_minus = came_from[i]
        is_plus = not to_plus if is_plus else to_minus
    return sides


def _face_votes(xy: Array, axis: Array) -> Array:
    """Return the side (f,) of the trunk's axis to which nose or eyes point from the ears."""
    nose = xy[:, INDEX["nose"]]
    face = np.where(np.isfinite(nose), nose, _mid(xy, "eye"))
    way = face - _mid(xy, "ear")
    size = np.hypot(way[:, 0], way[:, 1])
    across = (way * _across(axis)).sum(-1)
    profile = (np.abs(across) >= _PROFILE * size) & (size >= _LEAST_PROFILE * _trunk_px(xy))
    return np.where(profile, np.sign(across), 0.0)


def _leg_votes(xy: Array, axis: Array, config: BiomechanicsConfig) -> Array:
    """Return the side (f,) to which knees and hips bend beyond their backward range."""
    trunk = direction(-axis)
    votes = np.zeros(len(xy))
    for side in SIDES:
        thigh = direction(combine(between(f"{side}_hip", f"{side}_knee"), xy))
        for joint, bent, least in (
            ("knee", flexion(f"{side}_knee", xy), config.facing_knee_deg),
            ("hip", wrap(trunk - thigh), config.facing_hip_deg),
        ):
            clear = (np.abs(bent) > least) & (
                np.abs(bent) <= joint_of(f"{side}_{joint}").possible_deg[1]
            )
            votes += np.where(clear, np.sign(bent), 0.0)
    return np.sign(votes)


def _travel_votes(times_s: Array, xy: Array, axis: Array, config: BiomechanicsConfig) -> Array:
    """Return the side (f,) to which an upright person travels."""
    velocity, mass = velocity_of_mass(times_s, xy)
    travel = np.where(mass >= config.min_mass, velocity[:, 0], np.nan)
    speed = np.nan_to_num(Windows.of(times_s, config.facing_window_s).mean(travel) / stature_px(xy))
    upright = axis[:, 1] < -math.sqrt(0.5)
    return np.where(upright & (np.abs(speed) > config.facing_speed), np.sign(speed), 0.0)
