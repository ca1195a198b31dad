"""Keep jobs in a database: who waits, who runs, what came of it.

Each method is one transaction, which ends even if its caller is canceled. A job is held by the
worker that claimed it until its lease is over without a heartbeat; whoever lost it is answered None
or False and must stop. Times are those of ``clock``: hosts that share a database need clocks that
differ by much less than a lease.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from deployments.errors import BadParameterError, IdempotencyKeyReusedError, QueueFullError
from serve_app.jobs.changes import add_job, change, end_job
from serve_app.jobs.database import Database, whole
from serve_app.jobs.job import (
    JOB_ID,
    JobEvent,
    JobPage,
    JobProgress,
    JobRecord,
    JobState,
    NewJob,
    QueueStats,
)
from serve_app.jobs.queries import (
    held_by,
    is_job,
    load,
    lost,
    mean_seconds,
    next_queued,
    positions_of,
)
from serve_app.jobs.tables import event_of, events, job_of, jobs

PROGRESS_EVERY_S: Final = 1.0
"""Shortest time between two progress events of one stage."""
_CURSOR_DIGITS: Final = 18  # of a 64-bit integer
_SUBMISSION_LOCK: Final = 0x6A6F6201

_C: Final = jobs.c


class JobStore:
    """The table of jobs; see :meth:`open`."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self.database = database
        self.clock = clock

    @classmethod
    async def open(cls, url: str, *, clock: Callable[[], float] = time.time) -> Self:
        """Open the database and migrate it: see :meth:`serve_app.jobs.database.Database.open`."""
        return cls(await Database.open(url), clock)

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    @whole
    async def submit(
        self, new: Sequence[NewJob], *, max_queued: int
    ) -> tuple[list[JobRecord], bool]:
        """Queue the jobs of one request: all of them, or none.

        Args:
            new: at least one; all of the same owner, idempotency key and body digest.
            max_queued: most queued jobs of the owner.

        Returns:
            the jobs, and whether they are new. They are not where the owner sent this idempotency
            key before with the same digest: then they are the jobs made first, as they are now.

        Raises:
            IdempotencyKeyReusedError: the key was sent with another digest.
            QueueFullError: there would be more than ``max_queued``.
        """
        first = new[0]
        async with self.database.write() as connection:
            await self.database.lock(connection, _SUBMISSION_LOCK, first.owner)
            if first.idempotency_key is not None and (
                made := await _made_before(
                    connection, first.owner, first.idempotency_key, first.body_digest
                )
            ):
                return made, False
            await _check_room(connection, first.owner, len(new), max_queued)
            now = self.clock()
            rows = [await add_job(connection, job, part, now) for part, job in enumerate(new)]
        return [job_of(row) for row in rows], True

    @whole
    async def submitted(self, owner: str, key: str, digest: str) -> list[JobRecord]:
        """Return the jobs that the owner made with an idempotency key; empty if it is new.

        Raises:
            IdempotencyKeyReusedError: the key was sent with another digest.
        """
        async with self.database.read() as connection:
            return await _made_before(connection, owner, key, digest)

    @whole
    async def get(self, job_id: str, owner: str | None) -> JobRecord | None:
        """Return the job; None if there is none of this owner. An owner of None is any."""
        if not JOB_ID.fullmatch(job_id):  # PostgreSQL refuses a text with a NUL
            return None
        async with self.database.read() as connection:
            row = (
                await connection.execute(select(jobs).where(is_job(job_id, owner)))
            ).one_or_none()
        return None if row is None else job_of(row)

    @whole
    async def list_jobs(
        self,
        owner: str | None,
        *,
        state: JobState | None = None,
        group: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> JobPage:
        """Return a page of the owner's jobs, newest first.

        Args:
            owner: None is any.
            state, group: only jobs of this state, of this request; None for all.
            cursor: of the page before; None begins.
            limit: most jobs of a page.

        Raises:
            BadParameterError: the cursor is not one.
        """
        query = select(jobs).order_by(_C.place.desc()).limit(limit + 1)
        if owner is not None:
            query = query.where(_C.owner == owner)
        if state is not None:
            query = query.where(_C.state == state)
        if group is not None:
            query = query.where(_C.group_id == group)
        if cursor is not None:
            query = query.where(_C.place < _place(cursor))
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).all()
        more = len(rows) > limit
        return JobPage(
            tuple(job_of(row) for row in rows[:limit]), str(rows[limit - 1].place) if more else None
        )

    @whole
    async def claim(self, worker: str, lease_s: float) -> JobRecord | None:
        """Begin a job, or take over one whose lease is over; None if there is none.

        A job whose lease is over comes first; its worker was killed. Then the oldest queued job of
        the owner with the fewest running ones. Workers that claim at the same moment may each
        choose the same owner.

        Args:
            worker: name of the holder, which nobody had before: a worker whose lease was over
                could not be distinguished from one of the same name.
            lease_s: for how long the job is held without a heartbeat.

        Returns:
            the job; with ``cancel_requested`` it is only to be ended by :meth:`cancelled`.
        """
        now = self.clock()
        async with self.database.write() as connection:
            place = await connection.scalar(lost(now)) or await connection.scalar(next_queued())
            if place is None:
                return None
            row = await change(
                connection,
                _C.place == place,
                now,
                ("state", {"state": JobState.RUNNING}),
                state=JobState.RUNNING,
                started_at=func.coalesce(_C.started_at, now),
                attempts=_C.attempts + 1,
                worker=worker,
                lease_until=now + lease_s,
            )
        return None if row is None else job_of(row)

    @whole
    async def heartbeat(
        self, job_id: str, worker: str, lease_s: float, progress: JobProgress | None
    ) -> JobRecord | None:
        """Prolong the lease and keep the progress; None if another has the job, or it is deleted.

        A progress event is written when the stage changes, else at most one in
        ``PROGRESS_EVERY_S``.

        Args:
            progress: None leaves it as it is.

        Returns:
            the job, which says whether it is to be cancelled.
        """
        now = self.clock()
        async with self.database.write() as connection:
            held = (
                await connection.execute(
                    select(jobs).where(held_by(job_id, worker)).with_for_update()
                )
            ).one_or_none()
            if held is None:
                return None
            values: dict[str, Any] = {"lease_until": now + lease_s}
            event = None
            if progress is not None:
                values |= asdict(progress)
                before = held.progress_at
                if (
                    progress.stage != held.stage
                    or before is None
                    or not 0 <= now - before < PROGRESS_EVERY_S
                ):
                    values["progress_at"] = now
                    event = ("progress", asdict(progress))
            row = await change(connection, held_by(job_id, worker), now, event, **values)
        return None if row is None else job_of(row)

    @whole
    async def release(self, job_id: str, worker: str) -> None:
        """Give the job back to the queue, at its old place; the attempt does not count.

        Nothing happens if another has it.
        """
        now = self.clock()
        async with self.database.write() as connection:
            await change(
                connection,
                held_by(job_id, worker),
                now,
                ("state", {"state": JobState.QUEUED}),
                state=JobState.QUEUED,
                started_at=None,
                attempts=_C.attempts - 1,
                worker=None,
                lease_until=None,
            )

    @whole
    async def succeed(
        self, job_id: str, worker: str, *, result_bytes: int, video_url: str | None, keep_s: float
    ) -> bool:
        """End the job with a result; False if another has it, or it is deleted."""
        return await self._end(
            held_by(job_id, worker),
            JobState.SUCCEEDED,
            keep_s,
            result_bytes=result_bytes,
            video_url=video_url,
        )

    @whole
    async def fail(self, job_id: str, worker: str, error: dict[str, Any], keep_s: float) -> bool:
        """End the job with a problem document; False if another has it, or it is deleted."""
        return await self._end(held_by(job_id, worker), JobState.FAILED, keep_s, error=error)

    @whole
    async def cancelled(self, job_id: str, worker: str, keep_s: float) -> bool:
        """End the job as cancelled; False if another has it, or it is deleted."""
        return await self._end(held_by(job_id, worker), JobState.CANCELLED, keep_s)

    @whole
    async def cancel(self, job_id: str, owner: str | None, keep_s: float) -> JobRecord | None:
        """Cancel a queued job; ask the worker of a running one to; leave an ended one as it is.

        Returns:
            the job; None if there is none of this owner.
        """
        now = self.clock()
        mine = is_job(job_id, owner)
        async with self.database.write() as connection:
            row = (
                await connection.execute(select(jobs).where(mine).with_for_update())
            ).one_or_none()
            if row is None:
                return None
            if row.state == JobState.QUEUED:
                row = await end_job(
                    connection, mine, now, JobState.CANCELLED, keep_s, cancel_requested=True
                )
            elif row.state == JobState.RUNNING and not row.cancel_requested:
                row = await change(
                    connection,
                    mine,
                    now,
                    ("state", {"state": row.state, "cancel_requested": True}),
                    cancel_requested=True,
                )
            return None if row is None else job_of(row)

    @whole
    async def remove(self, job_id: str, owner: str | None) -> bool:
        """Delete the job's row with its events and webhook calls; False if the owner has none.

        The caller deletes its files. The worker of a running job finds out by its heartbeat.
        """
        async with self.database.write() as connection:
            done = await connection.execute(delete(jobs).where(is_job(job_id, owner)))
        await self.database.erase_log()
        return done.rowcount > 0

    @whole
    async def events(self, job_id: str, after: int) -> list[JobEvent]:
        """Return the events of the job whose number is larger than ``after``, ascending."""
        query = (
            select(events)
            .where(events.c.job_id == job_id, events.c.number > after)
            .order_by(events.c.number)
        )
        async with self.database.read() as connection:
            return [event_of(row) for row in await connection.execute(query)]

    @whole
    async def positions(self, job_ids: Sequence[str]) -> dict[str, int]:
        """Return the places in the queue, 1 for the next, if nothing else came, of those queued.

        It is the order of :meth:`claim`: in every round, each owner's next job.
        """
        async with self.database.read() as connection:
            places = await connection.execute(positions_of(job_ids))
            return {row.id: row.position for row in places}

    @whole
    async def stats(self) -> QueueStats:
        """Return the load of the queue."""
        async with self.database.read() as connection:
            row = (await connection.execute(load())).one()
        return QueueStats(row.queued, row.running, row.mean_s)

    @whole
    async def expired(self, now: float) -> list[JobRecord]:
        """Return the ended jobs whose time is over at ``now``, longest first."""
        return await self._all(
            select(jobs).where(_C.expires_at <= now).order_by(_C.expires_at, _C.place)
        )

    @whole
    async def ended_oldest_first(self) -> list[JobRecord]:
        """Return all ended jobs, those that ended first at the front."""
        return await self._all(
            select(jobs).where(_C.ended_at.is_not(None)).order_by(_C.ended_at, _C.place)
        )

    async def _all(self, query: Select[Any]) -> list[JobRecord]:
        async with self.database.read() as connection:
            return [job_of(row) for row in await connection.execute(query)]

    async def _end(
        self, held: ColumnElement[bool], state: JobState, keep_s: float, **values: Any
    ) -> bool:
        now = self.clock()
        async with self.database.write() as connection:
            return await end_job(connection, held, now, state, keep_s, **values) is not None


async def _made_before(
    connection: AsyncConnection, owner: str, key: str, digest: str | None
) -> list[JobRecord]:
    """Return the jobs that the owner made with this idempotency key."""
    query = select(jobs).where(_C.owner == owner, _C.idempotency_key == key).order_by(_C.part)
    made = [job_of(row) for row in await connection.execute(query)]
    if any(job.body_digest != digest for job in made):
        raise IdempotencyKeyReusedError("This Idempotency-Key was sent before with another request")
    return made


async def _check_room(connection: AsyncConnection, owner: str, count: int, max_queued: int) -> None:
    queued: int | None = await connection.scalar(
        select(func.count()).where(_C.owner == owner, _C.state == JobState.QUEUED)
    )
    queued = queued or 0
    if queued + count > max_queued:
        raise QueueFullError(
            f"{queued} jobs are queued and {count} more were sent, where {max_queued} may be",
            retry_after_s=await connection.scalar(mean_seconds()),
            value=queued + count,
            limit=max_queued,
        )


def _place(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _CURSOR_DIGITS):
        raise BadParameterError(
            "cursor is not one of this list",
            hint="Send the `cursor` of the page before as it is, or none.",
            field="cursor",
        )
    return int(cursor)
