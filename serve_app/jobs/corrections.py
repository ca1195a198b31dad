"""Check corrections by hand against a result, and apply them to the measured people of a clip."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic_core import from_json

from biomech.events.event_edits import Bounds, EventEdits, GaitEdit
from biomech.skeleton import INDEX
from deployments.errors import BadParameterError, TooLargeError
from deployments.hand_edits import HandEdits
from deployments.messages import ClipPoses, MediaInfo
from serve_app.jobs.result_file import read_frames, read_head
from serve_app.results.correction_schema import (
    MOST_RECORDED,
    Correction,
    Corrections,
    EventCorrection,
    PointBefore,
    PointCorrection,
    RecordedCorrection,
    RepetitionCorrection,
)

_NUMBER: Final = re.compile(rb'"frame_number":(\d+)')
_Key = tuple[int, int, str]  # person, frame, keypoint
_Points = dict[int, dict[int, dict[str, Any]]]  # by frame, then person: keypoints


@dataclass(frozen=True, slots=True)
class Recorded:
    """Corrections of a result, and what is needed to compute it again.

    Attributes:
        corrections: record of them. min_score: confidence threshold of the result.
    """

    corrections: Corrections
    min_score: float


def recorded(
    folder: Path, job_id: str, changes: Sequence[Correction], owner: str | None
) -> Recorded:
    """Check changes against a result, and record them after its own.

    Args:
        folder: of the result. job_id: of its job. changes: in order. owner: who made them.

    Raises:
        BadParameterError: the result has no such person, frame, point or event, or it has no
            frames. TooLargeError: the record would be too long. ResultFilesError: it is damaged.
    """
    head = from_json(read_head(folder))
    data = head.get("data") or {}
    if not data.get("processing_summary"):
        raise BadParameterError(
            "the result has no data, so that nothing in it can be corrected",
            hint="Correct the result of a job that was submitted with data and without fields.",
            field="changes",
        )
    earlier = Corrections.model_validate(head["corrections"]) if head.get("corrections") else None
    before = earlier.changes if earlier else []
    if len(before) + len(changes) > MOST_RECORDED:
        raise TooLargeError(
            f"the result would record {len(before) + len(changes)} changes",
            hint="Submit the video again, and correct the result of that job.",
            quantity="changes",
            value=len(before) + len(changes),
            limit=MOST_RECORDED,
        )
    checked = _Checked(data, _points(folder, _frames_of(changes)))
    now = time.time()
    made = [
        RecordedCorrection(at=now, by=owner or None, job=job_id, change=change, before=old)
        for nth, change in enumerate(changes)
        for old in [checked.take(nth, change)]
    ]
    corrections = Corrections(
        origin=earlier.origin if earlier else job_id,
        corrected_from=job_id,
        changes=[*before, *made],
    )
    return Recorded(corrections, data["processing_summary"]["confidence_threshold"])


def edited(clip: ClipPoses, media: MediaInfo, corrections: Corrections) -> ClipPoses:
    """Return the measured people of a clip with corrections on top.

    Raises:
        BadParameterError: the clip has not the person or the frame of a correction.
    """
    changes = [made.change for made in corrections.changes]
    index = {int(number): at for at, number in enumerate(media.numbers)}
    person = {int(number): at for at, number in enumerate(clip.track_id)}
    xy = np.full(clip.keypoints.shape, np.nan, np.float32)
    hidden = np.zeros(clip.keypoints.shape[:2], np.bool_)
    for (who, frame, keypoint), change in net_points(corrections.changes).items():
        row = int(clip.row[index[frame], person[who]]) if {frame} <= index.keys() else -1
        if row < 0:
            raise BadParameterError(f"person {who} is not in frame {frame}", field="changes")
        if change.hidden:
            hidden[row, INDEX[keypoint]] = True
        else:
            xy[row, INDEX[keypoint]] = change.x, change.y
    people = {change.person_id for change in changes if change.kind != "point"}
    events = {who: _edits(changes, who, index) for who in people}
    if not (
        np.isfinite(xy).any() or hidden.any() or any(e != EventEdits() for e in events.values())
    ):
        return clip  # equal to no corrections
    return replace(clip, by_hand=HandEdits(xy, hidden, events))


def net_points(changes: Iterable[RecordedCorrection]) -> dict[_Key, PointCorrection]:
    """Return the last correction of each point, without points that are back at their origin."""
    first: dict[_Key, PointBefore | None] = {}
    last: dict[_Key, PointCorrection] = {}
    for made in changes:
        change = made.change
        if isinstance(change, PointCorrection):
            key = (change.person_id, change.frame, change.keypoint)
            first.setdefault(key, made.before)
            last[key] = change
    return {key: change for key, change in last.items() if not _is_back(first[key], change)}


def _is_back(origin: PointBefore | None, change: PointCorrection) -> bool:
    return origin is not None and change.x is not None and (
        (change.x, change.y) == (origin.x, origin.y)
    )  # fmt: skip


def _edits(changes: Sequence[Correction], person: int, index: Mapping[int, int]) -> EventEdits:
    """Return the events of a person that all changes together remove and add."""
    gait: tuple[set[GaitEdit], set[GaitEdit]] = set(), set()
    reps: tuple[set[Bounds], set[Bounds]] = set(), set()
    for change in changes:
        if change.person_id != person:
            continue
        if isinstance(change, EventCorrection):
            old, new = (
                None if at is None else (change.event, change.side, index[at])
                for at in (change.frame, change.to)
            )
            _move(gait, old, new)
        elif isinstance(change, RepetitionCorrection):
            start, stop = (
                None if at is None else (index[at[0]], index[at[1]])
                for at in (change.frames, change.to)
            )
            _move(reps, start, stop)
    return EventEdits(
        gait_removed=tuple(sorted(gait[0])),
        gait_added=tuple(sorted(gait[1])),
        reps_removed=tuple(sorted(reps[0])),
        reps_added=tuple(sorted(reps[1])),
    )


def _move(sets: tuple[set[Any], set[Any]], old: Any, new: Any) -> None:
    """Add a move to removed and added events; what is moved back is as if it never was."""
    removed, added = sets
    if old is not None:
        if old in added:
            added.discard(old)
        else:
            removed.add(old)
    if new is not None:
        if new in removed:
            removed.discard(new)
        else:
            added.add(new)


def _frames_of(changes: Sequence[Correction]) -> set[int]:
    """Return the numbers of all frames that changes name."""
    frames: set[int | None] = set()
    for change in changes:
        if isinstance(change, PointCorrection):
            frames.add(change.frame)
        elif isinstance(change, EventCorrection):
            frames |= {change.frame, change.to}
        else:
            frames |= {*(change.frames or ()), *(change.to or ())}
    return {frame for frame in frames if frame is not None}


def _points(folder: Path, wanted: set[int]) -> _Points:
    """Return the keypoints of everybody in some frames of a result."""
    found: _Points = {}
    for line in read_frames(folder) if wanted else ():
        number = _NUMBER.search(line)
        if number is None or int(number[1]) not in wanted:
            continue
        frame = from_json(line)
        people = {person["track_id"]: person for person in frame.get("people") or ()}
        if frame.get("pose"):
            people[frame["pose"]["track_id"]] = frame
        found[int(number[1])] = {who: p.get("keypoints") or {} for who, p in people.items()}
    return found


@dataclass(slots=True)
class _Checked:
    """A result as the changes so far leave it."""

    data: Mapping[str, Any]
    points: _Points
    gait: dict[int, set[tuple[str, str, int]]] = field(init=False)
    reps: dict[int, set[tuple[int, int]]] = field(init=False)

    def __post_init__(self) -> None:
        summaries = self.data.get("biomechanics_summary") or ()
        self.gait = {
            summary["person_id"]: {
                (event["kind"], event["side"], event["frame"]) for event in gait["events"]
            }
            for summary in summaries
            if (gait := summary.get("gait"))
        }
        self.reps = {
            summary["person_id"]: {(r["frames"][0], r["frames"][2]) for r in summary["reps"]}
            for summary in summaries
            if summary.get("reps")
        }

    def take(self, nth: int, change: Correction) -> PointBefore | None:
        """Apply a change; return the point that it changes.

        Raises:
            BadParameterError: there is no such person, frame, point or event.
        """
        where = f"changes.{nth}"
        for frame in sorted(_frames_of([change])):
            if change.person_id not in self.points.get(frame, {}):
                raise _refused(
                    where, f"person {change.person_id} is not in frame {frame} of the result"
                )
        if isinstance(change, PointCorrection):
            return self._point(where, change)
        if isinstance(change, EventCorrection):
            old, new = (
                None if frame is None else (change.event, change.side, frame)
                for frame in (change.frame, change.to)
            )
            self._event(where, self.gait, change.person_id, old, new, "contact or toe-off")
        else:
            self._event(where, self.reps, change.person_id, change.frames, change.to, "repetition")
        return None

    def _point(self, where: str, change: PointCorrection) -> PointBefore:
        info = self.data["processing_summary"]["video_info"]
        points = self.points[change.frame][change.person_id]
        if change.keypoint not in points:
            raise _refused(where, "the result has no keypoints of this person")
        if change.x is not None and change.y is not None:
            inside = -0.5 <= change.x <= info["width"] - 0.5
            if not (inside and -0.5 <= change.y <= info["height"] - 0.5):
                raise _refused(
                    where,
                    f"({change.x:g}, {change.y:g}) is outside of the picture of "
                    f"{info['width']}x{info['height']} pixels",
                )
        old = points[change.keypoint]
        points[change.keypoint] = {"x": change.x, "y": change.y, "by_hand": True}
        return PointBefore(x=old["x"], y=old["y"], by_hand=bool(old.get("by_hand")))

    def _event(
        self, where: str, known: dict[int, set[Any]], person: int, old: Any, new: Any, what: str
    ) -> None:
        events = known.get(person)
        if events is None:
            raise _refused(where, f"the result has no {what} of person {person}")
        if old is not None and old not in events:
            raise _refused(where, f"the result has no {what} {old} of person {person}")
        if new is not None and new in events:
            raise _refused(where, f"the result has the {what} {new} of person {person} already")
        known[person] = events - {old} | ({new} if new is not None else set())


def _refused(where: str, text: str) -> BadParameterError:
    return BadParameterError(
        f"{where}: {text}",
        hint="Name people, frames, keypoints and events as the result of the job does.",
        field=where,
    )
