"""From segments to the tracks of a clip: join, then choose the primary person."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from deployments.messages import F32, F64, I32, I64, ClipPoses, CropPoses, MediaInfo, SegmentPoses

# The boxes on both sides of a cut are of the same picture, from two calls of the detector.
_SAME_BOX_PX = 0.5


def merge(segments: Sequence[SegmentPoses], media: MediaInfo) -> ClipPoses:
    """The people of a clip, whole tracks, the primary person first.

    Args:
        segments: all segments of the video, in any order.
        media: what the segments were cut from.

    Raises:
        ValueError: the segments do not make up the video.
    """
    segments = sorted(segments, key=lambda s: s.first_frame)
    stops = [s.first_frame + len(s.decoded) for s in segments]
    if [s.first_frame for s in segments] + [media.frame_count] != [0, *stops]:
        raise ValueError("the segments do not make up the video")
    models = tuple(sorted({name for s in segments for name in s.models}))
    label = _join(segments)
    return _dense(segments, media, models, label)


def _join(segments: Sequence[SegmentPoses]) -> I64:
    """(n,) track of each row, tracklets joined where the video was cut; numbered from 0."""
    labels: list[I64] = []
    unused = 0
    name_of: dict[int, int] = {}
    for segment, right in zip(segments, [*segments[1:], None], strict=True):
        for tracklet in np.union1d(segment.tracklet, segment.closing_tracklet).tolist():
            if tracklet not in name_of:
                name_of[tracklet] = unused
                unused += 1
        labels.append(np.array([name_of[t] for t in segment.tracklet.tolist()], np.int64))
        closing, name_of = name_of, {}
        if right is not None:
            first = np.flatnonzero((right.frame == right.first_frame) & right.detected)
            for i, j in _same_boxes(segment.closing_box, right.box[first]):
                name_of[int(right.tracklet[first[j]])] = closing[int(segment.closing_tracklet[i])]
    return np.concatenate([np.empty(0, np.int64), *labels])


def _same_boxes(left: F32, right: F32) -> list[tuple[int, int]]:
    apart = np.abs(left[:, None] - right[None]).max(axis=2)
    rows, columns = linear_sum_assignment(apart)
    return [
        (int(i), int(j))
        for i, j in zip(rows, columns, strict=True)
        if apart[i, j] <= _SAME_BOX_PX
    ]


def _dense(
    segments: Sequence[SegmentPoses], media: MediaInfo, models: tuple[str, ...], label: I64
) -> ClipPoses:
    frame = np.concatenate([s.frame for s in segments])
    box = np.concatenate([s.box for s in segments])
    score = np.concatenate([s.box_score for s in segments])
    poses = CropPoses.concatenate([s.poses for s in segments])
    model = np.concatenate(
        [np.array([models.index(s.models[m]) for m in s.model], np.int32) for s in segments]
    )
    ids = np.unique(label)
    weight = np.array(
        [((box[label == i, 2:] - box[label == i, :2]).prod(1) * score[label == i]).sum() for i in ids]
    )
    order = ids[np.argsort(-weight, kind="stable")]
    person = np.argsort(order)[np.searchsorted(ids, label)] if len(ids) else label
    rank = {int(t): k for k, t in enumerate(order)}
    person = np.array([rank[int(t)] for t in label], np.int64)
    shape = (media.frame_count, len(ids))

    def spread(values: F32, tail: tuple[int, ...]) -> F32:
        out = np.full((*shape, *tail), np.nan, np.float32)
        out[frame, person] = values
        return out

    model_of = np.full(shape, -1, np.int32)
    model_of[frame, person] = model
    return ClipPoses(
        times_s=media.times_s,
        width=media.width,
        height=media.height,
        track_id=np.arange(1, len(ids) + 1, dtype=np.int32),
        box=spread(box, (4,)),
        box_score=spread(score, ()),
        keypoints=spread(poses.keypoints, (17, 2)),
        score=spread(poses.score, (17,)),
        raw_score=spread(poses.raw_score, (17,)),
        sigma=spread(poses.sigma, (17, 2)),
        model=model_of,
        models=models,
        decoded=np.concatenate([s.decoded for s in segments]),
    )
