"""Comparing the pictures of a segment, each with the one before."""

from collections.abc import Sequence

import cv2
import numpy as np

from deployments.media.picture import Picture
from deployments.messages import F32
from deployments.scene_change import LEAST_SHARE, Look, SceneChange, changed, stands_out

_MOST_KEPT = 64


class ChangeWatch:
    """Finds the pictures of a segment that differ by far from the one before.

    Pictures are compared within an interval between detections, its start included: so each pair
    is, or is not, wherever the video is cut into segments.

    Args:
        first_frame: of the segment. count: of its frames.
    """

    def __init__(self, first_frame: int, count: int) -> None:
        self._first = first_frame + 1
        self._before: tuple[int, Look] | None = None
        self._found: list[SceneChange] = []
        self.shares: F32 = np.full(count, np.nan, np.float32)
        """Of each picture after the first frame, up to the closing one, the share that changes;
        NaN where it is the same picture again, or one of both is not there."""

    def change_in(self, start: int, pictures: Sequence[Picture]) -> SceneChange | None:
        """Compare the pictures of the interval after frame ``start``.

        Returns:
            The picture that changes by far more than all others of the interval.
        """
        if self._before is not None and self._before[0] < start:
            self._before = None
        own: list[float] = []
        changes: list[tuple[int, SceneChange]] = []
        for picture in pictures:
            look = Look.of(picture.y)
            if self._before is not None:
                share, change = _compare(picture.index, self._before[1], look)
                self.shares[picture.index - self._first] = share
                own.append(share)
                if change is not None:
                    changes.append((len(own) - 1, change))
            self._before = picture.index, look
        self._found += [change for _, change in changes]
        if len(self._found) > _MOST_KEPT:
            self._found = list(self.found())
        shares = np.array(own, np.float32)
        return next((change for i, change in changes if stands_out(shares, i)), None)

    def found(self) -> tuple[SceneChange, ...]:
        """Changes that stand out, as far as the segment tells; one other around may, too."""
        return tuple(c for c in self._found if stands_out(self.shares, c.frame - self._first, 1))


def _compare(index: int, before: Look, after: Look) -> tuple[float, SceneChange | None]:
    """Return the share that changes, NaN where nothing at all does, and the change if it is one."""
    if not cv2.absdiff(before.luma, after.luma).any():
        return float("nan"), None
    mask = changed(before, after)
    share = float(mask.mean())
    if share < LEAST_SHARE:
        return share, None
    return share, SceneChange(index, before.luma, after.luma, mask)
