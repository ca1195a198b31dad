"""Associate the people of two consecutive detection frames, and interpolate boxes in between.

Everything here is a pure function of one pair of consecutive detection frames, without state along
the video. Boxes therefore do not depend on the number of segments, and crops of frames in between
are independent. Identity over longer times is resolved on the whole clip, in
``deployments.tracking.tracks``.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from deployments.messages import F32, F64, I32, I64, Bools, Detections

# A sprinter runs 12 m/s, about seven body heights a second. The offset allows for a box that moves
# only because an arm or a leg is stretched out.
_REACH_AT_ONCE = 0.25
_REACH_PER_S = 6.0
_REACH_MAX = 1.25
_MAX_SIZE_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class People:
    """People of one detection frame.

    Attributes:
        box: (n,4) image pixels. score: (n,).
        tracklet: (n,) number of each, equal to that of the same person one detection frame before.
    """

    box: F32
    score: F32
    tracklet: I32


@dataclass(frozen=True, slots=True)
class BoxRows:
    """Boxes of the frames between two detection frames, one row a person and frame.

    Attributes:
        frame: (n,) position in the given frames, ascending; within a frame by tracklet.
        tracklet: (n,). box: (n,4) image pixels. score: (n,).
        detected: (n,) False where interpolated or held.
    """

    frame: I64
    tracklet: I32
    box: F32
    score: F32
    detected: Bools

    @staticmethod
    def empty() -> "BoxRows":
        """Return an empty table."""
        return between(None, None, np.empty(0))


def select(found: Detections, min_score: float, max_people: int) -> Detections:
    """Select the best detections, by score, then area.

    Args:
        found: boxes (n,4) and score (n,).
        min_score: detections with a lower score are dropped.
        max_people: maximum number of people to keep.
    """
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    order = np.lexsort((-sides.prod(axis=1), -found.score))
    # A box without area has no crop.
    usable = (found.score >= min_score) & (sides > 0).all(axis=1)
    best = order[usable[order]][:max_people]
    return Detections(found.boxes[best], found.score[best])


def match(before: F32, after: F32, gap_s: float) -> I64:
    """Match boxes of the same person in two pictures ``gap_s`` seconds apart.

    The assignment minimizes the total cost. A pair costs the distance of the centers in body sizes
    plus the absolute logarithm of the ratio of the sizes. The body size is the longer side of a
    box, mean of both, which changes little between standing and crouching. Overlap is not required:
    a sprinter leaves the own box within 0.15 s. Pairs further apart than a person can run, or with
    sizes that differ by more than a factor of two, are excluded.

    Args:
        before: (n,4) boxes of the earlier picture. after: (m,4) of the later one.
        gap_s: seconds between them.

    Returns:
        (k,2) indices into ``before`` and ``after``, ascending in ``before``.
    """
    size_before, size_after = (
        (boxes[:, 2:] - boxes[:, :2]).max(axis=1).astype(np.float64) for boxes in (before, after)
    )
    center_before, center_after = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (before, after))
    apart = np.linalg.norm(center_before[:, None] - center_after[None], axis=2)
    apart = apart / ((size_before[:, None] + size_after[None]) / 2)
    growth = np.abs(np.log(size_before[:, None] / size_after[None]))

    reach = min(_REACH_AT_ONCE + _REACH_PER_S * gap_s, _REACH_MAX)
    possible = (apart <= reach) & (growth <= np.log(_MAX_SIZE_RATIO))
    # An impossible pair leaves two people unmatched, at the cost of the longest step.
    rows, columns = scipy.optimize.linear_sum_assignment(np.where(possible, apart + growth, reach))
    kept = possible[rows, columns]
    return np.stack([rows[kept], columns[kept]], axis=1).astype(np.int64)


def follow(before: People | None, found: Detections, gap_s: float, unused: int) -> People:
    """Assign tracklet numbers to the people of a detection frame by those of the one before.

    Args:
        before: people one detection frame earlier; None if there is none, or without a picture.
        found: people of this one.
        gap_s: seconds between the two.
        unused: first tracklet number not yet given away.

    Returns:
        The people found, in the given order; unmatched ones have new numbers from ``unused``.
    """
    tracklet = np.full(len(found.boxes), -1, np.int32)
    if before is not None:
        pairs = match(before.box, found.boxes, gap_s)
        tracklet[pairs[:, 1]] = before.tracklet[pairs[:, 0]]
    new = tracklet < 0
    tracklet[new] = unused + np.arange(np.count_nonzero(new), dtype=np.int32)
    return People(found.boxes, found.score, tracklet)


def between(
    before: People | None, after: People | None, fraction: F64, is_new: Bools | None = None
) -> BoxRows:
    """Interpolate boxes in the frames after one detection frame, up to and including the next.

    A person in both detection frames moves linearly in time. A person in only one keeps that box in
    the frames nearer to it, and is absent in the exact middle, so that the rule is symmetric in
    time. A detection frame that could not be decoded gives no evidence of absence: boxes are kept
    all the way to it. If another scene begins in between, boxes are kept up to it and from it on.

    Args:
        before: people of the earlier detection frame; None if it is not known.
        after: people of the later one; None if it is not known.
        fraction: (f,) time of each frame as a part of the interval, in (0, 1].
        is_new: (f,) whether each frame is of another scene than the earlier detection frame.

    Returns:
        The rows of all f frames.
    """
    nobody = People(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))
    start, end = before or nobody, after or nobody
    tracklet = np.union1d(start.tracklet, end.tracklet).astype(np.int32)
    in_start, in_end = np.isin(tracklet, start.tracklet), np.isin(tracklet, end.tracklet)

    first, last = np.empty((2, len(tracklet), 5), np.float64)
    first[in_start], last[in_end] = _by_tracklet(start), _by_tracklet(end)
    first[~in_start], last[~in_end] = last[~in_start], first[~in_end]

    part = fraction[:, None]
    present = (
        (in_start & in_end)
        | (in_start & ((part < 0.5) | (after is None)))
        | (in_end & ((part > 0.5) | (before is None)))
    )
    if is_new is not None:
        present = np.where(is_new[:, None], in_end, in_start)
    frame, person = np.nonzero(present)
    weight = (fraction if is_new is None else is_new.astype(np.float64))[frame, None]
    moved = (1 - weight) * first[person] + weight * last[person]
    return BoxRows(
        frame=frame,
        tracklet=tracklet[person],
        box=moved[:, :4].astype(np.float32),
        score=moved[:, 4].astype(np.float32),
        detected=(fraction[frame] == 1.0) & in_end[person],
    )


def _by_tracklet(people: People) -> F64:
    """Return box and score (n,5), ascending in tracklet."""
    order = np.argsort(people.tracklet)
    return np.column_stack([people.box, people.score]).astype(np.float64)[order]
