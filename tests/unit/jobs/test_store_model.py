"""The store does in any order of calls what a model in memory does; on SQLite and PostgreSQL.

No job is held by two workers, none is lost, and none ends twice.
"""

import asyncio
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from deployments.errors import IdempotencyKeyReusedError, QueueFullError
from serve_app.jobs.job import ENDED, JobProgress, Stage
from serve_app.jobs.store import JobStore
from serve_app.jobs.tables import metadata
from tests.support.job_tables import Clock, new_job

LEASE_S, KEEP_S, MAX_QUEUED = 10, 60, 4
OWNERS = st.sampled_from(["ann", "bob", "eve"])


@dataclass
class Known:
    """A job of the model."""

    owner: str
    state: str = "queued"
    worker: str | None = None
    lease_until: float | None = None
    attempts: int = 0
    cancel_requested: bool = False
    stage: Stage | None = None

    def hold(self, worker, until):
        self.state, self.worker, self.lease_until = "running", worker, until

    def end(self, state):
        self.state, self.worker, self.lease_until = state, None, None


FIELDS = ("owner", "state", "worker", "lease_until", "attempts", "cancel_requested")


class Machine(RuleBasedStateMachine):
    """The store and the model side by side; jobs of the model are in order of submission."""

    jobs = Bundle("jobs")
    workers = Bundle("workers")

    def __init__(self, runner, store):
        super().__init__()
        self.run, self.store = runner.run, store
        self.model: dict[str, Known] = {}
        self.claims = 0
        self.keys: dict[tuple[str, str], tuple[str, list[str]]] = {}

    @initialize()
    def empty(self):
        async def clear():
            async with self.store.database.write() as connection:
                for table in reversed(metadata.sorted_tables):
                    await connection.execute(table.delete())

        self.run(clear())

    def queued(self, owner):
        return sum(job.state == "queued" and job.owner == owner for job in self.model.values())

    def running(self, owner):
        return sum(job.state == "running" and job.owner == owner for job in self.model.values())

    @rule(target=jobs, owner=OWNERS, count=st.integers(1, 3))
    def submit(self, owner, count):
        new = [new_job(owner) for _ in range(count)]
        full = self.queued(owner) + count > MAX_QUEUED
        try:
            made, fresh = self.run(self.store.submit(new, max_queued=MAX_QUEUED))
        except QueueFullError:
            assert full
            return multiple()
        assert not full
        assert fresh
        assert [job.id for job in made] == [job.id for job in new]
        self.model |= {job.id: Known(owner) for job in new}
        return multiple(*(job.id for job in new))

    @rule(
        target=jobs,
        owner=OWNERS,
        key=st.sampled_from(["k1", "k2"]),
        digest=st.sampled_from(["d1", "d2"]),
    )
    def submit_with_key(self, owner, key, digest):
        new = new_job(owner, idempotency_key=key, body_digest=digest)
        first_digest, ids = self.keys.get((owner, key), (None, []))
        ids = [job_id for job_id in ids if job_id in self.model]
        full = self.queued(owner) + 1 > MAX_QUEUED
        try:
            made, fresh = self.run(self.store.submit([new], max_queued=MAX_QUEUED))
        except IdempotencyKeyReusedError:
            assert ids
            assert digest != first_digest
            return multiple()
        except QueueFullError:
            assert full
            assert not ids
            return multiple()
        assert fresh == (not ids)
        assert [job.id for job in made] == (ids or [new.id])
        if not fresh:
            assert digest == first_digest
            return multiple()
        self.keys[owner, key] = digest, [new.id]
        self.model[new.id] = Known(owner)
        return new.id

    @rule(target=workers)
    def claim(self):
        now = self.store.clock.now
        self.claims += 1
        worker = f"w{self.claims}"
        expected = next(
            (
                job_id
                for job_id, job in self.model.items()
                if job.state == "running" and job.lease_until <= now
            ),
            None,
        ) or min(
            (job_id for job_id, job in self.model.items() if job.state == "queued"),
            key=lambda job_id: self.running(self.model[job_id].owner),  # the first of equals
            default=None,
        )
        claimed = self.run(self.store.claim(worker, LEASE_S))
        assert (claimed and claimed.id) == expected
        if expected is not None:
            self.model[expected].hold(worker, now + LEASE_S)
            self.model[expected].attempts += 1
        return worker

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds):
        self.store.clock.now += seconds

    def choose(self, job_id, worker, own):
        """Return the job that the worker holds, if ``own`` and there is one, and the model of it.

        The model is None if the worker does not hold the job.
        """
        its = [other for other, job in self.model.items() if job.worker == worker]
        if own and its:
            (job_id,) = its
        return job_id, self.model[job_id] if job_id in its else None

    @rule(job_id=jobs, worker=workers, own=st.booleans(), stage=st.none() | st.sampled_from(Stage))
    def heartbeat(self, job_id, worker, own, stage):
        job_id, job = self.choose(job_id, worker, own)
        progress = stage and JobProgress(stage, 1, 2)
        beaten = self.run(self.store.heartbeat(job_id, worker, LEASE_S, progress))
        assert (beaten is None) == (job is None)
        if job is not None:
            job.lease_until = self.store.clock.now + LEASE_S
            job.stage = stage or job.stage

    @rule(job_id=jobs, worker=workers, own=st.booleans())
    def release(self, job_id, worker, own):
        job_id, job = self.choose(job_id, worker, own)
        self.run(self.store.release(job_id, worker))
        if job is not None:
            job.end("queued")
            job.attempts -= 1

    @rule(
        job_id=jobs,
        worker=workers,
        own=st.booleans(),
        state=st.sampled_from(["succeeded", "failed", "cancelled"]),
    )
    def end(self, job_id, worker, own, state):
        job_id, job = self.choose(job_id, worker, own)
        store = self.store
        done = self.run(
            {
                "succeeded": lambda: store.succeed(
                    job_id, worker, result_bytes=1, video_url=None, keep_s=KEEP_S
                ),
                "failed": lambda: store.fail(job_id, worker, {"code": "internal"}, KEEP_S),
                "cancelled": lambda: store.cancelled(job_id, worker, KEEP_S),
            }[state]()
        )
        assert done == (job is not None)
        if job is not None:
            job.end(state)

    @rule(job_id=jobs, owner=OWNERS)
    def cancel(self, job_id, owner):
        job = self.model.get(job_id)
        answer = self.run(self.store.cancel(job_id, owner, KEEP_S))
        if job is None or job.owner != owner:
            assert answer is None
            return
        if job.state in ("queued", "running"):
            job.cancel_requested = True
        if job.state == "queued":
            job.end("cancelled")
        assert (answer.state, answer.cancel_requested) == (job.state, job.cancel_requested)

    @rule(job_id=jobs, owner=OWNERS)
    def remove(self, job_id, owner):
        mine = job_id in self.model and self.model[job_id].owner == owner
        assert self.run(self.store.remove(job_id, owner)) == mine
        if mine:
            del self.model[job_id]

    @invariant()
    def the_table_is_the_model(self):
        page = self.run(self.store.list_jobs(None, limit=1000))
        found = {job.id: job for job in reversed(page.jobs)}
        assert list(found) == list(self.model)
        for job_id, job in self.model.items():
            same = {name: getattr(job, name) for name in FIELDS}
            assert {name: getattr(found[job_id], name) for name in FIELDS} == same
            assert found[job_id].progress.stage == job.stage

    def teardown(self):
        for job_id, job in self.model.items():
            events = self.run(self.store.events(job_id, 0))
            assert [event.number for event in events] == list(range(1, len(events) + 1))
            told = [event.data["state"] for event in events if event.kind == "state"]
            assert told[-1] == job.state
            assert sum(state in ENDED for state in told) == (job.state in ENDED)


def test_the_store_does_as_the_model(jobs_url):
    with asyncio.Runner() as runner:
        store = runner.run(JobStore.open(jobs_url, clock=Clock()))
        try:
            run_state_machine_as_test(
                lambda: Machine(runner, store),
                settings=settings(
                    max_examples=12,
                    stateful_step_count=30,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(store.close())
