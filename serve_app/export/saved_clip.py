"""Turn a saved response back into arrays, which exports are made of."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from biomech.config import CUTOFFS_HZ, BiomechanicsConfig
from biomech.joints import INCLUDED_ANGLES
from biomech.kinematics.geometry import ANGLES, Array
from biomech.records.frame_fields import FIELDS
from biomech.records.person_record import CameraRecord, PersonSummary
from biomech.skeleton import KEYPOINTS
from biomech.track import Track
from deployments.concurrency import Cancelled, never, while_wanted
from deployments.errors import BadParameterError
from serve_app.results.saved_result import (
    HINT,
    Frame,
    Posed,
    Processing,
    SavedNotice,
    parse,
)

MOST_FRAMES_A_SECOND: Final = 4000
"""Denser time stamps are refused: windows of seconds would hold too many frames."""

_LEVEL: Final = CameraRecord(roll_deg=0.0, roll_source="assumed", slowmo_factor=1.0)

_VALUES = frozenset(name for names in FIELDS.values() for name in names)
_SIGNED = frozenset(
    (
        *(f"{angle}_flexion" for angle in ANGLES),
        *("trunk_lean", "trunk_lateral_lean", "left_fppa", "right_fppa"),
        *("hip_tilt", "shoulder_tilt"),
    )
)
_INCLUDED = frozenset(INCLUDED_ANGLES)
_LEVELS = frozenset((p, u) for p in ("hip", "shoulder") for u in ("px", "pct_stature", "cm"))


@dataclass(frozen=True, slots=True)
class SavedPerson:
    """One person in the n frames that show it, NaN where a value is null.

    Attributes:
        person_id: number of the track. primary: whether it is the primary person.
        rows: (n,) which frames of the result.
        xy: (n, 17, 2) pixels as measured. score: (n, 17). sigma: (n, 17, 2) pixels. box: (n, 4).
        values: (n,) by name: joint angles, scores and alignment of the response.
        signed, included: (n,) degrees by name. levels: (n,) by part and unit.
        ci95: (n, 2) by name.
        nulls: (n,) why a value is null, by name.
        calibrated: whether the standard deviations of all frames are calibrated.
        stature_px, height_m: None unknown. view: of the clip. flags: of the clip.
        cutoff_hz: of the filter asked for. roll_deg: of the camera, and whether it is known.
        definitions: version of the definitions that it was made by.
    """

    person_id: int
    primary: bool
    rows: NDArray[np.intp]
    xy: Array
    score: Array
    sigma: Array
    box: Array
    values: Mapping[str, Array]
    signed: Mapping[str, Array]
    included: Mapping[str, Array]
    levels: Mapping[tuple[str, str], Array]
    ci95: Mapping[str, Array]
    nulls: tuple[Mapping[str, str], ...]
    calibrated: bool
    stature_px: float | None
    height_m: float | None
    view: str | None
    flags: tuple[str, ...]
    cutoff_hz: float
    roll_deg: float
    roll_known: bool
    definitions: str


@dataclass(frozen=True, slots=True)
class SavedResult:
    """A response as arrays.

    Attributes:
        request_id: of the response.
        frame: (f,) positions in the video. times_s: (f,) ascending seconds of the world: those of
            the video over the slow-motion factor.
        size: (width, height) of the picture. min_score: confidence threshold in force.
        reason: by frame, why there is no primary person; None where there is.
        people: the primary person first; empty if nobody was found.
        processing: how the clip was analyzed. warnings: of the response.
        summaries: of the clip by person, as they stand in the document: not checked.
        size_bytes: of the document.
    """

    request_id: str
    frame: NDArray[np.int32]
    times_s: Array
    size: tuple[int, int]
    min_score: float
    reason: tuple[str | None, ...]
    people: tuple[SavedPerson, ...]
    processing: Processing
    warnings: tuple[SavedNotice, ...]
    summaries: Mapping[int, Mapping[str, Any]]
    size_bytes: int

    def person(self, person_id: int | None = None) -> SavedPerson:
        """Return the person of that number, the primary one by default.

        Raises:
            BadParameterError: there is no such person; names those there are.
        """
        for person in self.people:
            if person_id in (None, person.person_id):
                return person
        known = ", ".join(str(p.person_id) for p in self.people)
        raise BadParameterError(
            "nobody was found in this result"
            if not known
            else f"there is no person {person_id} in this result; there is {known}",
            hint="Other people are in a result that was asked for with `people: all`.",
            field="person",
        )

    def over_frames(self, person: SavedPerson, values: Array) -> Array:
        """Return values (n, ...) of ``person`` as (f, ...), NaN where it is absent."""
        whole = np.full((len(self.frame), *values.shape[1:]), np.nan)
        whole[person.rows] = values
        return whole

    def track(self, person: SavedPerson) -> Track:
        """Return the track of ``person`` that the analysis used."""
        xy, score, sigma, box = (
            self.over_frames(person, values)
            for values in (person.xy, person.score, person.sigma, person.box)
        )
        present = np.zeros(len(self.frame), np.bool_)
        present[person.rows] = True
        return Track(self.times_s, xy, score, sigma, box, present, self.size)

    def config(self, person: SavedPerson) -> BiomechanicsConfig:
        """Return the thresholds that ``person`` was cleaned and smoothed by."""
        config = BiomechanicsConfig(min_score=self.min_score, cutoff_hz=person.cutoff_hz)
        return replace(config, sigma_roll_deg=0.0) if person.roll_known else config


def read_result(body: bytes, cancelled: Cancelled = never) -> SavedResult:
    """Read the result in a response document.

    Args:
        body: JSON. cancelled: asked before each frame and each person.

    Raises:
        BadParameterError: not such a document, or one without poses; says where.
        WorkCancelledError: ``cancelled`` said so.
    """
    response, data, summaries = parse(body, cancelled)
    frames = data.poses_per_frame
    rows = [frame.primary() for frame in frames]
    main = next((s.camera for s in summaries.values()), None) or _LEVEL
    info = data.processing_summary.video_info
    return SavedResult(
        request_id=response.request_id,
        frame=np.array([f.frame_info.frame_number for f in frames], np.int32),
        times_s=_times(frames, main.slowmo_factor),
        size=(info.width, info.height),
        min_score=data.processing_summary.confidence_threshold,
        reason=tuple(
            None if row else frame.reason for row, frame in zip(rows, frames, strict=True)
        ),
        people=_people(frames, rows, summaries, cancelled),
        processing=data.processing_summary,
        warnings=tuple(response.warnings),
        summaries={s["person_id"]: s for s in data.biomechanics_summary},
        size_bytes=len(body),
    )


def load_result(path: Path) -> SavedResult:
    """Read a saved result from a file.

    Raises:
        BadParameterError: the file cannot be read or has no result; names the file.
    """
    try:
        return read_result(path.read_bytes())
    except OSError as error:
        raise BadParameterError(f"{path}: {error.strerror}", hint="Check the path.") from error
    except BadParameterError as error:
        raise BadParameterError(f"{path}: {error.detail}", hint=error.hint) from error


def _times(frames: list[Frame], slowmo_factor: float) -> Array:
    times = np.array([f.frame_info.timestamp for f in frames]) / slowmo_factor
    numbers = np.array([f.frame_info.frame_number for f in frames])
    if np.any(np.diff(times) <= 0) or np.any(np.diff(numbers) <= 0):
        raise BadParameterError("frames of the result are not in the order of time", hint=HINT)
    dense = np.arange(len(times)) - np.searchsorted(times, times - 1.0)
    if dense.max(initial=0) >= MOST_FRAMES_A_SECOND:
        raise BadParameterError(
            f"the result has more than {MOST_FRAMES_A_SECOND} frames a second", hint=HINT
        )
    return times


def _people(
    frames: list[Frame],
    primary: list[Posed | None],
    summaries: Mapping[int, PersonSummary],
    cancelled: Cancelled,
) -> tuple[SavedPerson, ...]:
    tracks: dict[int, dict[int, Posed]] = {}
    for f, row in enumerate(primary):
        if row is not None:
            tracks.setdefault(row.track_id, {})[f] = row
    main = set(tracks)
    if len(main) > 1:
        raise BadParameterError("the result has several primary people", hint=HINT)
    for f, frame in enumerate(frames):
        for row in frame.people or ():
            if row.track_id in main or f in tracks.setdefault(row.track_id, {}):
                raise BadParameterError("a person is twice in one frame of the result", hint=HINT)
            tracks[row.track_id][f] = row
    return tuple(
        _person(number, number in main, rows, summaries.get(number))
        for number, rows in while_wanted(tracks.items(), cancelled)
    )


def _person(
    number: int, primary: bool, rows: Mapping[int, Posed], summary: PersonSummary | None
) -> SavedPerson:
    summary = summary or PersonSummary(person_id=number, definitions="")
    camera = summary.camera or _LEVEL
    points = [[row.keypoints[name] for name in KEYPOINTS] for row in rows.values()]
    blocks = [row.biomechanics for row in rows.values()]
    details = [block.detail for block in blocks]
    nothing = (np.nan, np.nan)
    return SavedPerson(
        person_id=number,
        primary=primary,
        rows=np.array(list(rows), np.intp),
        xy=np.array([[(_or_nan(p.x), _or_nan(p.y)) for p in row] for row in points]),
        score=np.array([[p.confidence for p in row] for row in points]),
        sigma=np.array([[p.sigma or nothing for p in row] for row in points]),
        box=np.array([(b.x1, b.y1, b.x2, b.y2) for b in (row.box for row in rows.values())]),
        values=_columns(
            (b.joint_angles | b.movement_analysis | b.body_alignment for b in blocks), _VALUES
        ),
        signed=_columns((d.signed for d in details), _SIGNED),
        included=_columns((d.included for d in details), _INCLUDED),
        levels=_columns(
            (
                {(part, unit): v for part, units in d.levels.items() for unit, v in units.items()}
                for d in details
            ),
            _LEVELS,
        ),
        ci95=_columns((d.ci95 for d in details), _VALUES | _SIGNED | _INCLUDED, nothing),
        nulls=tuple(d.nulls for d in details),
        calibrated=all(d.sigma_calibrated for d in details),
        stature_px=summary.stature_px,
        height_m=summary.height_m,
        view=summary.view,
        flags=tuple(summary.flags),
        cutoff_hz=(summary.filter and summary.filter.cutoff_hz) or CUTOFFS_HZ["auto"],
        roll_deg=camera.roll_deg,
        roll_known=camera.roll_source == "request",
        definitions=summary.definitions or "",
    )


def _columns(
    rows: Iterable[Mapping[Any, Any]], known: Set[Any], missing: Any = np.nan
) -> dict[Any, Array]:
    """Return (n, ...) values by name of n rows; ``missing`` where one is null or absent."""
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    if unknown := names.keys() - known:
        raise BadParameterError(
            f"the result has {len(unknown)} kinds of value that are not of this service", hint=HINT
        )
    return {
        name: np.array(
            [missing if (value := row.get(name)) is None else value for row in listed], np.float64
        )
        for name in names
    }


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
