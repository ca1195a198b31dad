"""Select the keypoints that count as seen."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from biomech import reasons
from biomech.kinematics.geometry import Array
from biomech.reasons import Reasons
from biomech.skeleton import INDEX


@dataclass(frozen=True, slots=True)
class VisibleKeypoints:
    """Keypoints of one person without those that are not seen.

    Attributes:
        xy: (f, 17, 2) pixels, NaN where not seen.
        reason: (f, 17) reason, empty where seen.
    """

    xy: Array
    reason: Reasons

    def missing(self, keypoints: Iterable[str]) -> Reasons:
        """Return the reason (f,) of the first missing one of ``keypoints``, empty where none is."""
        return reasons.first(
            reasons.none(len(self.xy)), *(self.reason[:, INDEX[name]] for name in keypoints)
        )


def gate(xy: Array, score: Array, size: tuple[int, int], min_score: float) -> VisibleKeypoints:
    """Remove points of low score and points outside the picture.

    A low score takes precedence as the reason, because the position of such a point is unreliable.

    Args:
        xy: (f, 17, 2) pixels. score: (f, 17); NaN counts as 0.
        size: (width, height) of the picture, whose pixels are centered at integers.
        min_score: scores below are low.
    """
    unsure = (np.nan_to_num(score) < min_score) | np.isnan(xy).any(-1)
    outside = ((xy < -0.5) | (xy > np.array(size) - 0.5)).any(-1)
    reason = reasons.first(
        reasons.where(np.asarray(unsure), reasons.LOW_CONFIDENCE),
        reasons.where(np.asarray(outside), reasons.OUT_OF_FRAME),
    )
    return VisibleKeypoints(np.where((reason == "")[..., None], xy, np.nan), reason)
