"""Request and response of the HTTP interface and of the Python handle.

The response is the specification's, field for field; what this service adds comes on top. What
a frame has many of is a dataclass: a model takes five times the memory.
"""

from functools import cache
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass
from typing_extensions import TypeAliasType

from biomech.config import Camera, Context, Subject
from biomech.records.frame_record import FrameBiomechanics
from biomech.records.person_record import PersonSummary
from biomech.records.values import Named
from biomech.skeleton import KEYPOINTS, Side
from serve_app.results.correction_schema import Corrections
from serve_app.results.form_fields import FormObject, inline, no_truth
from serve_app.results.media_schema import MediaFields, VideoPart
from serve_app.results.people_schema import PeopleFields, PrimaryPerson
from serve_app.results.record_schema import FINITE, ResponseModel
from serve_app.results.selection import Part, Selection, part_of, select
from serve_app.results.supplied import EarlierResult, Norms, Reference, made


class SubjectOptions(BaseModel):
    """Facts of the athlete."""

    model_config = ConfigDict(extra="forbid")

    height_m: float | None = Field(
        None, ge=0.4, le=2.8, description="Stature: lengths are then given in metres too."
    )
    sex: Literal["male", "female"] | None = Field(
        None, description="For the distribution of body mass and for limits that differ by sex."
    )
    involved_side: Side | None = Field(
        None, description="The injured side, for the limb symmetry index."
    )
    _numbers = field_validator("height_m", mode="before")(no_truth)


class CameraOptions(BaseModel):
    """Facts of the camera."""

    model_config = ConfigDict(extra="forbid")

    roll_deg: float | None = Field(
        None, ge=-90, le=90, description="How far the scene appears turned clockwise; else level."
    )
    slowmo_factor: float = Field(
        1.0, ge=0.01, le=100, description="Seconds of the video for one of the world."
    )
    _numbers = field_validator("roll_deg", "slowmo_factor", mode="before")(no_truth)


class PoseOptions(PeopleFields, MediaFields):
    """Options of a request, in addition to the video."""

    model_config = ConfigDict(extra="forbid")

    video: bool = Field(True, description="Render and return the annotated video.")
    data: bool = Field(True, description="Return the poses.")
    confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Keypoints below this confidence are missing (null angles); default: the "
        "service's setting.",
        examples=[0.3],
    )
    model: Literal["auto", "rtmpose", "hrnet"] = Field(
        "auto", description="Which pose model answers; auto is RTMPose, else HRNet."
    )
    frames: Literal["all", "complete"] = Field(
        "all",
        description="`complete` leaves out the frames in which a joint angle or a score is null.",
    )
    movement: Literal["auto", "squat", "gait", "run", "jump", "throw"] = Field(
        "auto", description="What is done: sets the low-pass filter's cut-off frequency."
    )
    cutoff_hz: float | None = Field(
        None,
        ge=0.1,
        le=1000,
        description="Cut-off of the low-pass filter, at most 0.4 times the frame rate; default: "
        "6 Hz, 10 for run and jump, 12 for throw.",
    )
    subject: Annotated[SubjectOptions | None, FormObject, inline(SubjectOptions)] = Field(
        None, description="The primary person. In a form: as JSON."
    )
    camera: Annotated[CameraOptions | None, FormObject, inline(CameraOptions)] = Field(
        None, description="In a form: as JSON."
    )
    fields: str | None = Field(
        None,
        description="Parts of the response to return, as paths with commas between them, such as "
        "`joint_angles,video_url`; default: all. The answer is then partial.",
        examples=["frame_info.timestamp,joint_angles"],
    )
    reference: Reference = None
    before: EarlierResult = None
    norms: Norms = None
    _numbers = field_validator("confidence", "cutoff_hz", mode="before")(no_truth)

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: str | None) -> str | None:
        selection_of(fields)
        return fields

    @property
    def selection(self) -> Selection | None:
        """Return the parts of the response to return; None for all."""
        return selection_of(self.fields)

    @property
    def context(self) -> Context:
        """Return the caller's facts of the clip."""
        return Context(
            movement=self.movement,
            cutoff_hz=self.cutoff_hz,
            subject=Subject(**(self.subject or SubjectOptions()).model_dump()),
            camera=Camera(**(self.camera or CameraOptions()).model_dump()),
            supplied=made(self.reference, self.before, self.norms),
        )


class PoseRequest(PoseOptions):
    """Body of `POST /pose`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "video_url": "https://storage.googleapis.com/bucket/video.mp4",
                    "video": True,
                    "data": True,
                    "confidence": 0.3,
                }
            ],
            "oneOf": [{"required": ["video_url"]}, {"required": ["upload_id"]}],
        },
    )

    upload_id: str | None = Field(
        None,
        pattern="^[0-9a-f]{32}$",
        description="Upload in parts, instead of `video_url`.",
    )
    video_url: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        validate_default=True,
        description="http(s)://, gs:// or s3:// address of the video; required without "
        "`upload_id`.",
        examples=["https://storage.googleapis.com/bucket/video.mp4"],
    )

    @field_validator("video_url")
    @classmethod
    def _one_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse two sources or none, unless the other one is wrong in itself."""
        if "upload_id" in info.data and (value is None) == (info.data["upload_id"] is None):
            found = "neither was found" if value is None else "both were found"
            raise ValueError(f"expected either video_url or upload_id, {found}")
        return value


@dataclass(frozen=True, slots=True, config=FINITE)
class Keypoint:
    """A point of the body in pixels of the upright picture, x right, y down."""

    x: Annotated[float | None, Field(description="Null where the model gave no point.")]
    y: float | None
    confidence: Annotated[
        float, Field(ge=0, le=1, description="Model's confidence, clamped to [0, 1].")
    ]
    raw_score: Annotated[
        float, Field(description="As the network gave it; a SimCC maximum can exceed 1.")
    ]
    sigma: Annotated[
        tuple[float, float] | None,
        Field(
            description="Standard deviation of x and y by the spread of the response; whether it "
            "is calibrated, `detail.sigma_calibrated` says."
        ),
    ]
    by_hand: Annotated[
        bool | None,
        Field(
            exclude_if=lambda by_hand: by_hand is None,
            description="True if somebody placed it, or marked it as hidden; else absent.",
        ),
    ] = None


@dataclass(frozen=True, slots=True, config=FINITE)
class Box:
    """Box of the person, pixels."""

    x1: float
    y1: float
    x2: float
    y2: float
    score: Annotated[float, Field(description="Detector's score, interpolated between detections.")]


# The name of a component of the schema; values are plain dictionaries.
Keypoints = TypeAliasType("Keypoints", Annotated[dict[str, Keypoint], Named(KEYPOINTS)])


class FrameInfo(ResponseModel):
    """Number, time and model of a frame."""

    frame_number: int = Field(ge=0, description="Position in the video file, from 0.")
    timestamp: float = Field(
        description="Seconds since the file's first frame, from the container's PTS."
    )
    model_used: str | None = Field(description="Model that made this frame's pose; null without.")


class PersonPose(ResponseModel):
    """One person in one frame."""

    track_id: int = Field(description="Number of the person, the same through the clip.")
    box: Box
    score: float = Field(description="Mean confidence of the 17 keypoints.")


class OtherPerson(ResponseModel):
    """One of the other people of a frame."""

    track_id: int
    box: Box
    keypoints: Keypoints
    biomechanics: FrameBiomechanics


MissingReason = Literal["nobody_found", "primary_not_visible", "not_decoded", "damaged"]


class FramePose(ResponseModel):
    """One frame: the primary person's keypoints and biomechanics."""

    keypoints: Keypoints | None = Field(
        description="All 17 COCO keypoints by name; null where there is no pose."
    )
    biomechanics: FrameBiomechanics
    frame_info: FrameInfo
    pose: PersonPose | None = Field(description="Track and box; null where nobody was found.")
    reason: MissingReason | None = Field(None, description="Why there is no pose.")
    people: list[OtherPerson] | None = Field(
        None,
        exclude_if=lambda people: people is None,
        description="The other people, with `people: all` or a number in the request.",
    )


class ModelInfo(ResponseModel):
    """The model that made the poses."""

    name: str
    version: str = Field(examples=["MMPose 1.3.2"])
    precision: str = Field(examples=["fp32"])
    engine: str = Field(description="torch or openvino.")
    device: str
    checkpoint: str


class Notice(ResponseModel):
    """Something the reader of the numbers must know."""

    code: str
    detail: str


class VideoInfo(ResponseModel):
    """The video as it was read."""

    width: int
    height: int
    fps: float
    duration_s: float
    codec: str
    container: str
    rotation_deg: int
    audio_codec: str | None
    part: VideoPart | None = Field(
        None,
        exclude_if=lambda part: part is None,
        description="Which frames of the file these are, if not all.",
    )


class ProcessingSummary(ResponseModel):
    """The clip in numbers."""

    total_frames: int
    successful_poses: int = Field(description="Frames in which the primary person has a pose.")
    frames_with_people: int = Field(description="Frames in which anybody has a pose.")
    average_confidence: float | None = Field(
        description="Mean confidence of the primary person's keypoints; null without any pose."
    )
    model_info: ModelInfo | None
    people: int = Field(description="People followed through the clip.")
    primary_person: PrimaryPerson | None = Field(
        None,
        description="The athlete, and how they were chosen; null in results before this field.",
    )
    models_used: dict[str, int] = Field(description="Frames by the model that made their pose.")
    confidence_threshold: float
    video_info: VideoInfo
    segments: int
    timings_s: dict[str, float] = Field(
        description="Seconds by stage, summed over segments that ran side by side, and in all."
    )


class PoseData(ResponseModel):
    """The numbers."""

    poses_per_frame: list[FramePose]
    processing_summary: ProcessingSummary
    biomechanics_summary: list[PersonSummary] = Field(
        default_factory=list, description="One object a person, the primary first."
    )


class PoseResponse(ResponseModel):
    """Answer of `POST /pose`."""

    data: PoseData | None = Field(description="Null where the request said `data: false`.")
    video_url: str | None = Field(
        description="Address of the annotated video; null where the request said `video: false`."
    )
    warnings: list[Notice] = Field(default_factory=list)
    request_id: str
    corrections: Corrections | None = Field(
        None,
        exclude_if=lambda corrections: corrections is None,
        description="Corrections by hand that the numbers are computed from; else absent.",
    )


FRAMES: Final = ("data", "poses_per_frame")
"""Path of the frames in a response."""


@cache
def _response_parts() -> Part:
    return part_of(PoseResponse.model_json_schema(mode="serialization"))


def selection_of(fields: str | None) -> Selection | None:
    """Return the parts of a response at the paths in ``fields``; None for all.

    Raises:
        BadParameterError: the response has no such part, or several.
    """
    return None if fields is None else select(fields, _response_parts())


class Problem(BaseModel):
    """An error, as RFC 9457 problem details."""

    type: str = Field(examples=["/errors/not_a_video"])
    title: str
    status: int
    code: str = Field(examples=["not_a_video"])
    detail: str
    hint: str
    retryable: bool
    instance: str | None = Field(None, description="The request id.")
