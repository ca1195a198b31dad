"""Define a job, its states, its progress and its events."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
"""Form of a job's id."""


CORRECTED_FROM: Final = "corrected_from"
"""Name in the request of a job that corrects the result of another one, whose id it is."""


class JobState(StrEnum):
    """State of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
"""States that a job never leaves."""


class Stage(StrEnum):
    """Stage of a running job, in this order; ``fetch`` only for jobs with an address."""

    FETCH = "fetch"
    ANALYZE = "analyze"
    BIOMECHANICS = "biomechanics"
    RENDER = "render"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Progress of a job.

    Attributes:
        stage: None while it is queued.
        done, total: units of work of the stage: segments, or bytes of ``fetch`` (total 0 unknown).
        frames_done, frames_total: frames of the video analyzed and in all; 0 until known.
    """

    stage: Stage | None = None
    done: int = 0
    total: int = 0
    frames_done: int = 0
    frames_total: int = 0


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to submit.

    Attributes:
        id: 32 hexadecimal digits, random. owner: ``Caller.id``.
        request: JSON-ready options of :class:`serve_app.results.response_schema.PoseOptions`, and
            :data:`CORRECTED_FROM` of a correction.
        source: ``video_url`` of the request; None for an upload, which is the file ``source`` in
            the job's folder.
        group: id shared by the jobs of one request with several videos; None for a single one.
        idempotency_key, body_digest: of the request with an ``Idempotency-Key``; both or neither.
        webhook_url: called when the job ends; None for none.
    """

    id: str
    owner: str
    request: dict[str, Any]
    source: str | None
    group: str | None = None
    idempotency_key: str | None = None
    body_digest: str | None = None
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it is stored. Times are seconds since the epoch.

    Attributes:
        error: problem document of a failed job.
        result_bytes: size of the stored JSON result; None until there is one.
        video_url: address of the annotated video as the result has it; None without.
        cancel_requested: whether the running job is to end as cancelled.
        attempts: how often a worker began it, without those who gave it back to the queue.
        worker, lease_until: who runs it, and until when that is believed without a heartbeat.
        expires_at: when retention deletes it; None until it has ended.
        webhook_delivered_at: when the receiver took the call; None until then.
        webhook_error: why calling was given up; None unless it was.
    """

    id: str
    owner: str
    state: JobState
    request: dict[str, Any]
    source: str | None
    group: str | None
    idempotency_key: str | None
    body_digest: str | None
    webhook_url: str | None
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    expires_at: float | None = None
    progress: JobProgress = JobProgress()
    error: dict[str, Any] | None = None
    result_bytes: int | None = None
    video_url: str | None = None
    cancel_requested: bool = False
    attempts: int = 0
    worker: str | None = None
    lease_until: float | None = None
    webhook_delivered_at: float | None = None
    webhook_error: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Return the options of the analysis: ``request`` without :data:`CORRECTED_FROM`."""
        return {name: given for name, given in self.request.items() if name != CORRECTED_FROM}


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One event of a job: numbered from 1 in each job, ascending.

    ``kind`` is ``state`` or ``progress``; ``data`` is JSON-ready.
    """

    number: int
    kind: str
    at: float
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first, and the cursor of the next page; None at the end."""

    jobs: tuple[JobRecord, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Load of the queue: counts, and the mean seconds of recent jobs, None before the first."""

    queued: int
    running: int
    mean_s: float | None
