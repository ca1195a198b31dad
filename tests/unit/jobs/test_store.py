"""The life of a job in the store, on SQLite and PostgreSQL."""

from dataclasses import asdict

import pytest

from deployments.errors import BadParameterError
from serve_app.jobs.changes import PROGRESS_EVENTS
from serve_app.jobs.job import JobProgress, JobState, QueueStats, Stage
from serve_app.jobs.store import JobStore
from tests.support.job_tables import new_job

pytestmark = pytest.mark.anyio
PROBLEM = {"code": "no_frames", "detail": "Ärger ☃", "limit": 1.5, "facts": [None, True]}


async def submit(store, *jobs, max_queued=100):
    made, new = await store.submit(jobs, max_queued=max_queued)
    assert new
    return made


async def states(store, job_id):
    """The states that the events of a job say, numbered without a gap."""
    events = await store.events(job_id, 0)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    return [event.data["state"] for event in events if event.kind == "state"]


async def test_a_job_is_kept_as_it_was_sent(store, clock):
    job = new_job(
        group="f" * 32,
        request={"context": {"note": "Ärger ☃ \N{PILE OF POO}"}, "max_people": 2, "fps": 29.97},
        webhook_url="https://hook.test/",
        idempotency_key="key",
        body_digest="digest",
    )
    (made,) = await submit(store, job)
    assert {name: getattr(made, name) for name in asdict(job)} == asdict(job)
    assert (made.state, made.created_at, made.attempts) == (JobState.QUEUED, clock.now, 0)
    assert await store.get(job.id, "ann") == await store.get(job.id, None) == made
    assert await store.get(job.id, "bob") is None


@pytest.mark.parametrize("job_id", ["", "x", "\0", "0" * 31 + "\0", "\ud800", "0" * 33])
async def test_what_is_no_id_is_that_of_no_job(store, job_id):
    assert await store.get(job_id, None) is None


async def test_a_job_runs_and_succeeds(store, clock):
    (job,) = await submit(store, new_job())
    clock.now += 5
    held = await store.claim("w1", 30)
    assert (held.id, held.state, held.worker) == (job.id, JobState.RUNNING, "w1")
    assert (held.started_at, held.lease_until, held.attempts) == (clock.now, clock.now + 30, 1)
    clock.now += 10
    progress = JobProgress(Stage.ANALYZE, 1, 3, 24, 72)
    beaten = await store.heartbeat(job.id, "w1", 30, progress)
    assert (beaten.progress, beaten.lease_until) == (progress, clock.now + 30)
    assert (await store.heartbeat(job.id, "w1", 30, None)).progress == progress
    assert await store.succeed(job.id, "w1", result_bytes=7, video_url="/videos/a", keep_s=100)
    ended = await store.get(job.id, "ann")
    assert (ended.state, ended.result_bytes, ended.video_url) == ("succeeded", 7, "/videos/a")
    assert (ended.ended_at, ended.expires_at) == (clock.now, clock.now + 100)
    assert (ended.worker, ended.lease_until) == (None, None)
    assert await states(store, job.id) == ["queued", "running", "succeeded"]
    assert await store.heartbeat(job.id, "w1", 30, None) is None
    assert not await store.succeed(job.id, "w1", result_bytes=8, video_url=None, keep_s=1)
    assert not await store.fail(job.id, "w1", PROBLEM, 1)
    assert await store.get(job.id, "ann") == ended


async def test_a_failed_job_has_its_problem(store, clock):
    (job,) = await submit(store, new_job())
    await store.claim("w1", 30)
    assert await store.fail(job.id, "w1", PROBLEM, 100)
    assert (await store.get(job.id, None)).error == PROBLEM
    last = (await store.events(job.id, 0))[-1]
    assert (last.kind, last.data) == ("state", {"state": "failed", "error": PROBLEM})
    assert await store.events(job.id, last.number) == []


async def test_a_job_whose_worker_was_killed_is_taken_over(store, clock):
    (job,) = await submit(store, new_job())
    begun = await store.claim("w1", 30)
    clock.now += 29
    assert await store.claim("w2", 30) is None
    clock.now += 1
    taken = await store.claim("w2", 30)
    assert (taken.id, taken.worker, taken.attempts) == (job.id, "w2", 2)
    assert taken.started_at == begun.started_at
    assert await store.heartbeat(job.id, "w1", 30, None) is None
    assert not await store.succeed(job.id, "w1", result_bytes=1, video_url=None, keep_s=1)
    await store.release(job.id, "w1")
    assert (await store.get(job.id, None)).worker == "w2"
    assert await store.succeed(job.id, "w2", result_bytes=1, video_url=None, keep_s=1)


async def test_a_late_heartbeat_keeps_a_job_that_nobody_took(store, clock):
    (job,) = await submit(store, new_job())
    await store.claim("w1", 30)
    clock.now += 100
    assert await store.heartbeat(job.id, "w1", 30, None)
    assert await store.claim("w2", 30) is None


async def test_a_released_job_waits_at_its_old_place(store):
    first, second = await submit(store, new_job(), new_job())
    await store.claim("w1", 30)
    await store.release(first.id, "w1")
    back = await store.get(first.id, None)
    assert (back.state, back.attempts, back.worker, back.started_at) == ("queued", 0, None, None)
    assert await store.positions([first.id, second.id]) == {first.id: 1, second.id: 2}
    assert (await store.claim("w2", 30)).id == first.id


async def test_cancelling(store, clock):
    queued, running = await submit(store, new_job("ann"), new_job("bob"))
    assert await store.cancel(queued.id, "bob", 100) is None
    ended = await store.cancel(queued.id, "ann", 100)
    assert (ended.state, ended.expires_at) == ("cancelled", clock.now + 100)
    assert await store.cancel(queued.id, "ann", 5) == ended
    assert await states(store, queued.id) == ["queued", "cancelled"]
    assert (await store.claim("w1", 30)).id == running.id
    asked = await store.cancel(running.id, "bob", 100)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert await store.cancel(running.id, "bob", 100) == asked
    assert (await store.heartbeat(running.id, "w1", 30, None)).cancel_requested
    assert await store.cancelled(running.id, "w1", 100)
    assert await states(store, running.id) == ["queued", "running", "running", "cancelled"]


async def test_progress_events_come_at_most_once_a_second_in_a_stage(store, clock):
    (job,) = await submit(store, new_job())
    await store.claim("w1", 30)
    for done in range(21):
        await store.heartbeat(job.id, "w1", 30, JobProgress(Stage.ANALYZE, done, 30))
        clock.now += 0.125
    await store.heartbeat(job.id, "w1", 30, JobProgress(Stage.RENDER, 0, 30))
    events = [e.data for e in await store.events(job.id, 0) if e.kind == "progress"]
    found = [(event["stage"], event["done"]) for event in events]
    assert found == [("analyze", 0), ("analyze", 8), ("analyze", 16), ("render", 0)]


async def test_the_events_of_a_long_job_are_bounded(store, clock, monkeypatch):
    monkeypatch.setattr("serve_app.jobs.changes.PROGRESS_EVENTS", 5)
    (job,) = await submit(store, new_job())
    await store.claim("w1", 30)
    for done in range(20):
        clock.now += 1
        await store.heartbeat(job.id, "w1", 30, JobProgress(Stage.ANALYZE, done, 30))
    events = await store.events(job.id, 0)
    assert [e.data.get("done") for e in events] == [None, None, 15, 16, 17, 18, 19]
    assert [e.number for e in events] == [1, 2, 18, 19, 20, 21, 22]
    assert PROGRESS_EVENTS < 1000


async def test_lists_in_pages(store):
    anns = await submit(store, *[new_job("ann", group="a" * 32) for _ in range(5)])
    (alone,) = await submit(store, new_job("ann"))
    await submit(store, new_job("bob"))
    await store.cancel(anns[1].id, "ann", 1)
    seen, cursor = [], None
    while True:
        page = await store.list_jobs("ann", cursor=cursor, limit=2)
        assert len(page.jobs) == 2
        seen += [job.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [alone.id, *[job.id for job in reversed(anns)]]
    assert len((await store.list_jobs(None)).jobs) == 7
    assert len((await store.list_jobs("ann", group="a" * 32)).jobs) == 5
    cancelled = await store.list_jobs("ann", state=JobState.CANCELLED)
    assert [job.id for job in cancelled.jobs] == [anns[1].id]
    assert (await store.list_jobs("eve")).jobs == ()


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1.5", "٣", "9" * 30])
async def test_a_cursor_that_is_none_is_refused(store, cursor):
    with pytest.raises(BadParameterError, match="cursor"):
        await store.list_jobs("ann", cursor=cursor)


async def test_the_load_of_the_queue(store, clock):
    assert await store.stats() == QueueStats(0, 0, None)
    jobs = await submit(store, *[new_job() for _ in range(4)])
    for job, seconds in zip(jobs, (10, 20), strict=False):
        await store.claim("w1", 30)
        clock.now += seconds
        await store.succeed(job.id, "w1", result_bytes=1, video_url=None, keep_s=1)
    await store.claim("w1", 30)
    assert await store.stats() == QueueStats(1, 1, 15.0)


async def test_retention(store, clock):
    jobs = await submit(store, *[new_job() for _ in range(3)])
    await store.cancel(jobs[2].id, None, 50)
    clock.now += 1
    await store.cancel(jobs[0].id, None, 20)
    assert [job.id for job in await store.ended_oldest_first()] == [jobs[2].id, jobs[0].id]
    assert await store.expired(clock.now + 19) == []
    assert [job.id for job in await store.expired(clock.now + 20)] == [jobs[0].id]
    assert [job.id for job in await store.expired(clock.now + 49)] == [jobs[0].id, jobs[2].id]


async def test_a_removed_job_is_gone_with_all_its_rows(store):
    job, other = await submit(store, new_job(webhook_url="https://hook.test/"), new_job())
    await store.cancel(job.id, None, 1)
    assert not await store.remove(job.id, "bob")
    assert await store.remove(job.id, "ann")
    assert not await store.remove(job.id, "ann")
    assert await store.get(job.id, None) is None
    assert await store.events(job.id, 0) == []
    async with store.database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT count(*) FROM job_webhooks")
        assert rows.scalar() == 0
    assert [found.id for found in (await store.list_jobs(None)).jobs] == [other.id]


async def test_the_worker_of_a_removed_job_finds_out(store):
    (job,) = await submit(store, new_job())
    await store.claim("w1", 30)
    await store.remove(job.id, None)
    assert await store.heartbeat(job.id, "w1", 30, JobProgress(Stage.RENDER)) is None
    assert not await store.succeed(job.id, "w1", result_bytes=1, video_url=None, keep_s=1)
    assert await store.claim("w2", 30) is None


async def test_jobs_outlive_the_process(store, jobs_url, clock):
    (job,) = await submit(store, new_job())
    await store.claim("w1", 30)
    held = await store.get(job.id, None)
    await store.close()
    again = await JobStore.open(jobs_url, clock=clock)
    assert await again.get(job.id, None) == held
    await again.close()
