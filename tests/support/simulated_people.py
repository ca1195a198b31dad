"""People who walk and run through a picture, as a detector and a pose network would see them.

For tests of who is who: the truth is known for every frame. A person behind another is not detected
while the boxes coincide, and a crop of two people shows the keypoints of the one in front.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from deployments.decode.association import People, between, follow
from deployments.messages import CropPoses, Detections, MediaInfo, SegmentPoses

# (x, y) of the COCO keypoints about the hips in body heights, seen from the side, facing right.
STANDING = np.array(
    [
        *((0.05, -0.42), (0.04, -0.44), (0.04, -0.44), (0.0, -0.43), (0.0, -0.43)),
        *((-0.03, -0.30), (0.03, -0.30), (-0.03, -0.14), (0.03, -0.14), (-0.03, 0.0), (0.03, 0.0)),
        *((-0.02, 0.0), (0.02, 0.0), (-0.02, 0.24), (0.02, 0.24), (-0.02, 0.48), (0.02, 0.48)),
    ]
)
# How far each swings along the way within a stride: arms against legs.
_SWING = np.array([0] * 7 + [-0.05, 0.05, -0.12, 0.12, 0, 0, 0.07, -0.07, 0.15, -0.15])


@dataclass(frozen=True)
class Walker:
    """Someone with a path; ``height`` in pixels, ``facing`` 1 right or -1 left."""

    path: Callable[[float], tuple[float, float]]
    height: float = 300.0
    strides_per_s: float = 1.0
    facing: int = 1
    from_s: float = 0.0
    to_s: float = np.inf

    def keypoints(self, time_s: float) -> np.ndarray:
        """(17,2) pixels."""
        swing = _SWING * np.sin(2 * np.pi * self.strides_per_s * time_s)
        body = STANDING + np.stack([swing, np.zeros(17)], axis=1)
        return np.asarray(self.path(time_s)) + body * [self.facing * self.height, self.height]

    def box(self, time_s: float) -> np.ndarray:
        """(4,)."""
        points, rim = self.keypoints(time_s), 0.06 * self.height
        return np.concatenate([points.min(axis=0) - rim, points.max(axis=0) + rim])


def straight(x: float, y: float, speed: float) -> Callable[[float], tuple[float, float]]:
    """A level path; ``speed`` in pixels a second."""
    return lambda time_s: (x + speed * time_s, y)


def media(frames: int, fps: int = 30, width: int = 1920, height: int = 1080) -> MediaInfo:
    """A constant frame rate video that is in no file."""
    pts = np.arange(frames, dtype=np.int64)
    return MediaInfo("", "mov", "h264", "yuv420p", width, height, 0, (1, fps), pts, pts[:1])


def observe(
    walkers: Sequence[Walker],
    info: MediaInfo,
    stride: int = 4,
    missed: Callable[[int, int], bool] = lambda frame, walker: False,
    noise: float = 0.01,
    seed: int = 0,
) -> SegmentPoses:
    """What analyzing the whole video as one segment would give.

    Args:
        walkers: the one in front first.
        missed: whether the detector misses a walker in a frame.
        noise: standard deviation of box corners and keypoints, body heights.
    """
    rng = np.random.default_rng(seed)
    times = info.times_s
    detections = sorted({*range(0, len(times), stride), len(times) - 1})
    people: People | None = None
    unused, frames, rows = 0, [], []
    for start, end in pairwise([0, *detections]):
        found = _detect(walkers, times[end], lambda i, end=end: missed(end, i), noise, rng)
        after = follow(people, found, times[end] - times[start], unused)
        unused = max(unused, *(after.tracklet + 1), 0)
        inner = np.arange(start + 1, end + 1) if end > start else np.array([start])
        part = between(people, after, (inner - start) / max(end - start, 1) if end else np.ones(1))
        frames.append(inner[part.frame])
        rows.append(part)
        people = after
    frame = np.concatenate(frames).astype(np.int32)
    box = np.concatenate([r.box for r in rows])
    points = [_seen(walkers, times[f], b, noise, rng) for f, b in zip(frame, box, strict=True)]
    return SegmentPoses(
        index=0,
        first_frame=0,
        decoded=np.ones(len(times), bool),
        frame=frame,
        tracklet=np.concatenate([r.tracklet for r in rows]),
        box=box,
        box_score=np.concatenate([r.score for r in rows]),
        detected=np.concatenate([r.detected for r in rows]),
        poses=CropPoses(
            np.array(points, np.float32).reshape(-1, 17, 2),
            *np.full((2, len(frame), 17), 0.8, np.float32),
            np.full((len(frame), 17, 2), 2.0, np.float32),
        ),
        blur=box[:, 0] % 1,
        model=np.zeros(len(frame), np.int32),
        models=("Simulated",),
        closing_box=np.empty((0, 4), np.float32),
        closing_tracklet=np.empty(0, np.int32),
    )


def shown_in(keypoints: np.ndarray, walkers: Sequence[Walker], time_s: float) -> int | None:
    """The walker whose (17,2) keypoints these are; None if of nobody, or of one amid others."""
    boxes = {i: walkers[i].box(time_s) for i in present(walkers, time_s)}
    for i, box in boxes.items():
        apart = np.linalg.norm(keypoints - walkers[i].keypoints(time_s), axis=1)
        clear = all(iou(box, other) < 0.1 for j, other in boxes.items() if j != i)
        if clear and np.mean(apart) < 0.1 * walkers[i].height:
            return i
    return None


def cut(whole: SegmentPoses, places: Sequence[int], seed: int = 0) -> list[SegmentPoses]:
    """The segments that the same video cut before frames ``places`` would have given.

    ``places`` are detection frames. Tracklets are numbered anew in each segment, and the people of
    the frame behind a cut are found twice, by two calls of the detector that differ in rounding.
    """
    rng = np.random.default_rng(seed)
    edges = [0, *sorted(places), len(whole.decoded)]
    segments = []
    for index, (start, stop) in enumerate(pairwise(edges)):
        rows = np.flatnonzero((whole.frame >= start) & (whole.frame < stop))
        closing = np.flatnonzero((whole.frame == stop) & whole.detected)
        known = np.unique(whole.tracklet[[*rows, *closing]])
        number = dict(zip(known.tolist(), rng.permutation(len(known)).tolist(), strict=True))
        renumbered = np.array([number.get(t, -1) for t in whole.tracklet.tolist()], np.int32)
        rounding = rng.uniform(-0.1, 0.1, (len(closing), 4))
        segments.append(
            replace(
                whole,
                index=index,
                first_frame=start,
                decoded=whole.decoded[start:stop],
                frame=whole.frame[rows],
                tracklet=renumbered[rows],
                box=whole.box[rows],
                box_score=whole.box_score[rows],
                detected=whole.detected[rows],
                poses=whole.poses[rows],
                blur=whole.blur[rows],
                model=whole.model[rows],
                closing_box=(whole.box[closing] + rounding).astype(np.float32),
                closing_tracklet=renumbered[closing],
            )
        )
    return segments


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of two boxes."""
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    area = sides.prod()
    return float(area / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - area))


def present(walkers: Sequence[Walker], time_s: float) -> list[int]:
    """Return the indices of the walkers who are there."""
    return [i for i, w in enumerate(walkers) if w.from_s <= time_s < w.to_s]


def _detect(
    walkers: Sequence[Walker],
    time_s: float,
    missed: Callable[[int], bool],
    noise: float,
    rng: np.random.Generator,
) -> Detections:
    boxes: list[np.ndarray] = []
    for i in present(walkers, time_s):
        box = walkers[i].box(time_s) + rng.normal(0, noise * walkers[i].height, 4)
        if not missed(i) and all(iou(box, other) < 0.5 for other in boxes):
            boxes.append(box)
    score = rng.uniform(0.6, 0.9, len(boxes))
    order = np.argsort(-score)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4)[order], score[order].astype(np.float32)
    )


def _seen(
    walkers: Sequence[Walker],
    time_s: float,
    box: np.ndarray,
    noise: float,
    rng: np.random.Generator,
) -> np.ndarray:
    overlaps = {i: iou(walkers[i].box(time_s), box) for i in present(walkers, time_s)}
    shown = next((i for i, part in overlaps.items() if part > 0.5), None)
    if shown is None:
        shown = max(overlaps, key=overlaps.__getitem__, default=None)
    if shown is None or overlaps[shown] == 0:
        return np.full((17, 2), np.nan)
    height = walkers[shown].height
    return walkers[shown].keypoints(time_s) + rng.normal(0, noise * height, (17, 2))
