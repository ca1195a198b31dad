"""Merge segments into the people of a clip, the primary person first."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from deployments.athlete_choice import PROMINENT, Athlete
from deployments.messages import I32, I64, Bools, ClipPoses, MediaInfo, SegmentPoses
from deployments.tracking.athlete import choose
from deployments.tracking.grouped import Grouped
from deployments.tracking.identity import resolve
from deployments.tracking.person_table import (
    ClipRows,
    by_first_appearance,
    collect,
    pairs_in_frame,
    same_body,
)
from deployments.tracking.scene_cuts import cuts_of

_SHORT_S = 0.3
_SHORT_SHARE = 0.5  # of the clip, where that is shorter still
_SURE_SCORE = 0.6
_DUPLICATE_SHARE = 0.6
_MOST_CELLS = 4_000_000  # people times frames


def merge(
    segments: Iterable[SegmentPoses], media: MediaInfo, athlete: Athlete = PROMINENT
) -> ClipPoses:
    """Merge segments into the people of a clip.

    Tracklets are joined where the video was cut, and tracks of one body are merged. Identities are
    kept through crossings and over gaps of up to three seconds. Stray detections are dropped:
    tracks that last less than 0.3 s (or half of the clip, if that is shorter) and never reach a box
    score of 0.6. Frames of a gap stay empty. A cut to another take starts new identities.

    People are numbered from 1 by importance: the sum over frames of the square of the box's longer
    side, its score, and its nearness to the picture's center (1 there, 0.5 in the corners). The
    longer side is the body's size; the area also grows with raised arms. ``athlete`` chooses the
    primary person, who comes first and keeps their number. In a long video only the primary and the
    most important people are kept, so that people times frames do not exceed four million.

    Args:
        segments: all segments of the video, in any order.
        media: the video that the segments were cut from.
        athlete: how the primary person is chosen; see :func:`choose`.

    Returns:
        People and poses, independent of where the video was cut.

    Raises:
        ValueError: the segments do not make up the video.
        AthleteNotFoundError: nobody is at the point of ``athlete``.
    """
    parts = sorted(segments, key=lambda s: s.first_frame)
    decoded = np.concatenate([part.decoded for part in parts])
    rows, track = collect(parts, media)
    cuts = _cuts(parts, media, rows)
    del parts  # as large as the clip
    take = np.searchsorted(cuts, rows.frame, side="right")
    track = _merge_duplicates(rows, by_first_appearance(track * (len(cuts) + 1) + take))
    kept = np.flatnonzero(track >= 0)
    rows, track, take = rows[kept], track[kept], take[kept]
    identity = _resolved(rows, track, take)
    identity[_stray(rows, identity, media)] = -1
    person = _by_importance(rows, identity, media)
    numbers = np.arange(1, int(person.max(initial=-1)) + 2, dtype=np.int32)
    if primary := choose(rows, person, media, athlete):
        person = np.where(person == primary, 0, person + ((person >= 0) & (person < primary)))
        numbers = np.insert(np.delete(numbers, primary), 0, primary + 1)
    most = max(_MOST_CELLS // media.frame_count, 1)
    left_out = max(len(numbers) - most, 0)
    person[person >= most] = -1
    clip = _clip(rows, person, numbers[:most], media, decoded)
    return replace(clip, left_out=left_out, cuts=tuple(cuts))


def _cuts(parts: Sequence[SegmentPoses], media: MediaInfo, rows: ClipRows) -> list[int]:
    """Return the first frames of all takes except the first."""
    changes = [change for part in parts for change in part.changes]
    if not changes:
        return []
    nothing = np.full(1, np.nan, np.float32)
    shares = np.concatenate([nothing, *(part.shares for part in parts if part.shares is not None)])
    size = media.width, media.height
    return cuts_of(shares[:-1], changes, media.times_s, rows.frame, rows.box, size)


def _resolved(rows: ClipRows, track: I64, take: I64) -> I64:
    """Resolve the identities of the rows, take by take; see :func:`resolve`."""
    if not take.any():
        return resolve(rows, by_first_appearance(track))
    identity = np.full(len(rows), -1, np.int64)
    for number in np.unique(take):
        some = np.flatnonzero(take == number)
        found = resolve(rows[some], by_first_appearance(track[some]))
        identity[some] = np.where(found < 0, -1, found + identity.max(initial=-1) + 1)
    return identity


def _merge_duplicates(rows: ClipRows, track: I64) -> I64:
    """Merge tracks into a longer one that mostly shows the same body.

    A row is dropped (-1) if the longer track has another one in its frame.
    """
    a, b = pairs_in_frame(rows.frame)
    same = same_body(rows, a, b)
    pairs = np.sort(np.stack([track[a[same]], track[b[same]]], axis=1), axis=1)
    pairs, together = np.unique(pairs, axis=0, return_counts=True)
    length = np.bincount(track)
    track = track.copy()
    grouped = Grouped.of(rows, track)
    members = np.split(grouped.rows, grouped.stop[:-1])
    frames: dict[int, set[int]] = {}  # of the longer tracks that have become longer still
    part_of: dict[int, int] = {}
    for i in np.argsort(-together, kind="stable"):
        longer, shorter = sorted(pairs[i].tolist(), key=lambda t: -length[t])
        while longer in part_of:
            longer = part_of[longer]
        if shorter in part_of or together[i] < _DUPLICATE_SHARE * length[shorter]:
            continue
        part_of[shorter] = longer
        if longer not in frames:
            frames[longer] = set(rows.frame[members[longer]].tolist())
        own, known = members[shorter], frames[longer]
        taken = np.array([f in known for f in rows.frame[own].tolist()], np.bool_)
        track[own] = np.where(taken, -1, longer)
        moved = own[~taken]
        known.update(rows.frame[moved].tolist())
        members[longer] = np.append(members[longer], moved)
    return track


def _stray(rows: ClipRows, identity: I64, media: MediaInfo) -> Bools:
    """Return whether (n,) a row is of an identity too short and uncertain to be a person."""
    interval_s = media.duration_s / media.frame_count
    long_enough_s = min(_SHORT_S, _SHORT_SHARE * media.duration_s)
    kept = np.flatnonzero(identity >= 0)
    owner = identity[kept]
    best = np.zeros(int(owner.max(initial=-1)) + 1)
    np.maximum.at(best, owner, rows.box_score[kept])
    stray = (np.bincount(owner) * interval_s < long_enough_s) & (best < _SURE_SCORE)
    found = np.zeros(len(identity), np.bool_)
    found[kept] = stray[owner]
    return found


def _by_importance(rows: ClipRows, identity: I64, media: MediaInfo) -> I64:
    """Return the column (n,) of each row, 0 for the most important person; -1 if dropped."""
    box = rows.box.astype(np.float64)
    half = np.array([media.width, media.height]) / 2
    off_center = rows.off_center(media)
    centrality = 1 - 0.5 * np.linalg.norm(off_center, axis=1) / np.linalg.norm(half)
    size = (box[:, 2:] - box[:, :2]).max(axis=1)
    weight = size**2 * rows.box_score * centrality
    numbers, own = np.unique(identity[identity >= 0], return_inverse=True)
    importance = np.bincount(own, weight[identity >= 0], len(numbers))
    column = np.full(len(identity), -1, np.int64)
    column[identity >= 0] = np.argsort(np.argsort(-importance, kind="stable"))[own]
    return column


def _clip(rows: ClipRows, person: I64, numbers: I32, media: MediaInfo, decoded: Bools) -> ClipPoses:
    kept = np.lexsort((rows.frame, person))[np.count_nonzero(person < 0) :]
    row = np.full((media.frame_count, len(numbers)), -1, np.int32)
    row[rows.frame[kept], person[kept]] = np.arange(len(kept))
    rows = rows[kept]
    return ClipPoses(
        times_s=media.times_s,
        width=media.width,
        height=media.height,
        track_id=numbers,
        row=row,
        box=rows.box,
        box_score=rows.box_score,
        keypoints=rows.poses.keypoints,
        score=rows.poses.score,
        raw_score=rows.poses.raw_score,
        sigma=rows.poses.sigma,
        model=rows.model,
        models=rows.models,
        decoded=decoded,
        blur=rows.blur,
    )
