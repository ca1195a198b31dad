"""Define the reasons of null values, and combine them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Reasons = NDArray[np.str_]
"""Reasons (f,), empty where there is a value."""

LOW_CONFIDENCE: Final = "low_confidence"
OUT_OF_FRAME: Final = "out_of_frame"
OUTLIER: Final = "outlier"
DEGENERATE_GEOMETRY: Final = "degenerate_geometry"
BEYOND_JOINT_RANGE: Final = "beyond_joint_range"
VIEW_MISMATCH: Final = "view_mismatch"
FACING_UNKNOWN: Final = "facing_unknown"
NO_SUPPORT: Final = "no_support"
LOCOMOTION: Final = "locomotion"
NOISE: Final = "noise"
INSUFFICIENT_HISTORY: Final = "insufficient_history"
LOW_COVERAGE: Final = "low_coverage"
NO_REPETITION: Final = "no_repetition"
HIDDEN_BY_HAND: Final = "hidden_by_hand"
DISABLED: Final = "disabled"
CONTACT_UNCERTAIN: Final = "contact_uncertain"
"""The foot rolls, and without keypoints of it the time of contact is uncertain."""

NO_FREE_FALL: Final = "no_free_fall"
"""The ankles do not move like feet that roll on the ground and fall freely in the air."""

NO_FOOT_POINTS: Final = "no_foot_points"
"""The ankles alone do not show when the foot is on the ground."""

_KIND: Final = "<U24"


def none(frames: int) -> Reasons:
    """Return empty reasons (frames,)."""
    return np.full(frames, "", _KIND)


def first(*candidates: Reasons) -> Reasons:
    """Return the first reason of several for each frame, empty where none has one."""
    result = candidates[0].astype(_KIND)
    for later in candidates[1:]:
        result = np.where(result == "", later, result)
    return result


def where(condition: Flags, word: str) -> Reasons:
    """Return ``word`` where ``condition`` holds, else empty."""
    return np.where(condition, word, "").astype(_KIND)
