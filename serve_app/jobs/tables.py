"""Define the tables of jobs, of their events, and of webhook calls to make."""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from serve_app.jobs.job import JobEvent, JobProgress, JobRecord, JobState, Stage

metadata: Final = MetaData()

jobs: Final = Table(
    "jobs",
    metadata,
    Column("place", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", JSON, nullable=False),
    Column("source", Text),
    Column("group_id", String(32)),
    Column("idempotency_key", Text),
    Column("part", Integer, nullable=False),
    Column("body_digest", Text),
    Column("webhook_url", Text),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("expires_at", Double),
    Column("stage", String(16)),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("frames_done", BigInteger, nullable=False),
    Column("frames_total", BigInteger, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("result_bytes", BigInteger),
    Column("video_url", Text),
    Column("cancel_requested", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", Text),
    Column("lease_until", Double),
    Column("event_count", Integer, nullable=False),
    Column("progress_at", Double),
    Column("webhook_delivered_at", Double),
    Column("webhook_error", Text),
    UniqueConstraint("owner", "idempotency_key", "part", name="uq_jobs_idempotency"),
    Index("ix_jobs_state_place", "state", "place"),
    Index("ix_jobs_owner_place", "owner", "place"),
    Index("ix_jobs_ended_at", "ended_at"),
    Index("ix_jobs_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)
"""Jobs. Columns that are not fields of :class:`serve_app.jobs.job.JobRecord`:

- ``place``: order of submission, never reused; ``part``: from 0 in the request that made the job;
- ``stage`` to ``frames_total``: the progress;
- ``event_count``: number of the newest event; ``progress_at``: time of the newest of progress.
"""

events: Final = Table(
    "job_events",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at", Double, nullable=False),
    Column("data", JSON, nullable=False),
)

webhooks: Final = Table(
    "job_webhooks",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Double, nullable=False),
    Index("ix_job_webhooks_next_at", "next_at"),
)

_PLAIN: Final = (
    "id",
    "owner",
    "request",
    "source",
    "idempotency_key",
    "body_digest",
    "webhook_url",
    "created_at",
    "started_at",
    "ended_at",
    "expires_at",
    "error",
    "result_bytes",
    "video_url",
    "cancel_requested",
    "attempts",
    "worker",
    "lease_until",
    "webhook_delivered_at",
    "webhook_error",
)


def job_of(row: Row[Any]) -> JobRecord:
    """Return the job of a row of :data:`jobs`."""
    return JobRecord(
        **{name: getattr(row, name) for name in _PLAIN},
        state=JobState(row.state),
        group=row.group_id,
        progress=JobProgress(
            None if row.stage is None else Stage(row.stage),
            row.done,
            row.total,
            row.frames_done,
            row.frames_total,
        ),
    )


def event_of(row: Row[Any]) -> JobEvent:
    """Return the event of a row of :data:`events`."""
    return JobEvent(row.number, row.kind, row.at, row.data)
