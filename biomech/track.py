"""Follow one person through a clip."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike

from biomech.config import BiomechanicsConfig
from biomech.kinematics.geometry import Array
from biomech.reasons import Flags
from biomech.skeleton import KEYPOINTS

MIN_SCORE: Final = BiomechanicsConfig().min_score
"""Default confidence below which a keypoint is missing."""

_BEGIN_AS_COCO: Final = (17, 26, 133)
"""Numbers of points of COCO-17, and of HALPE-26 and COCO-WholeBody, which begin with it."""

_MEDIAPIPE_33: Final = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Indices of COCO's keypoints in MediaPipe's pose landmarks; eyes are their middles."""

_BODY_25: Final = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
"""Indices of COCO's keypoints in OpenPose's BODY_25."""

MARGIN_PX: Final = 64
"""Margin of a picture of unknown size about the points, so that none is taken for cut off."""


@dataclass(frozen=True, slots=True)
class HandPoints:
    """Points of one person that somebody placed or hid by hand.

    Attributes:
        xy: (f, 17, 2) pixels of the picture, NaN where not placed.
        hidden: (f, 17) points that the picture does not show.
    """

    xy: Array
    hidden: Flags

    @property
    def placed(self) -> Flags:
        """Return the points (f, 17) that were placed."""
        return np.asarray(np.isfinite(self.xy).all(-1))


@dataclass(frozen=True, slots=True)
class Track:
    """Keypoints of one person as measured, NaN where absent.

    Attributes:
        times_s: (f,) ascending, from the container's time stamps.
        xy: (f, 17, 2) pixels, x right, y down. score: (f, 17).
        sigma: (f, 17, 2) standard deviations in pixels, NaN unknown.
        box: (f, 4) x1, y1, x2, y2 pixels.
        present: (f,) whether the person is in the frame.
        size: (width, height) of the picture.
        blur: (f,) of the person, 0 sharp to 1, NaN unknown; None without pictures.
        by_hand: points that replace the measured ones; None for none.
    """

    times_s: Array
    xy: Array
    score: Array
    sigma: Array
    box: Array
    present: Flags
    size: tuple[int, int]
    blur: Array | None = None
    by_hand: HandPoints | None = None

    @property
    def center(self) -> Array:
        """(2,) pixels: the middle of the picture."""
        return (np.array(self.size, np.float64) - 1.0) / 2.0

    @classmethod
    def from_coco(
        cls,
        xy: ArrayLike,
        score: ArrayLike | None = None,
        *,
        fps: float | None = None,
        times_s: ArrayLike | None = None,
        size: tuple[int, int] | None = None,
        sigma_px: ArrayLike | None = None,
        box: ArrayLike | None = None,
    ) -> Self:
        """Make a track of keypoints in COCO's order, as RTMPose, ViTPose, YOLO and MoveNet have it.

            >>> import numpy as np
            >>> xy = np.random.default_rng(0).uniform(0, 500, (30, 17, 2))
            >>> clip = Track.from_coco(xy, np.full((30, 17), 0.9), fps=60, size=(1920, 1080))
            >>> clip.xy.shape, clip.times_s[:3].round(4).tolist()
            ((30, 17, 2), [0.0, 0.0167, 0.0333])

        Args:
            xy: (f, 17, 2) pixels, x right and y down, NaN where missing. (f, 26, 2) of HALPE-26 and
                (f, 133, 2) of COCO-WholeBody begin with these 17; the others are left out.
            score: (f, 17) confidences 0 to 1, or as many points as ``xy``; 1 by default.
            fps: frames a second of the world, where they are evenly spaced: of a film in slow
                motion, those of the camera. times_s: (f,) seconds, where they are not.
            size: (width, height) of the picture in pixels; by default one that holds all points.
            sigma_px: standard deviations of the points in pixels, one number or (f, 17, 2); by
                default a prior from the size of the box, which is wide.
            box: (f, 4) x1, y1, x2, y2 of the person; by default the bounds of the points.

        Raises:
            ValueError: a shape, the rate or the times are not as said.
        """
        points = np.asarray(xy, np.float64)
        if points.ndim != 3 or points.shape[1] not in _BEGIN_AS_COCO or points.shape[2] != 2:
            raise ValueError(
                f"xy has shape {points.shape}, expected (frames, keypoints, 2) with "
                f"{', '.join(map(str, _BEGIN_AS_COCO))} keypoints. Pick one person; for those of "
                "MediaPipe and OpenPose take from_mediapipe and from_openpose."
            )
        known: Flags = np.asarray(np.isfinite(points).all(-1))
        scores = np.where(known, 1.0, 0.0) if score is None else np.asarray(score, np.float64)
        if scores.shape != points.shape[:2]:
            raise ValueError(f"score has shape {scores.shape}, expected {points.shape[:2]} as xy")
        points = np.where(known[..., None], points, np.nan)[:, : len(KEYPOINTS)]
        scores = np.where(known, np.nan_to_num(scores), 0.0)[:, : len(KEYPOINTS)]
        seen = np.isfinite(points).all(-1) & (scores > 0)
        frames = len(points)
        return cls(
            times_s=_times(frames, fps, times_s),
            xy=points,
            score=scores,
            sigma=_shaped("sigma_px", np.nan if sigma_px is None else sigma_px, points.shape),
            box=bounds(points, scores) if box is None else _shaped("box", box, (frames, 4)),
            present=np.asarray(seen.any(1)),
            size=_size_about(points[seen]) if size is None else size,
        )

    @classmethod
    def from_mediapipe(
        cls,
        landmarks: ArrayLike,
        visibility: ArrayLike | None = None,
        *,
        size: tuple[int, int],
        fps: float | None = None,
        times_s: ArrayLike | None = None,
    ) -> Self:
        """Make a track of MediaPipe's 33 pose landmarks.

        Args:
            landmarks: (f, 33, 2 or more) x, y as shares of the picture, as MediaPipe gives them.
            visibility: (f, 33); 1 by default.
            size: (width, height) of the picture in pixels. fps, times_s: as for :meth:`from_coco`.

        Raises:
            ValueError: a shape, the rate or the times are not as said.
        """
        xy = _other("landmarks", landmarks, 33)[:, list(_MEDIAPIPE_33), :2] * np.array(size)
        score = None
        if visibility is not None:
            score = _other("visibility", visibility, 33)[:, list(_MEDIAPIPE_33)]
        return cls.from_coco(xy, score, fps=fps, times_s=times_s, size=size)

    @classmethod
    def from_openpose(
        cls,
        keypoints: ArrayLike,
        *,
        fps: float | None = None,
        times_s: ArrayLike | None = None,
        size: tuple[int, int] | None = None,
    ) -> Self:
        """Make a track of OpenPose's BODY_25 keypoints.

        Args:
            keypoints: (f, 25, 3) x, y in pixels and confidence; confidence 0 is missing.
            fps, times_s, size: as for :meth:`from_coco`.

        Raises:
            ValueError: a shape, the rate or the times are not as said.
        """
        points = _other("keypoints", keypoints, 25)[:, list(_BODY_25)]
        if points.shape[1:] != (len(KEYPOINTS), 3):
            raise ValueError("keypoints have no confidence, expected (frames, 25, 3)")
        score = points[..., 2]
        xy = np.where((score > 0)[..., None], points[..., :2], np.nan)
        return cls.from_coco(xy, score, fps=fps, times_s=times_s, size=size)


def bounds(xy: Array, score: Array, min_score: float = MIN_SCORE) -> Array:
    """Return boxes (f, 4) of the confident points, of all where none is, else NaN."""
    known = np.isfinite(xy).all(-1) & (score > 0)
    sure = known & (score >= min_score)
    taken = np.where(sure.any(1, keepdims=True), sure, known)[..., None]
    low = np.where(taken, xy, np.inf).min(1)
    high = np.where(taken, xy, -np.inf).max(1)
    box = np.concatenate([low, high], axis=1)
    return np.where(np.isfinite(box), box, np.nan)


def _times(frames: int, fps: float | None, times_s: ArrayLike | None) -> Array:
    if (fps is None) == (times_s is None):
        raise ValueError("expected either fps or times_s. Give one of them.")
    if fps is not None:
        if not 0 < fps < np.inf:
            raise ValueError(f"fps is {fps}, expected frames a second above 0")
        return np.arange(frames) / fps
    times = _shaped("times_s", np.asarray(times_s), (frames,))
    if not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise ValueError("times_s do not ascend. Sort the frames by time, each once.")
    return times


def _shaped(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Array:
    given = np.asarray(values, np.float64)
    if given.ndim and given.shape != shape:
        raise ValueError(f"{name} has shape {given.shape}, expected {shape}")
    return np.array(np.broadcast_to(given, shape))


def _other(name: str, values: ArrayLike, points: int) -> Array:
    given = np.asarray(values, np.float64)
    if given.ndim < 2 or given.shape[1] != points:
        raise ValueError(f"{name} has shape {given.shape}, expected (frames, {points}, ...)")
    return given


def _size_about(xy: Array) -> tuple[int, int]:
    if not len(xy):
        return (MARGIN_PX, MARGIN_PX)
    width, height = np.ceil(np.maximum(xy.max(0), 0)).astype(int) + MARGIN_PX
    return int(width), int(height)
