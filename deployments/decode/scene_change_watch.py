"""Compare each picture of a segment with the one before."""

import cv2
import numpy as np

from deployments.media.picture import Picture
from deployments.media.scene_change import LEAST_SHARE, Look, SceneChange, changed, stands_out
from deployments.messages import F32

_MOST_KEPT = 64


class ChangeWatch:
    """Finder of pictures in a segment that differ strongly from the one before.

    Pictures are compared within an interval between detections, including its start. Whether a pair
    is compared therefore does not depend on where the video is cut into segments.

    Args:
        first_frame: of the segment. count: of its frames.
    """

    def __init__(self, first_frame: int, count: int) -> None:
        self._first = first_frame + 1
        self._before: tuple[int, Look] | None = None
        self._own: list[tuple[float, SceneChange | None]] = []
        self._found: list[SceneChange] = []
        self.shares: F32 = np.full(count, np.nan, np.float32)
        """Changed share of each picture after the first frame, up to the closing one; NaN if it is
        identical to the one before, or if either is missing."""

    def begin(self, start: int) -> None:
        """Begin the interval after frame ``start``."""
        if self._before is not None and self._before[0] < start:
            self._before = None
        self._own = []

    def compare(self, picture: Picture) -> None:
        """Compare the next picture of the interval with the one before."""
        look = Look.of(picture.y)
        if self._before is not None:
            share, change = _compare(picture.index, self._before[1], look)
            self.shares[picture.index - self._first] = share
            self._own.append((share, change))
        self._before = picture.index, look

    def end(self) -> SceneChange | None:
        """End the interval; return the picture that changes by far the most, if any."""
        changes = [change for _, change in self._own if change is not None]
        if not changes:
            return None
        self._found += changes
        if len(self._found) > _MOST_KEPT:
            self._found = list(self.found())
        shares = np.array([share for share, _ in self._own], np.float32)
        return next((c for i, (_, c) in enumerate(self._own) if stands_out(shares, i)), None)

    def found(self) -> tuple[SceneChange, ...]:
        """Return the changes that stand out within the segment, also next to one other change."""
        return tuple(c for c in self._found if stands_out(self.shares, c.frame - self._first, 1))


def _compare(index: int, before: Look, after: Look) -> tuple[float, SceneChange | None]:
    """Return the changed share, NaN if nothing changes, and the scene change if there is one."""
    if not cv2.countNonZero(cv2.absdiff(before.luma, after.luma)):
        return float("nan"), None
    share, where = changed(before, after)
    if share < LEAST_SHARE:
        return share, None
    return share, SceneChange(index, before.luma, after.luma, share, where)
