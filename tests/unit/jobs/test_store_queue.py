"""Whose turn it is, idempotency, and many who come at once; on SQLite and PostgreSQL."""

import asyncio
from collections import Counter

import pytest

from deployments.errors import IdempotencyKeyReusedError, QueueFullError
from tests.support.job_tables import Clock, new_job, opened

pytestmark = pytest.mark.anyio
CLAIMERS = 8


def keyed(key="key", digest="digest", **values):
    return new_job(idempotency_key=key, body_digest=digest, **values)


async def test_the_owner_with_the_fewest_running_jobs_is_next(store):
    order = ["ann", "ann", "ann", "bob", "bob", "eve"]
    jobs, _ = await store.submit([new_job(owner) for owner in order], max_queued=9)
    expected = [jobs[i].id for i in (0, 3, 5, 1, 4, 2)]
    places = await store.positions([job.id for job in jobs])
    assert places == {job_id: place for place, job_id in enumerate(expected, 1)}
    assert [(await store.claim(f"w{i}", 30)).id for i in range(6)] == expected
    assert await store.claim("w7", 30) is None
    assert await store.positions([jobs[0].id]) == {}


async def test_an_owner_with_a_long_queue_does_not_hold_up_another(store):
    await store.submit([new_job("ann") for _ in range(20)], max_queued=20)
    await store.claim("w1", 30)
    (late,), _ = await store.submit([new_job("bob")], max_queued=20)
    assert await store.positions([late.id]) == {late.id: 1}
    assert (await store.claim("w2", 30)).id == late.id


async def test_a_full_queue_takes_all_or_none(store, clock):
    await store.submit([new_job(), new_job()], max_queued=3)
    with pytest.raises(QueueFullError) as caught:
        await store.submit([new_job(), new_job()], max_queued=3)
    assert caught.value.facts == {"value": 4, "limit": 3}
    assert (caught.value.retryable, caught.value.retry_after_s) == (True, None)
    assert (await store.stats()).queued == 2
    await store.submit([new_job()], max_queued=3)
    await store.submit([new_job("bob")], max_queued=1)
    held = await store.claim("w1", 30)
    clock.now += 12
    await store.succeed(held.id, "w1", result_bytes=1, video_url=None, keep_s=1)
    await store.submit([new_job()], max_queued=3)
    with pytest.raises(QueueFullError) as caught:
        await store.submit([new_job()], max_queued=3)
    assert caught.value.retry_after_s == 12


async def test_the_same_key_and_body_get_the_first_answer(store):
    first, new = await store.submit([keyed(), keyed()], max_queued=2)
    assert new
    await store.claim("w1", 30)
    again, new = await store.submit([keyed(), keyed()], max_queued=2)
    assert not new
    assert [job.id for job in again] == [job.id for job in first]
    assert again[0].state == "running"
    with pytest.raises(IdempotencyKeyReusedError):
        await store.submit([keyed(digest="other")], max_queued=9)
    assert (await store.submit([keyed(owner="bob", digest="other")], max_queued=9))[1]
    for job in first:
        await store.remove(job.id, None)
    assert (await store.submit([keyed(digest="other")], max_queued=9))[1]


async def test_the_same_key_at_the_same_time_makes_one(jobs_url):
    async with opened(jobs_url, CLAIMERS, Clock()) as stores:
        answers = await asyncio.gather(
            *(store.submit([keyed(), keyed()], max_queued=9) for store in stores)
        )
        assert sorted(new for _, new in answers) == [False] * (CLAIMERS - 1) + [True]
        assert len({tuple(job.id for job in jobs) for jobs, _ in answers}) == 1
        assert (await stores[0].stats()).queued == 2


async def test_the_limit_holds_for_those_who_come_at_the_same_time(jobs_url):
    async with opened(jobs_url, CLAIMERS, Clock()) as stores:
        answers = await asyncio.gather(
            *(store.submit([new_job()], max_queued=3) for store in stores), return_exceptions=True
        )
        assert Counter(type(answer) for answer in answers) == {tuple: 3, QueueFullError: 5}


async def test_fifty_jobs_are_claimed_once_each_by_eight(jobs_url):
    async with opened(jobs_url, CLAIMERS, Clock()) as stores:
        jobs, _ = await stores[0].submit(
            [new_job(owner) for owner in ("ann", "bob") * 25], max_queued=50
        )
        claimed = []

        async def work(number, store):
            while job := await store.claim(f"w{number}", 30):
                claimed.append(job.id)
                assert await store.succeed(
                    job.id, f"w{number}", result_bytes=number, video_url=None, keep_s=1
                )

        await asyncio.gather(*(work(*pair) for pair in enumerate(stores)))
        assert Counter(claimed) == {job.id: 1 for job in jobs}
        ended = await stores[0].ended_oldest_first()
        assert {(job.state, job.attempts) for job in ended} == {("succeeded", 1)}
        assert len(ended) == 50


async def test_a_job_whose_lease_is_over_is_taken_by_one_of_eight(jobs_url):
    clock = Clock()
    async with opened(jobs_url, CLAIMERS, clock) as stores:
        await stores[0].submit([new_job()], max_queued=9)
        await stores[0].claim("killed", 30)
        clock.now += 30
        claims = [store.claim(f"w{number}", 30) for number, store in enumerate(stores)]
        assert sum(job is not None for job in await asyncio.gather(*claims)) == 1
