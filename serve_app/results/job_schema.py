"""Request and response of the routes of jobs."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serve_app.results.response_schema import PoseOptions, Problem

MOST_VIDEOS: Final = 100
_Address = Annotated[str, Field(min_length=1, max_length=4096)]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
StateName = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ENDED: Final = ("succeeded", "failed", "cancelled")
"""States that a job never leaves."""

StageName = Literal["fetch", "analyze", "biomechanics", "render", "store"]


class JobSource(BaseModel):
    """One video: its address, or the id of a finished upload."""

    model_config = ConfigDict(extra="forbid")

    video_url: _Address | None = Field(None, description="Address of the video.")
    upload_id: JobId | None = Field(None, description="Id of a finished upload (`POST /uploads`).")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.video_url is None) == (self.upload_id is None):
            raise ValueError("give either video_url or upload_id")
        return self


class JobOptions(PoseOptions):
    """Options of a job: those of `POST /pose`, and a webhook."""

    webhook_url: _Address | None = Field(
        None, description="https address that is called when the job ends."
    )

    def pose_options(self) -> dict[str, Any]:
        """Return the options of the analysis alone, JSON-ready."""
        return self.model_dump(
            mode="json", include=set(PoseOptions.model_fields), exclude_unset=True
        )


class JobRequest(JobOptions):
    """Body of `POST /jobs`: one video, or several with the same options."""

    video_url: _Address | None = Field(None, description="Address of the video.")
    upload_id: JobId | None = Field(None, description="Id of a finished upload.")
    videos: Annotated[list[JobSource], Field(min_length=1, max_length=MOST_VIDEOS)] | None = Field(
        None, description="Several videos: a job for each, in one group."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.video_url, self.upload_id, self.videos]
        if sum(value is not None for value in given) != 1:
            raise ValueError("give one of video_url, upload_id and videos")
        return self

    def sources(self) -> list[JobSource]:
        """Return the videos, one or several."""
        if self.videos is not None:
            return self.videos
        return [JobSource(video_url=self.video_url, upload_id=self.upload_id)]


class JobLinks(BaseModel):
    """Paths of a job's resources."""

    self_: str = Field(serialization_alias="self", validation_alias="self")
    events: str
    source: str
    result: str | None = Field(description="Null until the job has succeeded.")
    video: str | None = Field(description="Null until the job has succeeded, or without a video.")
    report: str | None = Field(None, description="Null until the job has succeeded.")


class Job(BaseModel):
    """State of a job."""

    id: JobId
    state: StateName
    group: str | None = Field(description="Id shared by the jobs of one request; null for one.")
    corrected_from: str | None = Field(
        None, description="Id of the job whose result this one corrects; null for a video."
    )
    stage: StageName | None = Field(description="Stage of a running job.")
    percent: float = Field(
        ge=0, le=100, description="Share of the segments that are analyzed and rendered."
    )
    frames_done: int = Field(ge=0, description="Frames analyzed.")
    frames_total: int | None = Field(description="Frames of the video; null until it is read.")
    position: int | None = Field(description="Place in the queue, 1 is next; null if not queued.")
    eta_s: float | None = Field(
        description="Estimated seconds until the end, from this job's pace or that of recent jobs; "
        "null where there is none to estimate from, and after the end."
    )
    created_at: float = Field(description="Seconds since the epoch, as all times of a job.")
    started_at: float | None
    ended_at: float | None
    expires_at: float | None = Field(description="When the job and its result are deleted.")
    attempts: int = Field(description="How often it was begun: 2 or more after a restart.")
    result_bytes: int | None = Field(description="Size of the result's JSON.")
    error: Problem | None = Field(description="Why it failed.")
    cancel_requested: bool
    webhook_delivered_at: float | None = Field(description="When your server took the webhook.")
    webhook_error: str | None = Field(description="Why calling your webhook was given up.")
    links: JobLinks

    @property
    def ended(self) -> bool:
        """Return whether the state is final."""
        return self.state in ENDED


class JobGroup(BaseModel):
    """Answer of `POST /jobs` with several videos."""

    group: str
    jobs: list[Job]


class JobList(BaseModel):
    """A page of jobs, the newest first."""

    jobs: list[Job]
    cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null at the end."
    )


class FramePage(BaseModel):
    """A page of a result's frames."""

    frames: list[dict[str, Any]] = Field(description="Items of `data.poses_per_frame`.")
    cursor: int | None = Field(
        description="Give it as `cursor` for the next page; null at the end."
    )
