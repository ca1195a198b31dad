"""Choose the primary person among the people of a clip."""

from typing import Final

import numpy as np

from deployments.athlete_choice import Athlete, AthletePoint
from deployments.errors import AthleteNotFoundError, BadParameterError
from deployments.messages import F64, I64, MediaInfo
from deployments.tracking.person_table import ClipRows

_LONG_SHARE: Final = 0.1  # share of the rows of the person seen longest


def frame_of(point: AthletePoint, media: MediaInfo) -> int:
    """Return the index among the analyzed frames of the frame of ``point``.

    Raises:
        BadParameterError: the frame is not analyzed, or the point is outside the picture.
    """
    if point.x >= media.width or point.y >= media.height:
        raise BadParameterError(
            f"athlete: the point ({point.x:g}, {point.y:g}) is outside the upright picture of "
            f"{media.width}x{media.height} pixels",
            hint="Choose a point within the upright picture.",
            field="athlete",
            width=media.width,
            height=media.height,
        )
    if point.time_s is not None:
        times_s = media.times_s
        step_s = media.duration_s / media.frame_count
        if times_s[0] - step_s <= point.time_s <= times_s[-1] + step_s:
            return int(np.abs(times_s - point.time_s).argmin())
        found = f"{point.time_s:g} s is outside {times_s[0]:g} to {times_s[-1]:g} s"
    else:
        numbers = media.numbers
        index = int(np.searchsorted(numbers, point.frame))
        if index < len(numbers) and numbers[index] == point.frame:
            return index
        found = f"frame {point.frame} is not among frames {numbers[0]} to {numbers[-1]}"
    raise BadParameterError(
        f"athlete: {found}, which are analyzed",
        hint="Choose a frame or a time that is analyzed.",
        field="athlete",
    )


def choose(rows: ClipRows, person: I64, media: MediaInfo, athlete: Athlete) -> int:
    """Return the number of the primary person.

    - ``prominent``: the person of most importance, see :func:`deployments.tracking.tracks.merge`.
    - ``longest``: the person in most frames.
    - ``largest``: the greatest median of the box's longer side.
    - ``center``: the smallest median distance from the picture's center to the box's center.
    - a point: the person whose box in that frame contains it; of several, the one with the nearest
      visible keypoint.

    People seen in under a tenth of the frames of the one seen longest are neither ``largest`` nor
    ``center``. The more important person wins a tie.

    Args:
        rows: of the clip. person: (n,) number of each row in the order of importance, from 0; -1
            for none.

    Raises:
        AthleteNotFoundError: nobody is at the point.
        BadParameterError: see :func:`frame_of`.
    """
    if isinstance(athlete, AthletePoint):
        return _at_point(rows, person, athlete, frame_of(athlete, media))
    if athlete == "prominent" or not (person >= 0).any():
        return 0
    count = np.bincount(person[person >= 0])
    if athlete == "longest":
        return int(count.argmax())
    value = rows.size
    if athlete == "center":
        value = -np.linalg.norm(rows.off_center(media), axis=1)
    medians = [
        np.median(value[person == p]) if n >= _LONG_SHARE * count.max() else -np.inf
        for p, n in enumerate(count)
    ]
    return int(np.argmax(medians))


def _at_point(rows: ClipRows, person: I64, point: AthletePoint, frame: int) -> int:
    seen = np.flatnonzero((rows.frame == frame) & (person >= 0))
    at = np.array([point.x, point.y])
    box = rows.box[seen]
    inside = ((box[:, :2] <= at) & (at <= box[:, 2:])).all(axis=1)
    if not inside.any():
        found = [
            {"track_id": int(person[row]) + 1, "box": [round(float(v), 1) for v in rows.box[row]]}
            for row in seen[np.argsort(person[seen])]
        ]
        where = f"frame {point.frame}" if point.time_s is None else f"{point.time_s:g} s"
        raise AthleteNotFoundError(
            f"athlete: nobody was found at ({point.x:g}, {point.y:g}) at {where}; "
            f"{len(found)} people were found elsewhere in that frame",
            field="athlete",
            people=found,
        )
    seen = seen[inside]
    return int(person[seen[np.lexsort((person[seen], _apart(rows, seen, at)))[0]]])


def _apart(rows: ClipRows, some: I64, at: F64) -> F64:
    """Return the distance (k,) from ``at`` to the nearest visible keypoint, inf without any."""
    apart = np.linalg.norm(rows.seen_keypoints(some) - at, axis=2)
    nearest: F64 = np.where(np.isfinite(apart), apart, np.inf).min(axis=1)
    return nearest
