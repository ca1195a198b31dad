"""Who is who over a whole clip, one track at a time: the oracle of ``deployments.tracking``.

Each step looks through all rows for each track. It is slow and easy to follow.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from deployments.messages import F64, I64, Bools, ClipPoses, MediaInfo, SegmentPoses
from deployments.tracking.person_table import (
    ClipRows,
    by_first_appearance,
    collect,
    pairs_in_frame,
    same_body,
)
from deployments.tracking.tracks import _by_importance, _clip
from tests.support.plain_links import best_links, end_of, fragment_of

_SHORT_S = 0.3
_SHORT_SHARE = 0.5  # of the clip, where that is shorter still
_SURE_SCORE = 0.6
_DUPLICATE_SHARE = 0.6
_MOST_CELLS = 4_000_000  # people times frames


def merge(segments: Iterable[SegmentPoses], media: MediaInfo) -> ClipPoses:
    """See ``deployments.tracking.tracks.merge``."""
    parts = sorted(segments, key=lambda s: s.first_frame)
    rows, track = collect(parts, media)
    track = _merge_duplicates(rows, track)
    kept = np.flatnonzero(track >= 0)
    rows, track = rows[kept], by_first_appearance(track[kept])
    identity = resolve(rows, track)
    identity[np.isin(identity, _stray(rows, identity, media))] = -1
    person = _by_importance(rows, identity, media)
    most = max(_MOST_CELLS // media.frame_count, 1)
    left_out = max(int(person.max(initial=-1)) + 1 - most, 0)
    person[person >= most] = -1
    numbers = np.arange(1, int(person.max(initial=-1)) + 2, dtype=np.int32)
    clip = _clip(rows, person, numbers, media, np.concatenate([part.decoded for part in parts]))
    return replace(clip, left_out=left_out)


def _merge_duplicates(rows: ClipRows, track: I64) -> I64:
    """Tracks that are mostly of the body of a longer one become part of it.

    A row is dropped (-1) where the longer track has another one.
    """
    a, b = pairs_in_frame(rows.frame)
    same = same_body(rows, a, b)
    pairs = np.sort(np.stack([track[a[same]], track[b[same]]], axis=1), axis=1)
    pairs, together = np.unique(pairs, axis=0, return_counts=True)
    length = np.bincount(track)
    track = track.copy()
    part_of: dict[int, int] = {}
    for i in np.argsort(-together, kind="stable"):
        longer, shorter = sorted(pairs[i].tolist(), key=lambda t: -length[t])
        while longer in part_of:
            longer = part_of[longer]
        if shorter in part_of or together[i] < _DUPLICATE_SHARE * length[shorter]:
            continue
        part_of[shorter] = longer
        members = np.flatnonzero(track == shorter)
        taken = np.isin(rows.frame[members], rows.frame[track == longer])
        track[members] = np.where(taken, -1, longer)
    return track


def _stray(rows: ClipRows, identity: I64, media: MediaInfo) -> list[int]:
    """Identities too short and too uncertain to be a person."""
    interval_s = media.duration_s / media.frame_count
    long_enough_s = min(_SHORT_S, _SHORT_SHARE * media.duration_s)
    return [
        int(number)
        for number in np.unique(identity)
        if np.count_nonzero(identity == number) * interval_s < long_enough_s
        and rows.box_score[identity == number].max() < _SURE_SCORE
    ]


_TOUCHING = 0.15  # body sizes between the centers
_SPEED_OVER_S = 0.2
_CLEARLY_NEARER = 0.5
_MARGIN_S = 0.1  # around a meeting
_SHORTEST_FRAGMENT_S = 0.1
_LONGEST_MEETING_S = 2.0
_HIDDEN_S = 0.2  # so long a person who vanished is looked for on the way he had
_AROUND_S = 0.4


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
    identity = _given_to_absent(rows, identity, np.flatnonzero(fragment < 0), paths)
    return _without_replaced(rows, identity, fragment < 0, paths)


def _meeting(rows: ClipRows, track: I64) -> Bools:
    """(n,) whether another person, seen or just hidden, is so near that both may be mixed up.

    That near is the distance of two people each of whom goes half of what separates them from one
    detection to the next: nearer ones may have passed one another unseen.
    """
    frame, center, size, owner, step = _with_hidden(rows, track)
    order = np.argsort(frame, kind="stable")
    a, b = (order[side] for side in pairs_in_frame(frame[order]))
    apart = np.linalg.norm(center[a] - center[b], axis=1)
    limit = _TOUCHING * (size[a] + size[b]) / 2 + (step[a] + step[b]) / 2
    near = (apart < limit) & (owner[a] != owner[b])
    meeting = np.zeros(len(frame), np.bool_)
    meeting[a[near]] = meeting[b[near]] = True
    return meeting[: len(rows)]


def _with_hidden(rows: ClipRows, track: I64) -> tuple[I64, F64, F64, I64, F64]:
    """Frame, center, size, track and step of all rows, and of people shortly before and after.

    Whoever is hidden behind another person has no box; the rows added after the end of each track,
    and before its start, are where constant velocity leads. The step is what a person goes from one
    detection frame to the next, pixels.
    """
    frames, first_rows = np.unique(rows.frame, return_index=True)
    times = rows.time_s[first_rows]
    detected = np.unique(rows.time_s[rows.detected])
    interval_s = float(np.median(np.diff(detected))) if len(detected) > 1 else 0.0
    steps = np.zeros(len(rows))
    parts: list[tuple[I64, F64, F64, I64, F64]] = []
    for number in range(track.max() + 1):
        members = np.flatnonzero(track == number)
        steps[members] = _speed(rows, members) * interval_s
        for at, side in ((members[0], -1), (members[-1], 1)):
            since = (times - rows.time_s[at]) * side
            hidden = np.flatnonzero((since > 0) & (since <= _HIDDEN_S))
            velocity = end_of(rows, members, at).velocity
            ahead = side * since[hidden, None] * (np.zeros(2) if velocity is None else velocity)
            parts.append(
                (
                    frames[hidden].astype(np.int64),
                    rows.center[at] + ahead,
                    np.full(len(hidden), rows.size[at]),
                    np.full(len(hidden), number),
                    np.full(len(hidden), steps[at]),
                )
            )
    parts.insert(0, (rows.frame.astype(np.int64), rows.center, rows.size, track, steps))
    frame, center, size, owner, step = (np.concatenate(p) for p in zip(*parts, strict=True))
    return frame, center, size, owner, step


def _speed(rows: ClipRows, members: I64) -> F64:
    """(k,) highest speed around each row of a track, pixels a second."""
    times, center = rows.time_s[members], rows.center[members]
    back = np.searchsorted(times, times - _SPEED_OVER_S)
    span = times - times[back]
    gone = np.linalg.norm(center - center[back], axis=1)
    speed = np.divide(gone, span, out=np.zeros(len(span)), where=span >= _SPEED_OVER_S / 2)
    start = np.searchsorted(times, times - _AROUND_S, side="left")
    stop = np.searchsorted(times, times + _AROUND_S, side="right")
    # Every other stretch is from a stop to the next start; the sentinel ends the last.
    stretches = np.stack([start, stop], axis=1).ravel()
    fastest: F64 = np.maximum.reduceat(np.append(speed, 0.0), stretches)[::2]
    return fastest


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


def _given_to_absent(rows: ClipRows, identity: I64, aside: I64, paths: list[I64]) -> I64:
    """Identities in which rows set aside go to who is absent there and whose path is far nearer.

    Where one person hides another, the track of either may have gone on with the box of the one in
    front; the one behind was not seen, and has no rows.
    """
    frame, owner = rows.frame[aside], identity[aside]
    off = np.zeros(len(aside))
    for number in np.unique(owner):
        off[owner == number] = _off_path(rows, aside[owner == number], paths[number])
    nearest, best = off * _CLEARLY_NEARER, owner.copy()
    for number, path in enumerate(paths):
        within = np.flatnonzero((frame > rows.frame[path[0]]) & (frame < rows.frame[path[-1]]))
        absent = within[~np.isin(frame[within], rows.frame[identity == number])]
        off_here = _off_path(rows, aside[absent], path)
        nearer = off_here < nearest[absent]
        best[absent[nearer]], nearest[absent[nearer]] = number, off_here[nearer]
    given = identity.copy()
    given[aside] = best
    return given


def _off_path(rows: ClipRows, some: I64, path: I64) -> F64:
    """Distance of rows from the way through the rows of ``path``, in body sizes."""
    x, y = (
        np.interp(rows.time_s[some], rows.time_s[path], rows.center[path, axis]) for axis in (0, 1)
    )
    off: F64 = np.hypot(rows.center[some, 0] - x, rows.center[some, 1] - y) / rows.size[some]
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
