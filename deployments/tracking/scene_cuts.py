"""Find cuts of a video: pictures that change permanently and far more than those around."""

from collections.abc import Sequence

import numpy as np

from deployments.media.scene_change import (
    LEAST_SHARE,
    WHOLE_SHARE,
    Look,
    SceneChange,
    changed,
    stands_out,
)
from deployments.messages import F32, F64, I32

_SHORTEST = 4  # pictures of a take at the beginning or the end of a video
_LONGEST_FLASH_S = 1.0
_BACK = 1 / 3  # of what a flash changes, at most, differs after it
_MOST_WAIT = 8


def cuts_of(
    shares: F32,
    changes: Sequence[SceneChange],
    times_s: F64,
    frame: I32,
    box: F32,
    size: tuple[int, int],
) -> list[int]:
    """Find the frames that begin another take.

    A change that reverts within a second is a flash. After repeated or missing pictures, more may
    change at once. A small change is a cut only if the people change: a caption does not change
    them, and the sun changes their surroundings.

    Args:
        shares: (f,) of the picture that changes in each frame, NaN unknown.
        changes: those that may be cuts, ascending.
        times_s: (f,) of the frames.
        frame: (n,) ascending, of boxes of people. box: (n,4).
        size: (width, height) of the picture.

    Returns:
        Indices of the first frames of all takes but the first, ascending.
    """
    last = len(shares) - _SHORTEST
    usual_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    likely: list[SceneChange] = []
    alone: set[int] = set()
    for change in changes:
        if _SHORTEST <= change.frame <= last:
            less = _less_after_wait(shares, change.frame, times_s, usual_s)
            if stands_out(less, change.frame, 1):
                likely.append(change)
            if stands_out(less, change.frame):
                alone.add(change.frame)
    flashes, pairs = _pairs(likely, times_s)
    return [
        change.frame
        for change in likely
        if change.frame in (alone | pairs) - flashes
        and change.is_of_scene(box[_rows(frame, change.frame)], size)
    ]


def _rows(frame: I32, at: int) -> slice:
    """Return the rows of a frame and of the one before."""
    first, last = np.searchsorted(frame, [at - 1, at + 1])
    return slice(int(first), int(last))


def _pairs(changes: Sequence[SceneChange], times_s: F64) -> tuple[set[int], set[int]]:
    """Return the frames of changes that revert, and of those around another scene."""
    flashes: set[int] = set()
    around: set[int] = set()
    for i, first in enumerate(changes):
        for second in changes[i + 1 :]:
            if times_s[second.frame] - times_s[first.frame] > _LONGEST_FLASH_S:
                break
            both = {first.frame, second.frame}
            differs, _ = changed(Look.of_small(first.before), Look.of_small(second.after))
            if differs < max(LEAST_SHARE, _BACK * min(first.share, second.share)):
                flashes |= both
            elif differs >= WHOLE_SHARE:
                around |= both
    return flashes, around


def _less_after_wait(shares: F32, at: int, times_s: F64, usual_s: float) -> F32:
    """Divide the share of ``at`` by the number of pictures missing just before it."""
    known = np.flatnonzero(np.isfinite(shares[:at]))
    since = int(known[-1]) if len(known) else 0
    missed = float(times_s[at] - times_s[since]) / usual_s if usual_s else 1.0
    less = shares.copy()
    less[at] /= np.clip(missed, 1.0, _MOST_WAIT)
    return less
