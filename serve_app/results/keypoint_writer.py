"""Write the keypoints of one person in one frame."""

import math
from dataclasses import replace

import numpy as np

from biomech.kinematics.uncertainty import oks_sigma
from biomech.skeleton import KEYPOINTS
from deployments.hand_edits import HandEdits
from deployments.messages import F32, F64, ClipPoses
from serve_app.results.response_schema import Keypoint

_PARTS_OF_ONE = np.array([100.0, 100.0, 1e4, 1e4, 100.0, 100.0])
"""Decimals of x, y, score, raw score and the two deviations of a keypoint."""


def keypoints_of(clip: ClipPoses, row: int) -> dict[str, Keypoint]:
    """Return the keypoints of a row of a clip, with those set by hand on top."""
    columns = np.concatenate(
        [
            clip.keypoints[row].astype(np.float64),
            clip.score[row, :, None],
            clip.raw_score[row, :, None],
            clip.sigma[row],
        ],
        axis=1,
    )
    if clip.by_hand is not None:
        _put_by_hand(columns, clip.by_hand, clip.box[row], row)
    rounded = (np.rint(columns * _PARTS_OF_ONE) / _PARTS_OF_ONE).tolist()
    found = {name: _keypoint(*row) for name, row in zip(KEYPOINTS, rounded, strict=True)}
    if clip.by_hand is not None:
        changed = np.isfinite(clip.by_hand.xy[row]).all(-1) | clip.by_hand.hidden[row]
        for i in np.flatnonzero(changed).tolist():
            found[KEYPOINTS[i]] = replace(found[KEYPOINTS[i]], by_hand=True)
    return found


def _put_by_hand(columns: F64, hand: HandEdits, box: F32, row: int) -> None:
    """Replace the columns of points that were placed or hidden; raw scores stay the network's."""
    placed = np.isfinite(hand.xy[row]).all(-1)
    columns[placed, :2] = hand.xy[row, placed]
    columns[placed, 2] = 1.0
    columns[placed, 4:] = oks_sigma(box.astype(np.float64))[placed]
    columns[hand.hidden[row], 2] = 0.0
    columns[hand.hidden[row]] *= [np.nan, np.nan, 1.0, 1.0, np.nan, np.nan]


def _keypoint(x: float, y: float, score: float, raw: float, sx: float, sy: float) -> Keypoint:
    found = math.isfinite(x) and math.isfinite(y)
    return Keypoint(
        x=x if found else None,
        y=y if found else None,
        confidence=score,
        raw_score=raw,
        sigma=(sx, sy) if math.isfinite(sx) and math.isfinite(sy) else None,
    )
