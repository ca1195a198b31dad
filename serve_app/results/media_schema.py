"""Request fields that choose what is analyzed of a video, and what a response says of it."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from deployments.media_choice import MediaOptions, Region
from serve_app.results.form_fields import FormObject, inline, no_truth, whole
from serve_app.results.record_schema import ResponseModel

_LATEST_S: Final = 1e6
_MOST_PIXELS: Final = 16384  # a side


class RegionOptions(BaseModel):
    """Part of the picture in which people are detected."""

    model_config = ConfigDict(extra="forbid")

    x: int = Field(ge=0, le=_MOST_PIXELS, description="Left edge.")
    y: int = Field(ge=0, le=_MOST_PIXELS, description="Upper edge.")
    width: int = Field(ge=2, le=_MOST_PIXELS)
    height: int = Field(ge=2, le=_MOST_PIXELS)
    _numbers = field_validator("*", mode="before")(no_truth)


class MediaFields(BaseModel):
    """Fields of a request on how its video is read."""

    start: float | None = Field(
        None,
        ge=0,
        le=_LATEST_S,
        description="Seconds of the video at which the analyzed part begins, inclusive.",
    )
    end: float | None = Field(
        None,
        ge=0,
        le=_LATEST_S,
        description="Seconds of the video at which the analyzed part ends, exclusive.",
    )
    max_fps: float | None = Field(
        None,
        ge=0.1,
        le=1000,
        description="Frames a second above which frames are dropped evenly.",
    )
    region: Annotated[RegionOptions | None, FormObject, inline(RegionOptions)] = Field(
        None,
        description="Where people are detected, in pixels of the upright picture. In a form: as "
        "JSON.",
    )
    rotation: Annotated[
        Literal[0, 90, 180, 270] | None, BeforeValidator(no_truth), BeforeValidator(whole)
    ] = Field(
        None,
        description="Clockwise turn of the stored picture in degrees, instead of the one that the "
        "file declares.",
    )
    _media_numbers = field_validator("start", "end", "max_fps", mode="before")(no_truth)

    @property
    def media(self) -> MediaOptions:
        """Return how the media file is read."""
        return MediaOptions(self.start, self.end, self.max_fps, self.rotation)

    @property
    def detection_region(self) -> Region | None:
        """Return the region with even coordinates of its corner, at most a pixel larger."""
        if self.region is None:
            return None
        odd_x, odd_y = self.region.x % 2, self.region.y % 2
        return Region(
            self.region.x - odd_x,
            self.region.y - odd_y,
            self.region.width + odd_x,
            self.region.height + odd_y,
        )


class VideoPart(ResponseModel):
    """Frames of the file that were analyzed, where these are not all."""

    first_frame: int
    last_frame: int
    start_s: float = Field(description="Time of the first frame.")
    end_s: float = Field(description="Time of the last frame.")
    max_fps: float | None = Field(None, description="Of the request, if frames were dropped.")
    file_frames: int = Field(description="Frames of the whole file.")
    file_duration_s: float = Field(description="Duration of the whole file.")
