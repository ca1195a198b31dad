"""Links between fragments of tracks, pair by pair: the oracle of ``deployments.tracking.links``.

It is slow and easy to follow.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from deployments.messages import F64, I64
from deployments.tracking.person_table import ClipRows

MAX_GAP_S = 3.0
"""Who is lost for longer is another track when he comes back."""

_WINDOW_S = 0.4  # of the rows that tell where a fragment comes from and goes to
_MIN_SPAN_S = 0.1  # of rows that tell a velocity
_UNLINKED = 9.0  # price of an end and a start left unlinked: three deviations in two of the terms
_CONTINUED = 0.2  # allowance for what the association from detection to detection says itself

# Standard deviations: at no gap, and growth for each second of it.
_POSITION = (0.1, 0.4)
_POSITION_UNKNOWN_SPEED = (0.2, 1.5)
_VELOCITY_PER_S = (0.4, 0.6)
_LOG_SIZE = (0.2, 0.3)
_POSE = (0.12, 0.6)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a fragment, seen from its last rows.

    Attributes:
        time_s: of the last row. center: (2,) there, pixels. size: pixels.
        velocity: (2,) pixels a second; None if the fragment is too short to tell.
        pose: (17,2) keypoints about the center in body sizes, NaN where not seen.
    """

    time_s: float
    center: F64
    size: float
    velocity: F64 | None
    pose: F64


@dataclass(frozen=True, slots=True)
class Fragment:
    """A stretch of rows of one person, with the track it was cut from."""

    track: int
    first: End
    last: End


def fragment_of(rows: ClipRows, members: I64, track: int) -> Fragment:
    """The fragment that rows ``members`` (ascending in time) make up."""
    return Fragment(track, end_of(rows, members, members[0]), end_of(rows, members, members[-1]))


def best_links(fragments: list[Fragment]) -> dict[int, int]:
    """The links of least total price: index of a fragment -> index of the one that follows it.

    Every fragment has at most one before and one after it. Fragments that belong to one track and
    follow one another in it are linked at any gap and price if nothing better is found for them.
    """
    candidates = [*_candidates(fragments)]
    count = len(fragments)
    # A column for the start of each fragment, and another for each end left unlinked.
    ends = [*(i for i, _, _ in candidates), *range(count)]
    starts = [*(j for _, j, _ in candidates), *range(count, 2 * count)]
    price = [*(p for _, _, p in candidates), *[_UNLINKED] * count]
    # The matching takes an explicit zero for "no edge".
    entries = (np.array(price) + 1.0, (ends, starts))
    matrix = scipy.sparse.coo_array(entries, shape=(count, 2 * count)).tocsr()
    rows, columns = scipy.sparse.csgraph.min_weight_full_bipartite_matching(matrix)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if j < count}


def link_price(before: End, after: End) -> float:
    """Price of ``after`` continuing ``before``; 0 for a perfect continuation without a gap."""
    gap = after.time_s - before.time_s
    size = (before.size + after.size) / 2
    known = [v for v in (before.velocity, after.velocity) if v is not None]
    spread = _POSITION if len(known) == 2 else _POSITION_UNKNOWN_SPEED
    position = _deviation(spread, gap) * size
    step = after.center - before.center
    missed = [step - v * gap for v in known] or [step]
    price = sum(float(m @ m) for m in missed) / len(missed) / position**2
    if len(known) == 2:
        change = known[1] - known[0]
        price += float(change @ change) / (_deviation(_VELOCITY_PER_S, gap) * size) ** 2
    price += (np.log(after.size / before.size) / _deviation(_LOG_SIZE, gap)) ** 2
    apart = np.linalg.norm(after.pose - before.pose, axis=1)
    if np.isfinite(apart).any():
        price += float(np.nanmean(apart**2)) / _deviation(_POSE, gap) ** 2
    # The wider a Gaussian, the lower: a near miss soon is likelier than the same much later.
    return float(price) / 2 + 2 * float(np.log(_deviation(spread, gap) / spread[0]))


def _candidates(fragments: list[Fragment]) -> list[tuple[int, int, float]]:
    """(fragment, later fragment, price) of all links that may be made, each pair once."""
    order = sorted(range(len(fragments)), key=lambda i: fragments[i].first.time_s)
    starts = np.array([fragments[i].first.time_s for i in order])
    following: dict[int, int] = {}
    last_of_track: dict[int, int] = {}
    for i in order:
        if fragments[i].track in last_of_track:
            following[last_of_track[fragments[i].track]] = i
        last_of_track[fragments[i].track] = i
    links = []
    for i, fragment in enumerate(fragments):
        end = fragment.last.time_s
        near = slice(*np.searchsorted(starts, [end, end + MAX_GAP_S], side="right"))
        for j in {*order[near], *([following[i]] if i in following else [])}:
            price = link_price(fragment.last, fragments[j].first)
            if following.get(i) == j:
                price = min(price, _UNLINKED) - _CONTINUED
            if price < _UNLINKED:
                links.append((i, j, price))
    return links


def _deviation(at_once_and_per_s: tuple[float, float], gap_s: float) -> float:
    return at_once_and_per_s[0] + at_once_and_per_s[1] * gap_s


def end_of(rows: ClipRows, members: I64, at: np.int64) -> End:
    """The state at row ``at``, the first or last of ``members``, by the rows within the window."""
    time = rows.time_s[members] - rows.time_s[at]
    near = np.abs(time) <= _WINDOW_S
    members, time = members[near], time[near]
    center, velocity = rows.center[at], None
    if np.ptp(time) >= _MIN_SPAN_S:
        slope, offset = np.polynomial.polynomial.polyfit(time, rows.center[members], 1)[::-1]
        center, velocity = offset, slope
    size = float(np.median(rows.size[members]))
    pose = (rows.seen_keypoints(np.array([at]))[0] - rows.center[at]) / size
    return End(float(rows.time_s[at]), center, size, velocity, pose)
