"""Change jobs: each change of state or progress with its event, each end with its webhook call."""

from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from serve_app.jobs.job import JobProgress, JobState, NewJob
from serve_app.jobs.tables import events, job_of, jobs, webhooks
from serve_app.jobs.webhooks import webhook_body

PROGRESS_EVENTS: Final = 300
"""Progress events kept of a job: the newest."""


async def add_job(connection: AsyncConnection, job: NewJob, part: int, now: float) -> Row[Any]:
    """Queue a job, the one of number ``part`` in its request; return its row."""
    values = asdict(job)
    values["group_id"] = values.pop("group")
    made = (
        insert(jobs)
        .values(
            **values,
            **asdict(JobProgress()),
            part=part,
            state=JobState.QUEUED,
            created_at=now,
            cancel_requested=False,
            attempts=0,
            event_count=1,
        )
        .returning(jobs)
    )
    row: Row[Any] = (await connection.execute(made)).one()
    await _add_event(connection, row, now, "state", {"state": row.state})
    return row


async def change(
    connection: AsyncConnection,
    which: ColumnElement[bool],
    now: float,
    event: tuple[str, dict[str, Any]] | None,
    **values: Any,
) -> Row[Any] | None:
    """Change one job; return its row, None if there is none.

    Args:
        which: condition of the one row.
        event: kind and data of the event to write; None writes none.
        values: of the columns to change.
    """
    if event is not None:
        values["event_count"] = jobs.c.event_count + 1
    changed = update(jobs).where(which).values(**values).returning(jobs)
    row: Row[Any] | None = (await connection.execute(changed)).one_or_none()
    if row is not None and event is not None:
        await _add_event(connection, row, now, *event)
        if event[0] == "progress":
            await connection.execute(
                delete(events).where(
                    events.c.job_id == row.id,
                    events.c.kind == "progress",
                    events.c.number <= row.event_count - PROGRESS_EVENTS,
                )
            )
    return row


async def end_job(
    connection: AsyncConnection,
    which: ColumnElement[bool],
    now: float,
    state: JobState,
    keep_s: float,
    **values: Any,
) -> Row[Any] | None:
    """End one job and queue its webhook call; return its row, None if there is none."""
    data = {"state": state} | {name: values[name] for name in ("error",) if name in values}
    row = await change(
        connection,
        which,
        now,
        ("state", data),
        state=state,
        ended_at=now,
        expires_at=now + keep_s,
        worker=None,
        lease_until=None,
        **values,
    )
    if row is not None and row.webhook_url is not None:
        await connection.execute(
            insert(webhooks).values(
                job_id=row.id,
                owner=row.owner,
                url=row.webhook_url,
                body=webhook_body(job_of(row)),
                attempts=0,
                next_at=now,
            )
        )
    return row


async def _add_event(
    connection: AsyncConnection, row: Row[Any], now: float, kind: str, data: dict[str, Any]
) -> None:
    await connection.execute(
        insert(events).values(job_id=row.id, number=row.event_count, kind=kind, at=now, data=data)
    )
