"""Resolve identities over the whole clip, through crossings and over gaps.

The association from one detection frame to the next fails when people pass each other: their boxes
coincide, one of them is hidden, and the boxes may separate with swapped identities. Rows near
another person are therefore set aside. The clean fragments before and after are linked by motion,
size and pose over the whole clip (``deployments.tracking.links``), and the rows set aside are
assigned to the identities whose paths they follow. The same links close gaps of missed detections.
"""

import numpy as np

from deployments.messages import F64, I64, Bools
from deployments.tracking.grouped import Grouped, expand_ranges, off_path
from deployments.tracking.links import best_links, ends_of, fragments_of
from deployments.tracking.person_table import ClipRows, pairs_in_frame, same_body

_TOUCHING = 0.15  # body sizes between the centers
_SPEED_OVER_S = 0.2
_CLEARLY_NEARER = 0.5
_MARGIN_S = 0.1  # around a meeting
_SHORTEST_FRAGMENT_S = 0.1
_LONGEST_MEETING_S = 2.0
_HIDDEN_S = 0.2  # so long a person who vanished is looked for on the way he had
_AROUND_S = 0.4
_PAIRS = 1 << 20  # of a row and a path, compared at once


def resolve(rows: ClipRows, track: I64) -> I64:
    """Resolve the identities of the rows.

    The time grows with the rows and with the people visible at once, not with rows times tracks.

    Args:
        rows: of the clip.
        track: (n,) track of each row, from 0, by association from detection to detection.

    Returns:
        (n,) identity; -1 for a row replaced by a better one of the same identity and frame, or of
        the same body near a crossing, where the crops of both people show the one in front.
    """
    if not len(rows):
        return track
    tracks = Grouped.of(rows, track)
    fragment = _cut(rows, tracks, _meeting(rows, tracks))
    aside = fragment < 0
    fragments = fragments_of(rows, Grouped.of(rows, fragment), track)
    chain = _chains(best_links(fragments), np.argsort(fragments.first.time_s, kind="stable"))
    identity = np.where(aside, -1, chain[fragment])
    paths = Grouped.of(rows, identity)
    identity = _switched(rows, tracks, identity, paths)
    identity = _given_to_absent(rows, identity, np.flatnonzero(aside), paths)
    return _without_replaced(rows, identity, aside, paths)


def _meeting(rows: ClipRows, tracks: Grouped) -> Bools:
    """Return whether (n,) another person, seen or just hidden, is near enough to be confused.

    Two people are near if each can move half of their distance between two detections, because
    they may then have passed each other unseen.
    """
    frame, center, size, owner, step = _with_hidden(rows, tracks)
    order = np.argsort(frame, kind="stable")
    a, b = (order[side] for side in pairs_in_frame(frame[order]))
    apart = np.linalg.norm(center[a] - center[b], axis=1)
    limit = _TOUCHING * (size[a] + size[b]) / 2 + (step[a] + step[b]) / 2
    near = (apart < limit) & (owner[a] != owner[b])
    meeting = np.zeros(len(frame), np.bool_)
    meeting[a[near]] = meeting[b[near]] = True
    return meeting[: len(rows)]


def _with_hidden(rows: ClipRows, tracks: Grouped) -> tuple[I64, F64, F64, I64, F64]:
    """Return frame, center, size, track and step of all rows, extended at the ends of tracks.

    A person hidden behind another has no box. The rows added before and after each track are
    predictions of constant velocity. The step is a person's motion between two detection frames,
    in pixels.
    """
    frames, first_rows = np.unique(rows.frame, return_index=True)
    times = rows.time_s[first_rows]
    detected = np.unique(rows.time_s[rows.detected])
    interval_s = float(np.median(np.diff(detected))) if len(detected) > 1 else 0.0
    steps, track = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    steps[tracks.rows] = _speed(rows, tracks) * interval_s
    track[tracks.rows] = tracks.group
    parts: list[tuple[I64, F64, F64, I64, F64]] = [
        (rows.frame.astype(np.int64), rows.center, rows.size, track, steps)
    ]
    for places, side in ((tracks.start, -1), (tracks.stop - 1, 1)):
        ends = tracks.rows[places]
        # A frame more on either side, for rounding.
        bounds = np.sort([rows.time_s[ends], rows.time_s[ends] + side * _HIDDEN_S], axis=0)
        low, high = np.searchsorted(times, bounds)
        number, hidden = expand_ranges(np.maximum(low - 1, 0), np.minimum(high + 2, len(times)))
        since = (times[hidden] - rows.time_s[ends][number]) * side
        there = (since > 0) & (since <= _HIDDEN_S)
        number, hidden, since = number[there], hidden[there], since[there]
        velocity = np.nan_to_num(ends_of(rows, tracks, ends).velocity)
        at = ends[number]
        ahead = side * since[:, None] * velocity[number]
        parts.append(
            (
                frames[hidden].astype(np.int64),
                rows.center[at] + ahead,
                rows.size[at],
                number,
                steps[at],
            )
        )
    frame, center, size, owner, step = (np.concatenate(p) for p in zip(*parts, strict=True))
    return frame, center, size, owner, step


def _speed(rows: ClipRows, tracks: Grouped) -> F64:
    """Return the highest speed (m,) around each row of the tracks, pixels a second."""
    times, center = rows.time_s[tracks.rows], rows.center[tracks.rows]
    back = tracks.place(tracks.group, times - _SPEED_OVER_S)
    span = times - times[back]
    gone = np.linalg.norm(center - center[back], axis=1)
    speed = np.divide(gone, span, out=np.zeros(len(span)), where=span >= _SPEED_OVER_S / 2)
    start = tracks.place(tracks.group, times - _AROUND_S)
    stop = tracks.place(tracks.group, times + _AROUND_S, after=True)
    # Every other stretch is from a stop to the next start; the sentinel ends the last.
    stretches = np.stack([start, stop], axis=1).ravel()
    fastest: F64 = np.maximum.reduceat(np.append(speed, 0.0), stretches)[::2]
    return fastest


def _cut(rows: ClipRows, tracks: Grouped, meeting: Bools) -> I64:
    """Return the fragment (n,) of each row, numbered from 0; -1 for rows set aside.

    People together for longer than two seconds are not crossing, and their earlier motion does not
    predict the later one. They keep the association from detection to detection, as does a track
    that is never alone.
    """
    times = rows.time_s[tracks.rows]
    aside = _dilated(times, tracks, meeting[tracks.rows])
    start, stop = _runs_of(aside, tracks)
    crossing = times[stop - 1] - times[start] <= _LONGEST_MEETING_S
    aside = _filled(len(times), start[crossing], stop[crossing])
    start, stop = _runs_of(~aside, tracks)
    clean = times[stop - 1] - times[start] >= _SHORTEST_FRAGMENT_S
    start, stop = start[clean], stop[clean]
    never = np.setdiff1d(np.arange(len(tracks)), tracks.group[start])
    start = np.concatenate([start, tracks.start[never]])
    stop = np.concatenate([stop, tracks.stop[never]])
    order = np.argsort(start)
    number, place = expand_ranges(start[order], stop[order])
    fragment = np.full(len(rows), -1, np.int64)
    fragment[tracks.rows[place]] = number
    return fragment


def _dilated(times: F64, tracks: Grouped, flags: Bools) -> Bools:
    """Flag all rows within the margin of a flagged one of the same track."""
    flagged = np.concatenate([[0], np.cumsum(flags)])
    low = tracks.place(tracks.group, times - _MARGIN_S)
    high = tracks.place(tracks.group, times + _MARGIN_S, after=True)
    near: Bools = flagged[high] > flagged[low]
    return near


def _runs_of(flags: Bools, tracks: Grouped) -> tuple[I64, I64]:
    """Return the first places of the runs of True, and those after; a run is of one track."""
    edge = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    begins, ends = edge[::2], edge[1::2]
    parted = tracks.start[1:][flags[tracks.start[1:]] & flags[tracks.start[1:] - 1]]
    return np.sort(np.append(begins, parted)), np.sort(np.append(ends, parted))


def _filled(count: int, start: I64, stop: I64) -> Bools:
    filled = np.zeros(count, np.bool_)
    filled[expand_ranges(start, stop)[1]] = True
    return filled


def _chains(follower: I64, order: I64) -> I64:
    """Return the identity (k,) of each fragment, from the one it continues or new, by time."""
    root = np.arange(len(follower))
    for fragment in order.tolist():
        if follower[fragment] >= 0:
            root[follower[fragment]] = root[fragment]
    return np.unique(root, return_inverse=True)[1].astype(np.int64)


def _switched(rows: ClipRows, tracks: Grouped, identity: I64, paths: Grouped) -> I64:
    """Assign rows set aside to the identity of their track before or after, or of both.

    Between two identities there is one switch, at the best place by the nearer path.
    """
    here = identity[tracks.rows]
    start, stop = _runs_of(here < 0, tracks)
    group = tracks.group[start]
    before, after = here[start - 1], here[np.minimum(stop, len(here) - 1)]
    first, last = start == tracks.start[group], stop == tracks.stop[group]
    before, after = np.where(first, after, before), np.where(last, before, after)
    run, place = expand_ranges(start, stop)
    some = tracks.rows[place]
    of_before, of_after = (off_path(rows, some, paths, who[run]) for who in (before, after))
    given = before[run]
    ends = np.cumsum(stop - start)
    for number in np.flatnonzero(before != after).tolist():
        own = slice(ends[number] - (stop - start)[number], ends[number])
        # Cost of each place of the switch, from the first row to behind the last.
        cost = np.concatenate([[0], np.cumsum(of_before[own])]) + np.concatenate(
            [np.cumsum(of_after[own][::-1])[::-1], [0]]
        )
        given[own][np.argmin(cost) :] = after[number]
    switched = identity.copy()
    switched[some] = given
    return switched


def _given_to_absent(rows: ClipRows, identity: I64, aside: I64, paths: Grouped) -> I64:
    """Assign rows set aside to an absent identity whose path is far nearer.

    If one person hides another, either track may have continued with the box of the one in front.
    The person behind was not seen, and has no rows.
    """
    owners = Grouped.of(rows, identity)
    frame = rows.frame[aside]
    nearest = off_path(rows, aside, paths, identity[aside]) * _CLEARLY_NEARER
    best = identity[aside]
    first, last = paths.rows[paths.start], paths.rows[paths.stop - 1]
    low = np.searchsorted(frame, rows.frame[first], side="right")
    high = np.searchsorted(frame, rows.frame[last], side="left")
    total = np.cumsum(np.maximum(high - low, 0))
    parts = np.searchsorted(total, np.arange(_PAIRS, total[-1], _PAIRS))
    for numbers in np.split(np.arange(len(paths)), parts):
        number, row = expand_ranges(low[numbers], high[numbers])
        number += numbers[0] if len(numbers) else 0
        absent = ~owners.has(number, rows.time_s[aside[row]])
        number, row = number[absent], row[absent]
        off = off_path(rows, aside[row], paths, number)
        nearer = off < nearest[row]
        number, row, off = number[nearer], row[nearer], off[nearer]
        order = np.lexsort((number, off, row))
        row, chosen = np.unique(row[order], return_index=True)
        best[row], nearest[row] = number[order][chosen], off[order][chosen]
    given = identity.copy()
    given[aside] = best
    return given


def _without_replaced(rows: ClipRows, identity: I64, aside: Bools, paths: Grouped) -> I64:
    off = np.zeros(len(rows))
    off[aside] = off_path(rows, np.flatnonzero(aside), paths, identity[aside])
    a, b = pairs_in_frame(rows.frame)
    same = identity[a] == identity[b]
    same |= (aside[a] | aside[b]) & same_body(rows, a, b)
    worse = np.where(off[a] > off[b], a, b)
    kept = identity.copy()
    kept[worse[same]] = -1
    return kept
