"""Read a saved response document, within bounds, for exports and reports.

A result comes from anywhere, so nothing in it is taken on trust: names are of a plain alphabet,
numbers finite and within bounds, keypoints the skeleton's.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import from_json

from biomech.records.person_record import PersonSummary
from biomech.records.values import WORD
from biomech.skeleton import KEYPOINTS
from deployments.concurrency import Cancelled, never, while_wanted
from deployments.errors import BadParameterError
from serve_app.results.media_schema import VideoPart
from serve_app.results.record_reader import reader_of

_SHOWN_ERRORS = 3
_LONGEST_KEY = 40
_NO_RESULT = "this is not a result of the service"
HINT: Final = "Give the JSON that `mmpose-service analyze` wrote or that POST /pose answered."

Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Word = Annotated[str, Field(pattern=WORD.pattern)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Deviation = Annotated[float, Field(ge=0, le=1e6)]
_Quantities = dict[Word, Number | None]


def _whole(points: dict[str, "Point"]) -> dict[str, "Point"]:
    if points.keys() != set(KEYPOINTS):
        raise ValueError(f"must be the {len(KEYPOINTS)} COCO keypoints")
    return points


@dataclass(frozen=True, slots=True)
class Point:
    """A keypoint in pixels of the upright picture."""

    x: Number | None
    y: Number | None
    confidence: _Share
    sigma: tuple[_Deviation, _Deviation] | None = None


Points = Annotated[dict[str, Point], AfterValidator(_whole)]


@dataclass(frozen=True, slots=True)
class SavedBox:
    """A person's box, pixels."""

    x1: Number
    y1: Number
    x2: Number
    y2: Number


class Detail(BaseModel):
    """Beside the numbers of a frame: signed angles, intervals, reasons."""

    signed: _Quantities = {}
    included: _Quantities = {}
    levels: dict[Word, _Quantities] = {}
    ci95: dict[Word, tuple[Number, Number] | None] = {}
    nulls: dict[Word, Word] = {}
    sigma_calibrated: bool = False


class SavedBiomechanics(BaseModel):
    """The numbers of one person in one frame; null is missing."""

    joint_angles: _Quantities
    movement_analysis: _Quantities
    body_alignment: _Quantities
    detail: Detail = Detail()


class Posed(BaseModel):
    """One person in one frame."""

    track_id: Annotated[int, Field(ge=0, le=2**31 - 1)]
    box: SavedBox
    keypoints: Points
    biomechanics: SavedBiomechanics


class SavedFrameInfo(BaseModel):
    """Number and time of a frame, seconds of the video."""

    frame_number: Annotated[int, Field(ge=0, le=2**31 - 1)]
    timestamp: Annotated[float, Field(ge=0, le=1e6)]


class Pose(BaseModel):
    """Identity and box of the primary person."""

    track_id: Annotated[int, Field(ge=0, le=2**31 - 1)]
    box: SavedBox


class Frame(BaseModel):
    """One frame: the primary person, and others where they were asked for."""

    keypoints: Points | None
    biomechanics: SavedBiomechanics
    frame_info: SavedFrameInfo
    pose: Pose | None
    reason: Word | None = None
    people: list[Posed] | None = None

    def primary(self) -> Posed | None:
        """Return the primary person, if it is there."""
        if self.pose is None or self.keypoints is None:
            return None
        return Posed.model_construct(
            track_id=self.pose.track_id,
            box=self.pose.box,
            keypoints=self.keypoints,
            biomechanics=self.biomechanics,
        )


class SavedVideoInfo(BaseModel):
    """The video: size of the upright picture, frames a second, seconds."""

    width: Annotated[int, Field(ge=1, le=100_000)]
    height: Annotated[int, Field(ge=1, le=100_000)]
    fps: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    duration_s: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    part: VideoPart | None = None


class Processing(BaseModel):
    """Summary of the analysis of the clip."""

    video_info: SavedVideoInfo
    total_frames: Annotated[int, Field(ge=0)] = 0
    confidence_threshold: _Share
    models_used: dict[str, int] = {}


class Data(BaseModel):
    """The numbers of a clip."""

    poses_per_frame: list[Frame]
    processing_summary: Processing
    biomechanics_summary: list[dict[str, Any]] = []


class SavedNotice(BaseModel):
    """A warning of the response."""

    code: str
    detail: str


class SavedResponse(BaseModel):
    """A response of `POST /pose`."""

    data: Data | None
    warnings: list[SavedNotice] = []
    request_id: str = ""


def parse(
    body: bytes, cancelled: Cancelled = never
) -> tuple[SavedResponse, Data, dict[int, PersonSummary]]:
    """Read a response document, its data, and its summaries by person.

    Args:
        body: JSON. cancelled: asked before each frame.

    Raises:
        BadParameterError: not such a document, or one without poses; says where.
        WorkCancelledError: ``cancelled`` said so.
    """
    try:
        document = from_json(body)
    except ValueError as error:
        raise BadParameterError(f"{_NO_RESULT}: Invalid JSON: {error}", hint=HINT) from error
    _read_frames(document, cancelled)
    try:
        response = SavedResponse.model_validate(document)
        data = response.data
        listed = [
            _summary_of({name: s[name] for name in _FACTS if name in s})
            for s in (data.biomechanics_summary if data else ())
        ]
    except ValidationError as error:
        raise not_a_result(error) from error
    if data is None or not data.poses_per_frame:
        raise BadParameterError(
            "the result has no poses", hint="Analyze the video again with `data: true`."
        )
    return response, data, {summary.person_id: summary for summary in listed}


def _read_frames(document: Any, cancelled: Cancelled) -> None:
    """Validate the frames of ``document`` one by one, in place."""
    data = document.get("data") if isinstance(document, dict) else None
    frames = data.get("poses_per_frame") if isinstance(data, dict) else None
    if not isinstance(frames, list):
        return  # the whole document's model says so
    for i, frame in while_wanted(enumerate(frames), cancelled):
        try:
            frames[i] = Frame.model_validate(frame)
        except ValidationError as error:
            raise not_a_result(error, ("data", "poses_per_frame", i)) from error


_SUMMARY: Final = reader_of(PersonSummary)
_FACTS: Final = (
    *("person_id", "definitions", "view", "camera"),
    *("filter", "stature_px", "height_m", "flags"),
)
"""Fields of a summary that exports need; the rest of it may be as it is."""


def read_summary(document: Mapping[str, Any]) -> PersonSummary:
    """Read the summary of one person.

    Raises:
        BadParameterError: a part is not what it should be; says where.
    """
    try:
        return _summary_of(document)
    except ValidationError as error:
        raise not_a_result(error) from error


def _summary_of(document: Mapping[str, Any]) -> PersonSummary:
    summary: PersonSummary = _SUMMARY.validate_python(_without_nulls(document))
    return summary


def _without_nulls(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the fields that are null, such as all those of biomechanics that are switched off."""
    return {name: value for name, value in summary.items() if value is not None}


def not_a_result(error: ValidationError, place: tuple[int | str, ...] = ()) -> BadParameterError:
    """Return the error of an invalid part of a document, with its place below ``place``."""
    return BadParameterError(f"{_NO_RESULT}: {_explain(error, place)}", hint=HINT)


def _explain(error: ValidationError, place: tuple[int | str, ...]) -> str:
    found = error.errors(include_url=False, include_input=False)
    told = "; ".join(
        f"{'.'.join(map(_printable, (*place, *item['loc'])[:8])) or 'document'}: {item['msg']}"
        for item in found[:_SHOWN_ERRORS]
    )
    more = len(found) - _SHOWN_ERRORS
    return told + (f"; and {more} more" if more > 0 else "")


def _printable(part: int | str) -> str:
    """Write a part of a place in the document, whose keys anybody may have chosen."""
    return "".join(c if c.isprintable() else "?" for c in str(part)[:_LONGEST_KEY])
