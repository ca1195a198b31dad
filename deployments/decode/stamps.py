"""Repair time stamps that go backwards or repeat."""

from itertools import pairwise

import numpy as np

from deployments.media.reader import MOST_REORDERED
from deployments.messages import I64

_MOST_BACK = 2 * MOST_REORDERED  # both fields of a picture may be packets


def are_suspect(pts: list[int], reorders: bool) -> bool:
    """Return whether time stamps of packets can be wrong; only decoding all pictures shows it.

    They are suspect if some repeat, or go back further than any decoder reorders pictures, or
    ascend although the decoder reorders pictures, as in a raw stream put into a container.
    """
    values = np.array(pts, np.int64)
    rank = np.empty(len(values), np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    moved = np.abs(rank - np.arange(len(values))).max(initial=0)
    return bool(
        len(np.unique(values)) < len(values)
        or moved > _MOST_BACK
        or (reorders and moved == 0 and len(values) > 1)
    )


def are_ascending(times: list[int | None]) -> bool:
    """Return whether every picture has a time stamp after that of the one before."""
    return None not in times and all(a < b for a, b in pairwise(times))  # type: ignore[operator]


def regular(times: list[int | None], usual: int) -> I64:
    """Return the true time stamps of pictures in the decoder's order, strictly ascending.

    The decoder returns pictures in display order, whatever their time stamps are. Stamps in another
    order are therefore sorted. Where they go back further than a decoder reorders pictures, time
    continues from there. Repeated ones are spread up to the next time, and missing ones are placed
    between their neighbors.

    Args:
        times: from the decoder. usual: ticks of an interval, used if ``times`` do not give one.
    """
    number = np.arange(len(times))
    there = np.array([time is not None for time in times], np.bool_)
    if not there.any():
        return number.astype(np.int64) * usual
    known = np.array([time for time in times if time is not None], np.int64)
    gaps = np.diff(np.unique(known))
    usual = max(round(float(np.median(gaps))), 1) if len(gaps) else usual
    values = known[0] + np.rint(np.interp(number, number[there], known - known[0])).astype(np.int64)
    sorted_parts: list[I64] = []
    for part in np.split(values, _restarts(values, usual)):
        ascending = np.sort(part)
        if sorted_parts:
            ascending += sorted_parts[-1][-1] + usual - ascending[0]
        sorted_parts.append(_spread(ascending, usual))
    joined = np.concatenate(sorted_parts)
    # Where there are fewer ticks than pictures, each gets one.
    return np.maximum.accumulate(joined - number) + number


def _restarts(values: I64, usual: int) -> list[int]:
    """Return the indices at which time restarts."""
    found, latest = [], int(values[0])
    for i, value in enumerate(values.tolist()):
        if value < latest - MOST_REORDERED * usual:
            found.append(i)
            latest = value
        latest = max(latest, value)
    return found


def _spread(ascending: I64, usual: int) -> I64:
    """Spread equal values evenly up to the next value."""
    distinct, first, count = np.unique(ascending, return_index=True, return_counts=True)
    room = np.diff(distinct)
    last = float(np.median(room / count[:-1])) if len(room) else usual
    room = np.append(room, round(last * count[-1]))
    within = np.arange(len(ascending)) - np.repeat(first, count)
    spread: I64 = ascending + within * np.repeat(room, count) // np.repeat(count, count)
    return spread
