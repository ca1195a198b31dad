"""Corrections by hand of a result: the request, and the record of them in the corrected result."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from biomech.records.event_records import EventKind
from biomech.skeleton import KEYPOINTS, Side

MOST_CHANGES: Final = 1000
"""Changes in one request."""

MOST_RECORDED: Final = 5000
"""Changes that a result records, with those of the results it is corrected from."""

_Frame = Annotated[int, Field(strict=True, ge=0, description="Number of the frame in the file.")]
_Pixel = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Person = Annotated[int, Field(strict=True, ge=0, description="`track_id` of the person.")]


def _known(name: str) -> str:
    if name not in KEYPOINTS:
        raise ValueError(f"expected one of the COCO keypoints: {', '.join(KEYPOINTS)}")
    return name


_Keypoint = Annotated[
    str, Field(json_schema_extra={"enum": list(KEYPOINTS)}), AfterValidator(_known)
]


class PointCorrection(BaseModel):
    """A keypoint that is placed, or marked as hidden."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["point"]
    person_id: _Person
    frame: _Frame
    keypoint: _Keypoint
    x: _Pixel | None = Field(None, description="Pixels of the upright picture, to the right.")
    y: _Pixel | None = Field(None, description="Pixels, downward.")
    hidden: bool = Field(False, strict=True, description="The picture does not show it.")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if [self.x is None, self.y is None] != [self.hidden] * 2:
            raise ValueError("give either x and y, or hidden: true")
        return self


class EventCorrection(BaseModel):
    """A contact or toe-off that is moved, removed (no `to`) or added (no `frame`)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["event"]
    person_id: _Person
    event: EventKind
    side: Side
    frame: _Frame | None = Field(None, description="Its frame in the result; null to add one.")
    to: _Frame | None = Field(None, description="Its right frame; null to remove it.")

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if self.frame == self.to:
            raise ValueError("give frame, to, or two different ones")
        return self


class RepetitionCorrection(BaseModel):
    """A repetition whose bounds are moved, or that is removed (no `to`) or added (no `frames`)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["repetition"]
    person_id: _Person
    frames: tuple[_Frame, _Frame] | None = Field(
        None, description="Its first and last frame in the result; null to add one."
    )
    to: tuple[_Frame, _Frame] | None = Field(
        None, description="Its right first and last frame; null to remove it."
    )

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if self.frames == self.to:
            raise ValueError("give frames, to, or two different ones")
        if self.to is not None and self.to[1] - self.to[0] < 2:
            raise ValueError("to: the last frame must be at least 2 after the first")
        return self


Correction = Annotated[
    PointCorrection | EventCorrection | RepetitionCorrection, Field(discriminator="kind")
]


class CorrectionRequest(BaseModel):
    """Body of `POST /jobs/{id}/corrections`."""

    model_config = ConfigDict(extra="forbid")

    changes: list[Correction] = Field(
        max_length=MOST_CHANGES,
        description="In order; none recomputes the result without a change.",
    )


class PointBefore(BaseModel):
    """A keypoint before its correction."""

    model_config = ConfigDict(extra="forbid")

    x: float | None
    y: float | None
    by_hand: bool = Field(description="Whether an earlier correction had set it.")


class RecordedCorrection(BaseModel):
    """One change: by whom, when, from what to what."""

    model_config = ConfigDict(extra="forbid")

    at: float = Field(description="Seconds since the epoch.")
    by: str | None = Field(description="Owner of the key; null where the service has no keys.")
    job: str = Field(description="Id of the job whose result was changed.")
    change: Correction
    before: PointBefore | None = Field(
        description="The point before; null for events, whose `frame` or `frames` say it."
    )


class Corrections(BaseModel):
    """Corrections by hand that a result is computed from, in their order."""

    model_config = ConfigDict(extra="forbid")

    origin: str = Field(description="Id of the job whose result the networks made.")
    corrected_from: str = Field(description="Id of the job that was corrected.")
    sigma: Literal["coco_annotators"] = Field(
        "coco_annotators",
        description="Standard deviation of a placed point: the disagreement of COCO's annotators, "
        "by keypoint and size of the person.",
    )
    changes: list[RecordedCorrection]
