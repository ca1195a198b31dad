"""Poses of a segment without a video."""

import numpy as np

from deployments.messages import CropPoses, SegmentPoses


def segment_poses(frames: int, models: tuple[str, ...] = ("RTMPose",), index: int = 0):
    """One person in every frame, whose rows are by ``models`` in turn; nobody without models."""
    rows = frames if models else 0
    rng = np.random.default_rng(index)

    def some(*shape: int):
        return rng.random((rows, *shape), np.float32)

    return SegmentPoses(
        index=index,
        first_frame=index * frames,
        decoded=np.ones(frames, np.bool_),
        frame=np.arange(rows, dtype=np.int32) + index * frames,
        tracklet=np.zeros(rows, np.int32),
        box=some(4),
        box_score=some(),
        detected=np.ones(rows, np.bool_),
        poses=CropPoses(some(17, 2), some(17), some(17), some(17, 2)),
        blur=some(),
        model=np.arange(rows, dtype=np.int32) % max(len(models), 1),
        models=models,
        closing_box=np.empty((0, 4), np.float32),
        closing_tracklet=np.empty(0, np.int32),
        timings_s={"decode": 0.1},
    )
