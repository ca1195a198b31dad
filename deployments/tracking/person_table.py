"""Collect the rows of all segments in one table, joining tracklets where the video was cut."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from biomech.config import CONFIDENCE_THRESHOLD
from biomech.skeleton import INDEX
from deployments.box_overlap import intersection_over_smaller, intersection_over_union
from deployments.messages import F32, F64, I32, I64, Bools, CropPoses, MediaInfo, SegmentPoses

# The boxes on both sides of a cut are of the same picture, from two calls of the detector.
_SAME_BOX_PX = 0.5
MIN_POINT_SCORE = CONFIDENCE_THRESHOLD
"""Smallest score of keypoints used to resolve identities."""

_SAME_BODY = 0.05  # body sizes
_SAME_BODY_OVERLAP, _SAME_BODY_IOU = 0.6, 0.8
_TORSO = [INDEX[side + joint] for side in ("left_", "right_") for joint in ("shoulder", "hip")]


_PER_ROW = ("frame", "time_s", "box", "box_score", "detected", "blur", "model", "center", "size")


@dataclass(frozen=True, slots=True)
class ClipRows:
    """All people of a clip, one row per person and frame, ascending in frame.

    Attributes:
        frame: (n,) index in the video. time_s: (n,) seconds since the first frame.
        box: (n,4) image pixels. box_score: (n,). detected: (n,) False where interpolated or held.
        poses: of the n rows, image pixels. blur: (n,) NaN if unknown.
        model: (n,) index into ``models``.
        center: (n,2) of the body, image pixels: the mean of shoulders and hips, which arms and legs
            do not move, or the box's center where fewer than three of them are seen.
        size: (n,) longer side of the box in pixels, approximately the person's height.
    """

    frame: I32
    time_s: F64
    box: F32
    box_score: F32
    detected: Bools
    poses: CropPoses
    blur: F32
    model: I32
    models: tuple[str, ...]
    center: F64
    size: F64

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, index: I64) -> "ClipRows":
        return replace(
            self,
            poses=self.poses[index],
            **{name: getattr(self, name)[index] for name in _PER_ROW},
        )

    def off_center(self, media: MediaInfo) -> F64:
        """Return the way (n,2) from the picture's center to the box's, pixels."""
        box = self.box.astype(np.float64)
        return (box[:, :2] + box[:, 2:]) / 2 - np.array([media.width, media.height]) / 2

    def seen_keypoints(self, rows: NDArray[np.intp]) -> F64:
        """Return keypoints (k,17,2) of some rows, NaN where the score is low."""
        seen = self.poses.score[rows] >= MIN_POINT_SCORE
        return np.where(seen[..., None], self.poses.keypoints[rows], np.nan).astype(np.float64)


def collect(segments: Sequence[SegmentPoses], media: MediaInfo) -> tuple[ClipRows, I64]:
    """Build one table of all segments, and the (n,) track of each row.

    The order of rows and the numbers of tracks do not depend on where the video was cut.

    Raises:
        ValueError: the segments do not make up the video.
    """
    segments = sorted(segments, key=lambda s: s.first_frame)
    stops = [s.first_frame + len(s.decoded) for s in segments]
    if [*(s.first_frame for s in segments), media.frame_count] != [0, *stops]:
        raise ValueError("the segments do not make up the video")
    models = tuple(sorted({name for s in segments for name in s.models}))
    frame = np.concatenate([s.frame for s in segments])
    box = np.concatenate([s.box for s in segments])
    label = _join(segments)
    order = np.lexsort((box[:, 3], box[:, 1], box[:, 0], frame))
    poses = CropPoses.concatenate([s.poses for s in segments], order)
    rows = ClipRows(
        frame=frame[order],
        time_s=media.times_s[frame[order]],
        box=box[order],
        box_score=np.concatenate([s.box_score for s in segments])[order],
        detected=np.concatenate([s.detected for s in segments])[order],
        poses=poses,
        blur=np.concatenate([s.blur for s in segments])[order],
        model=np.concatenate([_renumbered(s, models) for s in segments])[order],
        models=models,
        center=_center(box[order], poses),
        size=(box[order, 2:] - box[order, :2]).max(axis=1).astype(np.float64),
    )
    return rows, by_first_appearance(label[order])


def by_first_appearance(label: I64) -> I64:
    """Renumber groups of rows from 0, in the order of first appearance."""
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def pairs_in_frame(frame: NDArray[np.integer]) -> tuple[I64, I64]:
    """Return all pairs of rows of one frame, the earlier row first; ``frame`` (n,) ascends."""
    most = int(np.unique(frame, return_counts=True)[1].max(initial=0))
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for step in range(1, most):
        pairs = np.flatnonzero(frame[step:] == frame[:-step])
        first.append(pairs)
        second.append(pairs + step)
    return np.concatenate(first), np.concatenate(second)


def same_body(rows: ClipRows, a: I64, b: I64) -> Bools:
    """Return whether (n,) rows ``a`` and ``b`` of the same frames show the same person.

    Their boxes overlap by most of the smaller one, and the keypoints seen in both are on average at
    most a twentieth of the body apart. With fewer than five such keypoints, the boxes must be the
    same.
    """
    boxes = rows.box[a], rows.box[b]
    result = intersection_over_union(*boxes) > _SAME_BODY_IOU
    # The expensive keypoints are compared only if they can decide.
    some = np.flatnonzero(intersection_over_smaller(*boxes) > _SAME_BODY_OVERLAP)
    a, b = a[some], b[some]
    apart = np.linalg.norm(rows.seen_keypoints(a) - rows.seen_keypoints(b), axis=2)
    common = np.isfinite(apart)
    count = common.sum(axis=1)
    mean = np.where(common, apart, 0).sum(axis=1) / np.maximum(count, 1)
    near = mean <= _SAME_BODY * np.minimum(rows.size[a], rows.size[b])
    result[some] = np.where(count >= 5, near, result[some])
    return result


def _join(segments: Sequence[SegmentPoses]) -> I64:
    """Return one number (n,) for all rows of tracklets split by a cut."""
    labels: list[I64] = []
    known: dict[int, int] = {}  # tracklet of this segment -> number of one to the left
    unused = 0
    for segment, right in zip(segments, [*segments[1:], None], strict=True):
        number = dict(known)
        for tracklet in np.union1d(segment.tracklet, segment.closing_tracklet).tolist():
            if tracklet not in number:
                number[tracklet] = unused
                unused += 1
        labels.append(np.array([number[t] for t in segment.tracklet.tolist()], np.int64))
        known = {}
        if right is not None:
            opening = np.flatnonzero((right.frame == right.first_frame) & right.detected)
            for i, j in _same_boxes(segment.closing_box, right.box[opening]):
                tracklet = int(right.tracklet[opening[j]])
                known[tracklet] = number[int(segment.closing_tracklet[i])]
    return np.concatenate(labels)


def _same_boxes(left: F32, right: F32) -> list[tuple[int, int]]:
    apart = np.abs(left[:, None] - right[None]).max(axis=2)
    pairs = zip(*scipy.optimize.linear_sum_assignment(apart), strict=True)
    return [(int(i), int(j)) for i, j in pairs if apart[i, j] <= _SAME_BOX_PX]


def _renumbered(segment: SegmentPoses, models: tuple[str, ...]) -> I32:
    of_clip = np.array([models.index(name) for name in segment.models], np.int32)
    return of_clip[segment.model] if len(of_clip) else segment.model


def _center(box: F32, poses: CropPoses) -> F64:
    seen = (poses.score[:, _TORSO] >= MIN_POINT_SCORE) & np.isfinite(
        poses.keypoints[:, _TORSO]
    ).all(axis=2)
    count = seen.sum(axis=1)
    points = np.where(seen[..., None], poses.keypoints[:, _TORSO], 0).astype(np.float64)
    torso = points.sum(axis=1) / np.maximum(count, 1)[:, None]
    of_box = (box[:, :2] + box[:, 2:]).astype(np.float64) / 2
    return np.where(count[:, None] >= 3, torso, of_box)
