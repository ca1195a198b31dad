"""Link fragments of tracks by the best set of links over the whole clip.

The price of a link, from the end of one fragment to the start of a later one, is the negative
log-likelihood that both are one person. It has four Gaussian terms: the error of constant velocity,
forwards and backwards in time; the change of velocity; of size; and of the pose about the body's
center. Deviations are in body sizes and grow with the gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import scipy

from deployments.messages import F64, I64
from deployments.tracking.grouped import Grouped, expand_ranges
from deployments.tracking.person_table import ClipRows

MAX_GAP_S = 3.0
"""Longest gap in seconds; a person who returns later has a new track."""

_WINDOW_S = 0.4  # of the rows that tell where a fragment comes from and goes to
_MIN_SPAN_S = 0.1  # of rows that tell a velocity
_UNLINKED = 9.0  # price of an end and a start left unlinked: three deviations in two of the terms
_CONTINUED = 0.2  # allowance for what the association from detection to detection says itself
_PAIRS = 1 << 17  # priced at once
_SETTLED = 4000  # ends of fragments, after which the next are looked at

# Standard deviations: at no gap, and growth for each second of it.
_POSITION = (0.1, 0.4)
_POSITION_UNKNOWN_SPEED = (0.2, 1.5)
_VELOCITY_PER_S = (0.4, 0.6)
_LOG_SIZE = (0.2, 0.3)
_POSE = (0.12, 0.6)


@dataclass(frozen=True, slots=True)
class Ends:
    """One end of each of k fragments, estimated from its outermost rows.

    Attributes:
        time_s: (k,) of the last row. center: (k,2) there, pixels. size: (k,) pixels.
        velocity: (k,2) pixels a second; NaN if the fragment is too short.
        pose: (k,17,2) keypoints about the center in body sizes, NaN where not seen.
    """

    time_s: F64
    center: F64
    size: F64
    velocity: F64
    pose: F64

    def __getitem__(self, index: I64) -> "Ends":
        return Ends(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Fragments:
    """Stretches of rows of one person each, with the (k,) tracks they were cut from."""

    track: I64
    first: Ends
    last: Ends


def fragments_of(rows: ClipRows, members: Grouped, track: I64) -> Fragments:
    """Build the fragments from groups of rows and the (n,) ``track`` of each row."""
    first, last = members.start, members.stop - 1
    return Fragments(
        track[members.rows[first]],
        ends_of(rows, members, members.rows[first]),
        ends_of(rows, members, members.rows[last]),
    )


def best_links(fragments: Fragments) -> I64:
    """Find the links of least total price: (k,) index of the next fragment of each, or -1.

    Every fragment has at most one predecessor and one successor. Successive fragments of one track
    are linked at any gap and price if no better link is found for them.

    The time of a matching grows with the square of the number of fragments. A long clip is
    therefore solved in stretches, each including the next one. With at most 45 ends a second (six
    people, 7.5 detections a second) a stretch has 90 s; links span at most 3 s.
    """
    before, after, price = _candidates(fragments)
    ends_by_time = np.argsort(fragments.last.time_s, kind="stable")
    rank = np.empty(len(ends_by_time), np.int64)
    rank[ends_by_time] = np.arange(len(rank))
    order = np.argsort(rank[before], kind="stable")
    before, after, price = rank[before][order], after[order], price[order]
    follower = np.full(len(rank), -1, np.int64)
    free = np.ones(len(rank), np.bool_)
    for first in range(0, max(len(rank) - _SETTLED, 1), _SETTLED):
        stop = first + 2 * _SETTLED
        some = slice(*np.searchsorted(before, [first, stop]))
        usable = free[after[some]]
        end, start = before[some][usable], after[some][usable]
        end, start = _cheapest(end, start, price[some][usable])
        if stop < len(rank):
            settled = end < first + _SETTLED
            end, start = end[settled], start[settled]
        follower[ends_by_time[end]] = start
        free[start] = False
    return follower


def _cheapest(before: I64, after: I64, price: F64) -> tuple[I64, I64]:
    """Return the pairs of least total price, with each end and each start at most once."""
    ends, row = np.unique(before, return_inverse=True)
    starts, column = np.unique(after, return_inverse=True)
    own = np.arange(len(ends))
    # A column for each start, and another for each end left unlinked.
    rows, columns = np.concatenate([row, own]), np.concatenate([column, own + len(starts)])
    # The matching takes an explicit zero for "no edge".
    entries = np.concatenate([price, np.full(len(ends), _UNLINKED)]) + 1.0
    shape = len(ends), len(starts) + len(ends)
    matrix = scipy.sparse.coo_array((entries, (rows, columns)), shape=shape).tocsr()
    taken, to = scipy.sparse.csgraph.min_weight_full_bipartite_matching(matrix)
    linked = to < len(starts)
    return ends[taken[linked]], starts[to[linked]]


def link_price(before: Ends, after: Ends) -> F64:
    """Return the price (k,) of ``after`` continuing ``before``; 0 for a perfect link."""
    return _motion_price(before, after) + _pose_price(before, after)


def _motion_price(before: Ends, after: Ends) -> F64:
    gap = after.time_s - before.time_s
    size = (before.size + after.size) / 2
    step = after.center - before.center
    known = [np.isfinite(end.velocity[:, 0]) for end in (before, after)]
    both, number = known[0] & known[1], np.sum(known, axis=0)
    missed = np.where(number == 0, _square(step), 0.0)
    for end, is_known in zip((before, after), known, strict=True):
        missed += np.where(is_known, _square(step - end.velocity * gap[:, None]), 0.0)
    spread_0 = np.where(both, _POSITION[0], _POSITION_UNKNOWN_SPEED[0])
    spread_s = np.where(both, _POSITION[1], _POSITION_UNKNOWN_SPEED[1])
    deviation = spread_0 + spread_s * gap
    price = missed / np.maximum(number, 1) / (deviation * size) ** 2
    change = _square(after.velocity - before.velocity)
    price += np.where(both, change / (_deviation(_VELOCITY_PER_S, gap) * size) ** 2, 0.0)
    price += (np.log(after.size / before.size) / _deviation(_LOG_SIZE, gap)) ** 2
    # A wider Gaussian is lower: the same error is likelier after a short gap than a long one.
    total: F64 = price / 2 + 2 * np.log(deviation / spread_0)
    return total


def _pose_price(before: Ends, after: Ends) -> F64:
    apart = _square(after.pose - before.pose)
    seen = np.isfinite(apart)
    mean = np.where(seen, apart, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    price: F64 = mean / _deviation(_POSE, after.time_s - before.time_s) ** 2 / 2
    return price


def _square(vector: F64) -> F64:
    """Return the squared length over the last axis."""
    square: F64 = np.einsum("...i,...i", vector, vector)
    return square


def _candidates(fragments: Fragments) -> tuple[I64, I64, F64]:
    """Return fragment, later fragment and price of all possible links, each pair once."""
    first, last = fragments.first, fragments.last
    order = np.argsort(first.time_s, kind="stable")
    following = _following(fragments.track, order)
    found: list[tuple[I64, I64, F64]] = []
    for end, start in _near(first.time_s[order], last.time_s):
        other = following[end] != order[start]
        before, after = end[other], order[start[other]]
        price = _motion_price(last[before], first[after])
        # No term is negative, so the expensive pose term is computed only if it can decide.
        cheap = np.flatnonzero(price < _UNLINKED)
        total = price[cheap] + _pose_price(last[before[cheap]], first[after[cheap]])
        likely = total < _UNLINKED
        found.append((before[cheap][likely], after[cheap][likely], total[likely]))
    continued = np.flatnonzero(following >= 0)
    then = following[continued]
    price = np.minimum(link_price(last[continued], first[then]), _UNLINKED) - _CONTINUED
    found.append((continued, then, price))
    before, after, price = (np.concatenate(part) for part in zip(*found, strict=True))
    return before, after, price


def _following(track: I64, order: I64) -> I64:
    """Return the next fragment (k,) of the same track in ``order``, or -1."""
    by_track = order[np.argsort(track[order], kind="stable")]
    same = track[by_track[1:]] == track[by_track[:-1]]
    following = np.full(len(track), -1, np.int64)
    following[by_track[:-1][same]] = by_track[1:][same]
    return following


def _near(starts_s: F64, ends_s: F64) -> Iterator[tuple[I64, I64]]:
    """Yield pairs of an end and a later start within the longest gap, ascending in time."""
    low = np.searchsorted(starts_s, ends_s, side="right")
    high = np.searchsorted(starts_s, ends_s + MAX_GAP_S, side="right")
    total = np.cumsum(high - low)
    chunks = np.searchsorted(total, np.arange(_PAIRS, total[-1], _PAIRS))
    for part in np.split(np.arange(len(ends_s)), chunks):
        owner, start = expand_ranges(low[part], high[part])
        yield part[owner], start


def _deviation(at_once_and_per_s: tuple[float, float], gap_s: F64) -> F64:
    return at_once_and_per_s[0] + at_once_and_per_s[1] * gap_s


def ends_of(rows: ClipRows, members: Grouped, at: I64) -> Ends:
    """Estimate the state at rows ``at`` (g,), first or last of each group, within the window."""
    time = rows.time_s[members.rows] - rows.time_s[at][members.group]
    near = np.abs(time) <= _WINDOW_S
    some, group, time = members.rows[near], members.group[near], time[near]
    count = np.bincount(group, minlength=len(at))
    center, velocity = _lines(group, count, time, rows.center[some])
    starts = np.cumsum(count) - count
    span = np.maximum.reduceat(time, starts) - np.minimum.reduceat(time, starts)
    short = (span < _MIN_SPAN_S)[:, None]
    ordered = rows.size[some][np.lexsort((rows.size[some], group))]
    size = (ordered[starts + (count - 1) // 2] + ordered[starts + count // 2]) / 2
    pose = (rows.seen_keypoints(at) - rows.center[at][:, None]) / size[:, None, None]
    return Ends(
        rows.time_s[at],
        np.where(short, rows.center[at], center),
        size,
        np.where(short, np.nan, velocity),
        pose,
    )


def _lines(group: I64, count: I64, time: F64, values: F64) -> tuple[F64, F64]:
    """Fit least-squares lines to values (m,2) by group; return offset and slope (g,2)."""

    def mean(of: F64) -> F64:
        return np.bincount(group, of, len(count)) / count

    middle = mean(time)
    about = time - middle[group]
    spread_s2 = mean(about**2)
    offsets, slopes = [], []
    for value in values.T:
        level = mean(value)
        covariance = mean(about * (value - level[group]))
        slope = np.divide(covariance, spread_s2, out=np.zeros(len(count)), where=spread_s2 > 0)
        slopes.append(slope)
        offsets.append(level - slope * middle)
    return np.stack(offsets, axis=1), np.stack(slopes, axis=1)
