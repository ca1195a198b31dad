"""Stick figures of known angles, for the tests of biomechanics."""

import numpy as np

from biomech.skeleton import INDEX, KEYPOINTS, MIRROR
from biomech.track import Track

_POINTS = {
    "nose": (320, 100),
    "left_eye": (328, 92),
    "right_eye": (312, 92),
    "left_ear": (338, 96),
    "right_ear": (302, 96),
    "left_shoulder": (372, 160),
    "right_shoulder": (268, 160),
    "left_elbow": (400, 230),
    "right_elbow": (240, 230),
    "left_wrist": (460, 200),
    "right_wrist": (230, 310),
    "left_hip": (345, 300),
    "right_hip": (295, 304),
    "left_knee": (355, 400),
    "right_knee": (280, 402),
    "left_ankle": (350, 500),
    "right_ankle": (290, 498),
}
FIGURE = np.array([_POINTS[name] for name in KEYPOINTS], float)
"""(17, 2) pixels: facing the camera, left arm bent outward. The oracle of the definitions."""


def without(xy, *keypoints):
    """The points (..., 17, 2) with some not there."""
    xy = np.array(xy, float)
    xy[..., [INDEX[name] for name in keypoints], :] = np.nan
    return xy


def mirrored(xy, width=640.0):
    """The points as in a mirror: the left of the body becomes the right."""
    return (xy * [-1.0, 1.0] + [width, 0.0])[..., MIRROR, :]


def seen(xy, *, times_s=None, score=0.9, sigma=np.nan, size=(640, 640), present=None):
    """Track of (f, 17, 2) points, or of (17, 2) in one picture, 30 a second unless told."""
    xy = np.array(xy, float).reshape(-1, len(KEYPOINTS), 2)
    frames = len(xy)
    return Track(
        times_s=np.arange(frames) / 30.0 if times_s is None else np.asarray(times_s, float),
        xy=xy,
        score=np.broadcast_to(score, (frames, 17)),
        sigma=np.broadcast_to(sigma, xy.shape),
        box=np.concatenate([np.fmin.reduce(xy, axis=1), np.fmax.reduce(xy, axis=1)], axis=1),
        present=np.ones(frames, bool) if present is None else present,
        size=size,
    )


def rotated(xy, degrees, about=(320.0, 240.0)):
    """Points turned clockwise on the screen."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    return (xy - about) @ turn + about


def turned_in_depth(points, yaw_deg):
    """(..., 2) projections of (..., 3) points turned about the vertical; z is depth."""
    a = np.radians(yaw_deg)
    x = points[..., 0] * np.cos(a) + points[..., 2] * np.sin(a)
    return np.stack([x, points[..., 1]], -1)


def _hanging(clockwise_deg):
    """Unit vector (..., 2): straight down at 0, clockwise of it, so to image left, above 0."""
    a = np.radians(90.0 + np.asarray(clockwise_deg, float))
    return np.stack([np.cos(a), np.sin(a)], -1)


def from_the_side(
    *,
    facing=1,
    lean=0.0,
    hip=0.0,
    knee=0.0,
    shoulder=0.0,
    elbow=0.0,
    at=(320.0, 300.0),
    scale=1.0,
    legs=(100.0, 100.0),
):
    """(..., 17, 2) pixels of someone seen from the side, by forward kinematics.

    Flexions in degrees, forward positive; each a number for both sides or a pair (left, right),
    of numbers or of (f,) arrays. ``at`` is the mid-hip, ``scale`` 1 a trunk of 120 pixels;
    ``legs`` are thigh and shank.
    """
    hip, knee, shoulder, elbow = (
        v if isinstance(v, tuple) else (v, v) for v in (hip, knee, shoulder, elbow)
    )
    lean = np.asarray(lean, float)
    trunk = _hanging(lean)  # from shoulder to hip, leaning forward where image right is forward
    parts = {"left_hip": np.zeros(2), "left_shoulder": -120.0 * trunk}
    parts["right_hip"], parts["right_shoulder"] = parts["left_hip"], parts["left_shoulder"]
    for i, side in enumerate(("left", "right")):
        thigh = lean - hip[i]
        parts[f"{side}_knee"] = parts[f"{side}_hip"] + legs[0] * _hanging(thigh)
        parts[f"{side}_ankle"] = parts[f"{side}_knee"] + legs[1] * _hanging(thigh + knee[i])
        arm = lean - shoulder[i]
        parts[f"{side}_elbow"] = parts[f"{side}_shoulder"] + 75.0 * _hanging(arm)
        parts[f"{side}_wrist"] = parts[f"{side}_elbow"] + 65.0 * _hanging(arm - elbow[i])
    head = parts["left_shoulder"] - 50.0 * trunk
    for name, offset in (("ear", 0.0), ("eye", 14.0)):
        for side in ("left", "right"):
            parts[f"{side}_{name}"] = head + np.array([offset, 0.0])
    parts["nose"] = head + np.array([20.0, 5.0])
    shape = np.broadcast_shapes(*(p.shape for p in parts.values()))
    xy = np.zeros((*shape[:-1], len(KEYPOINTS), 2))
    for name, point in parts.items():
        xy[..., INDEX[name], :] = point
    # Sides a little apart, as they are seen: equal points would have no tilt.
    xy[..., [i for n, i in INDEX.items() if n.startswith("left_")], 0] += 4.0
    return np.asarray(at) + scale * xy * [facing, 1.0]
