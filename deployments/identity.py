"""Who is who over the whole clip: identities kept through crossings and over gaps.

The association from one detection frame to the next errs where people pass one another: their boxes
coincide, one of them is hidden, and the boxes may come apart the wrong way round. So rows near
another person are set aside, the clean fragments before and after are linked anew by motion, size
and pose over the whole clip (``deployments.links``), and the rows set aside are given to the
identities whose paths they follow. The same links close the gaps of missed detections.
"""

import numpy as np

from deployments.clip_rows import ClipRows, overlap, pairs_in_frame, same_body
from deployments.links import best_links, end_of, fragment_of
from deployments.messages import F64, I64, Bools

_MEETING_OVERLAP = 0.25  # of the smaller box
_MEETING_DISTANCE = 0.3  # of the centres, body sizes
_MARGIN_S = 0.1  # around a meeting
_SHORTEST_FRAGMENT_S = 0.1
_LONGEST_MEETING_S = 2.0
_HIDDEN_S = 0.4  # so long a person who vanished is looked for on the way he had


def resolve(rows: ClipRows, track: I64) -> I64:
    """Identities of the rows.

    Args:
        rows: of the clip.
        track: (n,) track of each row, from 0, by association from detection to detection.

    Returns:
        (n,) identity; -1 for a row that a better one replaces: of the same identity and frame, or
        of the same body near a crossing, where the crops of both people show the one in front.
    """
    if not len(rows):
        return track
    fragment = _cut(rows, track, _meeting(rows, track))
    members = [np.flatnonzero(fragment == i) for i in range(fragment.max() + 1)]
    links = best_links([fragment_of(rows, m, int(track[m[0]])) for m in members])
    chain = _chains(links, len(members))
    identity = np.where(fragment >= 0, chain[fragment], -1)
    paths = [np.flatnonzero(identity == i) for i in range(chain.max() + 1)]
    for number in range(track.max() + 1):
        own = np.flatnonzero(track == number)
        for run in _runs_of(fragment[own] < 0):
            before = identity[own[run.start - 1]] if run.start else identity[own[run.stop]]
            after = identity[own[run.stop]] if run.stop < len(own) else before
            identity[own[run]] = _switched(rows, own[run], before, after, paths)
    return _without_replaced(rows, identity, fragment < 0, paths)


def _meeting(rows: ClipRows, track: I64) -> Bools:
    """(n,) whether another person, seen or just hidden, is near."""
    frame, box, centre, size, owner = _with_hidden(rows, track)
    order = np.argsort(frame, kind="stable")
    a, b = (order[side] for side in pairs_in_frame(frame[order]))
    apart = np.linalg.norm(centre[a] - centre[b], axis=1) / ((size[a] + size[b]) / 2)
    near = (overlap(box[a], box[b]) > _MEETING_OVERLAP) | (apart < _MEETING_DISTANCE)
    near &= owner[a] != owner[b]
    meeting = np.zeros(len(frame), np.bool_)
    meeting[a[near]] = meeting[b[near]] = True
    return meeting[: len(rows)]


def _with_hidden(rows: ClipRows, track: I64) -> tuple[I64, F64, F64, F64, I64]:
    """Frame, box, centre, size and track of all rows, and of people shortly before and after.

    Whoever is hidden behind another person has no box; the rows added after the end of each track,
    and before its start, are where constant velocity leads.
    """
    frames, first_rows = np.unique(rows.frame, return_index=True)
    times = rows.time_s[first_rows]
    parts = [
        (rows.frame.astype(np.int64), rows.box.astype(np.float64), rows.centre, rows.size, track)
    ]
    for number in range(track.max() + 1):
        members = np.flatnonzero(track == number)
        for at, side in ((members[0], -1), (members[-1], 1)):
            since = (times - rows.time_s[at]) * side
            hidden = (since > 0) & (since <= _HIDDEN_S)
            velocity = end_of(rows, members, at).velocity
            step = (times[hidden] - rows.time_s[at])[:, None] * (
                0 if velocity is None else velocity
            )
            step = np.broadcast_to(step, (len(step), 2))
            parts.append(
                (
                    frames[hidden].astype(np.int64),
                    rows.box[at] + np.tile(step, 2),
                    rows.centre[at] + step,
                    np.full(len(step), rows.size[at]),
                    np.full(len(step), number),
                )
            )
    frame, box, centre, size, owner = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return frame, box, centre, size, owner


def _cut(rows: ClipRows, track: I64, meeting: Bools) -> I64:
    """(n,) fragment of each row, numbered from 0; -1 for the rows set aside.

    People together for longer than two seconds are not crossing, and motion from before says
    nothing about after: they keep the association from detection to detection. So does a track
    that is never alone.
    """
    fragment = np.full(len(rows), -1, np.int64)
    count = 0
    for number in range(track.max() + 1):
        members = np.flatnonzero(track == number)
        times = rows.time_s[members]
        aside = _dilated(times, meeting[members])
        for run in _runs_of(aside):
            aside[run] = np.ptp(times[run]) <= _LONGEST_MEETING_S
        clean = [run for run in _runs_of(~aside) if np.ptp(times[run]) >= _SHORTEST_FRAGMENT_S]
        for run in clean or [slice(None)]:
            fragment[members[run]] = count
            count += 1
    return fragment


def _dilated(times: F64, flags: Bools) -> Bools:
    """Flags of all rows within the margin of a flagged one; ``times`` ascend."""
    flagged = times[flags]
    low = np.searchsorted(flagged, times - _MARGIN_S, side="left")
    high = np.searchsorted(flagged, times + _MARGIN_S, side="right")
    return high > low


def _runs_of(flags: Bools) -> list[slice]:
    """Slices of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _chains(links: dict[int, int], count: int) -> I64:
    """(count,) identity of each fragment: that of the one it continues, else a new one."""
    before = {j: i for i, j in links.items()}
    roots = []
    for fragment in range(count):
        root = fragment
        while root in before:
            root = before[root]
        roots.append(root)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def _switched(rows: ClipRows, aside: I64, before: int, after: int, paths: list[I64]) -> I64:
    """Identities of rows set aside: first ``before``, then ``after``, by the nearer path."""
    if before == after:
        return np.full(len(aside), before, np.int64)
    of_before, of_after = (_off_path(rows, aside, paths[i]) for i in (before, after))
    # Cost of each place of the switch, from the first row to behind the last.
    cost = np.concatenate([[0], np.cumsum(of_before)]) + np.concatenate(
        [np.cumsum(of_after[::-1])[::-1], [0]]
    )
    return np.where(np.arange(len(aside)) < np.argmin(cost), before, after)


def _off_path(rows: ClipRows, some: I64, path: I64) -> F64:
    """Distance of rows from the way through the rows of ``path``, in body sizes."""
    x, y = (
        np.interp(rows.time_s[some], rows.time_s[path], rows.centre[path, axis]) for axis in (0, 1)
    )
    off: F64 = np.hypot(rows.centre[some, 0] - x, rows.centre[some, 1] - y) / rows.size[some]
    return off


def _without_replaced(rows: ClipRows, identity: I64, aside: Bools, paths: list[I64]) -> I64:
    off = np.zeros(len(rows))
    for number, path in enumerate(paths):
        some = np.flatnonzero(aside & (identity == number))
        off[some] = _off_path(rows, some, path)
    a, b = pairs_in_frame(rows.frame)
    same = identity[a] == identity[b]
    same |= (aside[a] | aside[b]) & same_body(rows, a, b)
    worse = np.where(off[a] > off[b], a, b)
    kept = identity.copy()
    kept[worse[same]] = -1
    return kept
