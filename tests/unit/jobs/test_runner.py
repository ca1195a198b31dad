"""Jobs as the runner sees them: kills, cancels, drains, retries and leases."""

import asyncio
import contextlib
import errno
import json
import shutil
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from deployments.errors import MediaError, NotReadyError, StageFailedError
from deployments.render.storage import LocalStore
from serve_app.jobs import runner as running
from serve_app.jobs.job import ENDED, JobState, Stage
from serve_app.jobs.job_files import JobFiles, video_key
from serve_app.jobs.result_file import read_whole
from serve_app.jobs.retention import Retention
from serve_app.jobs.runner import JobRunner
from serve_app.jobs.store import JobStore
from serve_app.results.response_schema import PoseOptions
from serve_app.service import PoseService
from tests.conftest import SQUAT_FRAMES
from tests.support.job_tables import Clock, WatchedStore, new_job
from tests.support.loopback_server import Server, reply

pytestmark = pytest.mark.anyio
OWNER = "ann"
SEGMENTS = 6
JOB = "0123456789abcdef" * 2
KEEP_S = 1000.0


class Place:
    """One folder of jobs and one table, and the processes that come and go."""

    def __init__(self, local, stages, folder, store, clock, **settings):
        self.local, self.stages, self.folder = local, stages, folder
        self.store, self.queue, self.clock = store, WatchedStore(store), clock
        self.settings = local.settings.model_copy(
            update={"keep_jobs_s": KEEP_S, "jobs_dir": folder, **settings}
        )
        self.videos = LocalStore(Path(local.settings.output), "")
        self.service = self.files = None

    async def submit(self, video, job_id=JOB, request=None):
        if video is not None:
            files = JobFiles(self.folder)
            files.make(job_id)
            shutil.copy(video, files.source(job_id))
        job = new_job(OWNER, id=job_id, request=request or {}, source=None)
        await self.store.submit([job], max_queued=10)

    async def job(self, job_id=JOB):
        return await self.store.get(job_id, OWNER)

    async def until(self, is_so):
        async with asyncio.timeout(60):
            while not is_so(await self.job()):
                await asyncio.sleep(0.01)

    def start(self, statuses=None, **arguments):
        """A runner as of a new process."""
        known = statuses or (lambda: self.local.stages.statuses)
        self.service = PoseService(self.settings, self.local.plan, self.stages, known)
        self.files = JobFiles(self.folder)
        retention = Retention(
            self.queue,
            self.files,
            self.videos,
            most_bytes=1 << 40,
            keep_s=KEEP_S,
            keep_videos_s=1000.0,
        )
        given = {"lease_s": 30.0, "poll_s": 0.01, "retry_s": (0.0, 0.0)}
        return JobRunner(self.service, self.queue, self.files, retention, **(given | arguments))

    async def run_to_end(self, job_id=JOB, **arguments):
        task = asyncio.create_task(self.start(**arguments).keep_running())
        try:
            async with asyncio.timeout(60):
                while (await self.job(job_id)).state not in ENDED:
                    await asyncio.sleep(0.01)
                while (self.folder / job_id / "resume").exists():  # deleted after that
                    await asyncio.sleep(0.01)
        finally:
            await ended(task)
        return await self.job(job_id)

    async def run_until_killed(self):
        """Let a process die when its stages stop: it tells the table nothing any more."""
        task = asyncio.create_task(self.start().keep_running())
        async with asyncio.timeout(60):
            await self.stages.stopped.wait()
        self.queue.is_down = True
        await ended(task)
        self.queue.is_down = False

    async def answer(self, job_id=JOB):
        text = b"".join(read_whole(self.files.result(job_id)))
        assert (await self.job(job_id)).result_bytes == len(text)
        return without_timings(json.loads(text))


async def ended(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def without_timings(answer):
    answer["data"]["processing_summary"].pop("timings_s")
    return answer


@pytest.fixture
async def sqlite(tmp_path):
    clock = Clock()
    store = await JobStore.open(f"sqlite:///{tmp_path}/jobs.db", clock=clock)
    yield store, clock
    await store.close()


@pytest.fixture
def place(local, stages, tmp_path, sqlite):
    return Place(local, stages, tmp_path / "jobs", *sqlite)


@pytest.fixture(scope="package")
def direct(local, squat_video, tmp_path_factory):
    """The answer of a request."""
    folder = tmp_path_factory.mktemp("direct")
    answer = asyncio.run(local.analyze_file(squat_video, folder, PoseOptions(), JOB, owner=OWNER))
    return without_timings(answer.plain()) | {"video_url": f"/jobs/{JOB}/video"}


async def test_a_job_is_answered_as_a_request_is(place, direct, squat_video):
    await place.submit(squat_video)
    job = await place.run_to_end()
    assert await place.answer() == direct
    assert job.state == JobState.SUCCEEDED
    assert job.video_url.endswith(video_key(JOB))
    assert place.stages.calls.count(("join", None)) == 1
    assert (place.videos.folder / video_key(JOB)).is_file()
    kept = sorted(path.name for path in (place.folder / JOB).iterdir())
    assert kept == ["result", "source"]


POINTS = [
    ("probe", None),
    *[("analyze", i) for i in (0, 2, 5)],
    ("biomechanics", None),
    *[("render", i) for i in (0, 2, 5)],
    ("join", None),
]


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_a_killed_job_resumes_at_the_first_missing_segment(place, direct, squat_video, point):
    await place.submit(squat_video)
    place.stages.stop_at = point
    await place.run_until_killed()
    assert (await place.job()).state == JobState.RUNNING
    place.stages.stop_at = None
    place.clock.now += 31
    job = await place.run_to_end()
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2), job.error
    assert await place.answer() == direct
    segments = Counter(call for call in place.stages.calls if call[1] is not None)
    assert set(segments) == set(product(("analyze", "render"), range(SEGMENTS)))
    assert sum(segments.values()) - len(segments) <= place.settings.segments_in_flight


async def test_a_job_killed_after_its_result_was_written_is_only_put_together_again(
    place, direct, squat_video, monkeypatch
):
    await place.submit(squat_video)
    real = JobFiles.write_result

    def written(files, *arguments):
        size = real(files, *arguments)
        place.queue.is_down = True
        return size

    monkeypatch.setattr(JobFiles, "write_result", written)
    task = asyncio.create_task(place.start().keep_running())
    await place.until(lambda _: "succeed" in place.queue.names())
    await ended(task)
    monkeypatch.undo()
    assert place.files.result(JOB).is_dir()
    place.queue.is_down = False
    place.stages.calls.clear()
    place.clock.now += 31
    assert (await place.run_to_end()).state == JobState.SUCCEEDED
    assert place.stages.calls == [("probe", None), ("biomechanics", None), ("join", None)]
    assert await place.answer() == direct


async def test_cancelling_ends_the_stages_and_frees_the_files(place, squat_video):
    await place.submit(squat_video)
    place.stages.stop_at = ("analyze", 2)
    video = place.videos.folder / video_key(JOB)
    video.parent.mkdir(parents=True, exist_ok=True)
    video.write_bytes(b"of an earlier attempt")
    runner = place.start()
    task = asyncio.create_task(runner.keep_running())
    await place.stages.stopped.wait()
    await place.store.cancel(JOB, OWNER, KEEP_S)
    runner.wake(JOB)
    await place.until(lambda job: job.state == JobState.CANCELLED)
    await place.until(lambda _: not (place.folder / JOB).exists() and not video.exists())
    await ended(task)
    assert place.stages.cancelled == [("analyze", 2)]


async def test_a_job_cancelled_while_its_worker_was_dead_is_not_begun(place, squat_video):
    await place.submit(squat_video)
    await place.store.claim("dead", 30)
    await place.store.cancel(JOB, OWNER, KEEP_S)
    place.clock.now += 31
    assert (await place.run_to_end()).state == JobState.CANCELLED
    assert place.stages.calls == []


async def test_a_drained_runner_returns_its_job_and_another_continues(place, direct, squat_video):
    await place.submit(squat_video)
    place.stages.stop_at = ("analyze", 3)
    runner = place.start()
    task = asyncio.create_task(runner.keep_running())
    await place.stages.stopped.wait()
    await runner.drain()
    assert task.cancelled()
    job = await place.job()
    assert (job.state, job.worker, job.attempts) == (JobState.QUEUED, None, 0)
    assert place.stages.cancelled == [("analyze", 3)]
    place.stages.stop_at = None
    await place.run_to_end()
    assert await place.answer() == direct
    assert place.stages.calls.count(("analyze", 0)) == 1


async def test_a_job_that_the_end_of_the_service_ends_is_returned(place, squat_video):
    await place.submit(squat_video)
    place.stages.stop_at = ("render", 1)
    task = asyncio.create_task(place.start(retry_s=()).keep_running())
    await place.stages.stopped.wait()
    await place.service.drain(0.0)
    await place.until(lambda job: job.state == JobState.QUEUED)
    await asyncio.sleep(0.05)
    await ended(task)
    assert place.queue.names().count("claim") == 1


async def test_a_worker_whose_lease_is_anothers_stops_and_leaves_the_row_alone(place, squat_video):
    await place.submit(squat_video)
    place.stages.stop_at = ("analyze", 1)
    runner = place.start()
    task = asyncio.create_task(runner.keep_running())
    await place.stages.stopped.wait()
    place.clock.now += 31
    await place.store.claim("another", 1e6)
    runner.wake(JOB)
    await place.until(lambda _: place.stages.cancelled)
    await asyncio.sleep(0.05)
    await ended(task)
    job = await place.job()
    assert (job.state, job.worker) == (JobState.RUNNING, "another")
    assert not {"release", "fail", "cancelled", "succeed"} & set(place.queue.names())


async def test_a_worker_that_cannot_renew_its_lease_stops_when_it_is_over(
    place, squat_video, caplog
):
    await place.submit(squat_video)
    place.stages.stop_at = ("analyze", 1)
    task = asyncio.create_task(place.start(lease_s=0.6).keep_running())
    await place.stages.stopped.wait()
    place.queue.is_down = True
    await place.until(lambda _: place.stages.cancelled)
    await ended(task)
    assert "the lease cannot be renewed" in caplog.text


async def test_a_passing_error_is_tried_again_within_the_claim(place, direct, squat_video):
    await place.submit(squat_video)
    place.stages.fail = {
        ("biomechanics", None): StageFailedError("died"),
        ("join", None): NotReadyError("loading"),
    }
    job = await place.run_to_end()
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    assert await place.answer() == direct
    assert place.stages.calls.count(("analyze", 0)) == 1
    assert place.stages.calls.count(("render", 0)) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(MediaError("broken"), "bad_media"), (RuntimeError("a secret"), "internal")],
    ids=str,
)
async def test_an_error_that_stays_fails_the_job_with_a_problem_document(
    place, squat_video, error, code, caplog
):
    await place.submit(squat_video)
    place.stages.fail = {("biomechanics", None): error}
    job = await place.run_to_end()
    assert (job.state, job.error["code"], job.error["instance"]) == (JobState.FAILED, code, JOB)
    assert "secret" not in json.dumps(job.error)
    assert [path.name for path in (place.folder / JOB).iterdir()] == ["source"]
    assert caplog.records


async def test_a_passing_error_that_stays_fails_the_job_in_the_end(place, squat_video):
    await place.submit(squat_video)

    async def always(*_):
        raise StageFailedError("died")

    place.stages = type("Dead", (), {"probe": always})()
    job = await place.run_to_end()
    assert (job.state, job.error["code"]) == (JobState.FAILED, "stage_failed")


@pytest.mark.parametrize(
    ("video", "request_", "code"),
    [(True, {"confidence": 7}, "bad_parameter"), (False, {}, "source_not_found")],
)
async def test_wrong_options_and_a_lost_upload_fail_the_job(
    place, squat_video, video, request_, code
):
    await place.submit(squat_video if video else None, request=request_)
    assert (await place.run_to_end()).error["code"] == code


async def test_a_job_whose_result_cannot_be_kept_leaves_no_video(place, squat_video, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("serve_app.jobs.result_file._write", full)
    await place.submit(squat_video)
    job = await place.run_to_end()
    assert (job.state, job.error["code"]) == (JobState.FAILED, "storage_failed")
    assert ("join", None) in place.stages.calls
    assert not (place.videos.folder / video_key(JOB)).exists()
    assert [entry.name for entry in (place.folder / JOB).iterdir()] == ["source"]


async def test_a_job_that_ends_the_service_again_and_again_fails(place, squat_video):
    await place.submit(squat_video)
    for n in range(running._MOST_CLAIMS):
        await place.store.claim(f"dead {n}", 30)
        place.clock.now += 31
    job = await place.run_to_end()
    assert (job.state, job.error["retryable"]) == (JobState.FAILED, False)
    assert place.stages.calls == []


async def test_a_job_out_of_time_fails(local, stages, tmp_path, squat_video, sqlite):
    place = Place(local, stages, tmp_path / "jobs", *sqlite, job_deadline_s=0.3)
    await place.submit(squat_video)
    stages.stop_at = ("biomechanics", None)
    assert (await place.run_to_end()).error["code"] == "deadline_exceeded"


async def test_jobs_wait_until_all_models_have_answered(place, squat_video):
    await place.submit(squat_video)
    known, statuses = place.local.stages.statuses, {}
    runner = place.start(lambda: statuses)
    task = asyncio.create_task(runner.keep_running())
    await asyncio.sleep(0.05)
    statuses.update({role: s for role, s in known.items() if role != "rtmpose"})
    await asyncio.sleep(0.05)
    assert "claim" not in place.queue.names()
    statuses.update(known)
    await place.until(lambda _: "claim" in place.queue.names())
    await ended(task)


async def test_progress_names_the_stages_and_counts_frames(place, squat_video, monkeypatch):
    monkeypatch.setattr(running, "_LEAST_BEAT_S", 0.0)
    await place.submit(squat_video)
    await place.run_to_end()
    told = [event for event in await place.store.events(JOB, 0) if event.kind == "progress"]
    assert Stage.ANALYZE in {event.data["stage"] for event in told}
    progress = (await place.job()).progress
    assert progress.frames_done == progress.frames_total == SQUAT_FRAMES


async def test_no_more_jobs_run_at_once_than_the_settings_say(
    local, stages, tmp_path, squat_video, sqlite
):
    place = Place(local, stages, tmp_path / "jobs", *sqlite, max_running_jobs=2)
    for i in range(3):
        await place.submit(squat_video, f"{i:032x}")
    stages.stop_at = ("probe", None)
    task = asyncio.create_task(place.start().keep_running())
    await place.until(lambda _: stages.calls.count(("probe", None)) == 2)
    await asyncio.sleep(0.1)
    stats = await place.store.stats()
    await ended(task)
    assert (stats.running, stats.queued) == (2, 1)


async def test_a_video_at_an_address_is_fetched_once(local, stages, tmp_path, squat_video, sqlite):
    place = Place(local, stages, tmp_path / "jobs", *sqlite, allowed_hosts=frozenset({"127.0.0.1"}))
    stages.stop_at = ("analyze", 0)
    with Server(reply(squat_video.read_bytes())) as server:
        job = new_job(OWNER, id=JOB, request={}, source=server.url())
        await place.store.submit([job], max_queued=10)
        await place.run_until_killed()
        stages.stop_at = None
        place.clock.now += 31
        job = await place.run_to_end()
    assert (job.state, server.connections) == (JobState.SUCCEEDED, 1)
    assert place.files.source(JOB).read_bytes() == squat_video.read_bytes()


async def test_an_address_without_a_video_fails_the_job(local, stages, tmp_path, sqlite):
    place = Place(local, stages, tmp_path / "jobs", *sqlite, allowed_hosts=frozenset({"127.0.0.1"}))
    with Server(reply(status=404)) as server:
        job = new_job(OWNER, id=JOB, request={}, source=server.url())
        await place.store.submit([job], max_queued=10)
        job = await place.run_to_end()
    assert (job.state, job.error["code"]) == (JobState.FAILED, "source_not_found")
    assert list((place.folder / JOB).iterdir()) == []


async def test_the_video_of_an_earlier_attempt_is_replaced(place, squat_video):
    """As one of an older version of the service: a bucket takes no other under the same name."""
    await place.submit(squat_video)
    place.stages.stop_at = ("join", None)
    await place.run_until_killed()
    place.stages.stop_at = None
    place.clock.now += 31
    removed = []

    class Bucket:
        def remove(self, key):
            removed.append((key, ("join", None) in place.stages.calls))

    place.videos = Bucket()
    place.stages.calls.clear()
    assert (await place.run_to_end()).state == JobState.SUCCEEDED
    assert removed == [(video_key(JOB), False)]
