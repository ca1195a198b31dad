"""Detect more often while people move: halve intervals until the motion within them is small.

The decision for an interval depends only on its own two ends, so that the boxes do not depend on
where the video is cut.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deployments.decode.association import match
from deployments.decode.detection_intervals import Interval
from deployments.media_choice import Region
from deployments.messages import F32, Detections

# Of a body's size, between two detections. A box bends away from the straight line between them by
# an eighth of how much its motion changes: 1.5 % of a body's size if all of it does.
_STILL = 0.12

Find = Callable[[list[Interval]], Awaitable[list[Detections | None]]]
"""Find the people in the last picture of each interval; None if it is missing."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """An interval and the people at its end."""

    interval: Interval
    found: Detections | None


async def refined(
    before: F32 | None,
    intervals: Sequence[Interval],
    found: Sequence[Detections | None],
    finest: int,
    thumbnail_size: tuple[int, int],
    find: Find,
    region: Region | None = None,
) -> tuple[list[Interval], list[Detections | None]]:
    """Add detections to a stretch of the video where people move.

    Args:
        before: (n,4) boxes at the start of the first interval; None if unknown.
        intervals: consecutive. found: the people at the end of each.
        finest: smallest number of frames between two detections.
        thumbnail_size: (width, height) of the detector's input.
        find: calls the detector.
        region: part of the picture in the thumbnails; None for all of it.
    """
    pieces = [_Piece(i, f) for i, f in zip(intervals, found, strict=True)]
    while True:
        starts = [before, *(p.found.boxes if p.found else None for p in pieces[:-1])]
        heads = [
            _head(piece.interval, finest, thumbnail_size, region)
            if _moved(start, piece.found)
            else None
            for start, piece in zip(starts, pieces, strict=True)
        ]
        asked = [head for head in heads if head]
        if not asked:
            return [p.interval for p in pieces], [p.found for p in pieces]
        answers = iter(await find(asked))
        halved: list[_Piece] = []
        for piece, head in zip(pieces, heads, strict=True):
            if head:
                halved.append(_Piece(head, next(answers)))
                piece = replace(piece, interval=_tail(piece.interval, head))  # noqa: PLW2901
            halved.append(piece)
        pieces = halved


def _moved(before: F32 | None, after: Detections | None) -> bool:
    """Return True if a person appeared, disappeared, moved or changed size."""
    if before is None or after is None:
        return False
    # No limit on the speed: a person too far from all others counts as a change anyway.
    pairs = match(before, after.boxes, np.inf)
    if len(pairs) < max(len(before), len(after.boxes)):
        return True
    first, last = before[pairs[:, 0]], after.boxes[pairs[:, 1]]
    size = np.maximum(first[:, 2:] - first[:, :2], last[:, 2:] - last[:, :2]).max(axis=1)
    return bool((np.abs(last - first).max(axis=1) > _STILL * size).any())


def _head(
    interval: Interval, finest: int, thumbnail_size: tuple[int, int], region: Region | None
) -> Interval | None:
    """Return the first half, up to a picture with thumbnail; None if it cannot be halved."""
    middle = interval.start + (interval.end - interval.start) // 2
    if middle - interval.start < finest:
        return None
    pictures = tuple(p for p in interval.pictures if p.index <= middle)
    if not pictures or pictures[-1].index != middle:
        return None
    thumbnail, scale = pictures[-1].cut(region).letterbox(thumbnail_size)
    return Interval(interval.start, middle, pictures, thumbnail, scale, interval.change)


def _tail(interval: Interval, head: Interval) -> Interval:
    pictures = interval.pictures[len(head.pictures) :]
    return replace(interval, start=head.end, pictures=pictures)
