"""Measure the difference of two analyzes of the same frames: boxes, keypoints, people."""

from dataclasses import dataclass

import numpy as np
import scipy

from deployments.box_overlap import intersection_over_union
from deployments.messages import F32, F64, I64, ClipPoses, CropPoses, SegmentPoses

MIN_IOU = 0.1
"""Boxes that overlap less are of different people."""


@dataclass(frozen=True, slots=True)
class Rows:
    """People in frames, one row each.

    Attributes:
        frame: (n,) ascending. box: (n,4). keypoints: (n,17,2). score: (n,17).
    """

    frame: I64
    box: F32
    keypoints: F32
    score: F32

    @staticmethod
    def of_clip(clip: ClipPoses) -> "Rows":
        """Return the rows of a whole clip."""
        frame, person = np.nonzero(clip.present)
        at = clip.row[frame, person]
        return Rows(frame.astype(np.int64), clip.box[at], clip.keypoints[at], clip.score[at])

    @staticmethod
    def of_segment(found: SegmentPoses) -> "Rows":
        """Return the rows of one segment."""
        frame = found.frame.astype(np.int64)
        return Rows(frame, found.box, found.poses.keypoints, found.poses.score)


@dataclass(frozen=True, slots=True)
class AnalysisDifference:
    """Differences of the people found in both.

    Attributes:
        iou_mean, iou_p5: overlap of their boxes; the twentieth part is worse than the latter.
        shift_median, shift_p95: distances of keypoints seen in both, of the height of the box.
        missed, extra: people and frames in one analysis alone. people: in the reference.
    """

    iou_mean: float
    iou_p5: float
    shift_median: float
    shift_p95: float
    missed: int
    extra: int
    people: int


def difference(reference: Rows, other: Rows, min_score: float) -> AnalysisDifference:
    """Compare ``other`` with ``reference``; keypoints below ``min_score`` are ignored.

    Where nothing is in both, the overlap is 0 and the shift NaN.
    """
    overlaps, shifts = [np.empty(0)], [np.empty(0)]
    matched = 0
    for frame in np.union1d(reference.frame, other.frame):
        theirs, mine = (np.flatnonzero(r.frame == frame) for r in (reference, other))
        iou = intersection_over_union(reference.box[theirs, None], other.box[None, mine])
        i, j = scipy.optimize.linear_sum_assignment(-iou)
        same = iou[i, j] > MIN_IOU
        i, j = i[same], j[same]
        matched += len(i)
        overlaps.append(iou[i, j])
        a, b = theirs[i], mine[j]
        seen = (reference.score[a] >= min_score) & (other.score[b] >= min_score)
        apart = np.linalg.norm(reference.keypoints[a] - other.keypoints[b], axis=-1)
        height = np.ptp(reference.box[a][:, 1::2], axis=1)
        shifts.append((apart / height[:, None])[seen])
    all_iou = np.concatenate(overlaps)
    median, p95 = _median_and_p95(np.concatenate(shifts))
    return AnalysisDifference(
        iou_mean=float(all_iou.mean()) if len(all_iou) else 0.0,
        iou_p5=float(np.quantile(all_iou, 0.05)) if len(all_iou) else 0.0,
        shift_median=median,
        shift_p95=p95,
        missed=len(reference.frame) - matched,
        extra=len(other.frame) - matched,
        people=len(reference.frame),
    )


def crop_shift_px(reference: CropPoses, found: CropPoses, min_score: float) -> tuple[float, float]:
    """Return median and 95th percentile of the distance of two models' keypoints, crop pixels.

    Those that both see at ``min_score`` or over count; NaN where there are none.
    """
    seen = (reference.score >= min_score) & (found.score >= min_score)
    return _median_and_p95(
        np.linalg.norm(reference.keypoints[seen] - found.keypoints[seen], axis=-1)
    )


def _median_and_p95(values: F64) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    return float(np.median(values)), float(np.quantile(values, 0.95))
