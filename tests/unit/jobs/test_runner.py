"""Jobs as the runner sees them: kills, cancels, drains, retries and leases."""

import asyncio
import contextlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from deployments.errors import MediaError, NotReadyError, StageFailedError
from deployments.render.storage import LocalStore
from serve_app.jobs import runner as running
from serve_app.jobs.job import JobState, Stage
from serve_app.jobs.job_files import JobFiles
from serve_app.jobs.result_file import read_whole
from serve_app.jobs.retention import Retention
from serve_app.jobs.runner import JobRunner
from serve_app.service import PoseService
from tests.support.fake_job_queue import FakeJobQueue, progress_of

JOB = "0123456789abcdef" * 2
KEEP_S = 1000.0


class Place:
    """One folder of jobs and one table, and the processes that come and go."""

    def __init__(self, local, stages, folder, **settings):
        self.local, self.stages, self.folder = local, stages, folder
        self.queue = FakeJobQueue()
        self.settings = local.settings.model_copy(
            update={"keep_jobs_s": KEEP_S, "jobs_dir": folder, **settings}
        )
        self.videos = LocalStore(Path(local.settings.output), "")
        self.service = self.files = None

    def submit(self, video, job_id=JOB, request=None):
        files = JobFiles(self.folder)
        files.make(job_id)
        shutil.copy(video, files.source(job_id))
        self.queue.submit(job_id, request)

    def start(self, **arguments):
        """A runner as of a new process."""
        self.service = PoseService(
            self.settings, self.local.plan, self.stages, lambda: self.local.stages.statuses
        )
        self.files = JobFiles(self.folder)
        retention = Retention(
            self.queue, self.files, self.videos, most_bytes=1 << 40, keep_s=KEEP_S
        )
        given = {"lease_s": 30.0, "poll_s": 0.01, "retry_s": (0.0, 0.0)}
        return JobRunner(self.service, self.queue, self.files, retention, **(given | arguments))

    async def run_to_end(self, job_id=JOB, **arguments):
        task = asyncio.create_task(self.start(**arguments).keep_running())
        try:
            async with asyncio.timeout(60):
                while self.queue.jobs[job_id].state in (JobState.QUEUED, JobState.RUNNING):
                    await asyncio.sleep(0.005)
        finally:
            await ended(task)
        return self.queue.jobs[job_id]

    async def run_until_killed(self):
        """Let a process die when its stages stop: it tells the table nothing any more."""
        task = asyncio.create_task(self.start().keep_running())
        async with asyncio.timeout(60):
            await self.stages.stopped.wait()
        self.queue.is_down = True
        await ended(task)
        self.queue.is_down = False

    def answer(self, job_id=JOB):
        text = b"".join(read_whole(self.files.result(job_id)))
        assert self.queue.jobs[job_id].result_bytes == len(text)
        return json.loads(text)


async def ended(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def without_timings(answer):
    answer["data"]["processing_summary"].pop("timings_s")
    return answer


@pytest.fixture
def place(local, stages, tmp_path):
    return Place(local, stages, tmp_path / "jobs")


@pytest.fixture(scope="package")
def whole(local, recorded, squat_video, tmp_path_factory):
    """The answer of a job that nothing interrupts, and the calls that it takes."""
    recorded.reset()
    place = Place(local, recorded, tmp_path_factory.mktemp("whole"))
    place.submit(squat_video)
    job = asyncio.run(place.run_to_end())
    assert job.state == JobState.SUCCEEDED, job.error
    return without_timings(place.answer()), list(recorded.calls)


def test_a_job_is_answered_as_the_service_answers(place, whole, local, squat_video, tmp_path):
    from serve_app.results.response_schema import PoseOptions

    answer, calls = whole
    assert answer["request_id"] == JOB
    assert answer["video_url"] == f"/jobs/{JOB}/video"
    assert Counter(name for name, _ in calls)["analyze"] > 3
    direct = asyncio.run(local.analyze_file(squat_video, tmp_path, PoseOptions(), JOB))
    assert without_timings(direct.plain()) | {"video_url": 0} == answer | {"video_url": 0}


POINTS = [
    ("probe", None),
    *[("analyze", i) for i in range(4)],
    ("biomechanics", None),
    *[("render", i) for i in range(4)],
    ("join", None),
]


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_killed_job_resumes_at_the_first_missing_segment(place, whole, squat_video, point):
    answer, calls = whole
    place.submit(squat_video)
    place.stages.stop_at = point

    async def killed_and_resumed():
        await place.run_until_killed()
        assert place.queue.jobs[JOB].state == JobState.RUNNING
        place.stages.stop_at = None
        place.queue.ahead_s += 31
        return await place.run_to_end()

    job = asyncio.run(killed_and_resumed())
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2), job.error
    assert without_timings(place.answer()) == answer
    segments = Counter(call for call in place.stages.calls if call[1] is not None)
    assert set(segments) == {call for call in calls if call[1] is not None}
    again = sum(segments.values()) - len(segments)
    assert again <= place.settings.segments_in_flight


def test_a_job_killed_after_its_result_was_written_is_only_put_together_again(
    place, whole, squat_video
):
    answer, calls = whole
    place.submit(squat_video)

    async def killed_and_resumed():
        runner = place.start()
        task = asyncio.create_task(runner.keep_running())
        while not place.files.result(JOB).is_dir():
            place.queue.is_down = len(place.stages.calls) == len(calls)
            await asyncio.sleep(0)
        place.queue.is_down = True
        await asyncio.sleep(0.05)
        await ended(task)
        place.queue.is_down = False
        place.stages.calls.clear()
        place.queue.ahead_s += 31
        return await place.run_to_end()

    assert asyncio.run(killed_and_resumed()).state == JobState.SUCCEEDED
    assert place.stages.calls == [("probe", None), ("biomechanics", None), ("join", None)]
    assert without_timings(place.answer()) == answer


def test_cancelling_ends_the_stages_and_frees_the_files(place, squat_video):
    place.submit(squat_video)
    place.stages.stop_at = ("analyze", 2)
    video = place.videos.folder / f"{JOB}.mp4"
    video.write_bytes(b"of an earlier attempt")

    async def cancelled():
        runner = place.start()
        task = asyncio.create_task(runner.keep_running())
        await place.stages.stopped.wait()
        place.queue.request_cancel(JOB)
        runner.wake(JOB)
        while place.queue.jobs[JOB].state == JobState.RUNNING:
            await asyncio.sleep(0.005)
        while (place.folder / JOB).exists() or video.exists():
            await asyncio.sleep(0.005)
        await ended(task)

    asyncio.run(asyncio.wait_for(cancelled(), 60))
    assert place.queue.jobs[JOB].state == JobState.CANCELLED
    assert place.stages.cancelled == [("analyze", 2)]


def test_a_drained_runner_returns_its_job_and_another_continues(place, whole, squat_video):
    place.submit(squat_video)
    place.stages.stop_at = ("analyze", 3)

    async def drained():
        task = asyncio.create_task(place.start().keep_running())
        await place.stages.stopped.wait()
        await ended(task)
        job = place.queue.jobs[JOB]
        assert (job.state, job.worker) == (JobState.QUEUED, None)
        assert place.stages.cancelled == [("analyze", 3)]
        place.stages.stop_at = None
        await place.run_to_end()

    asyncio.run(asyncio.wait_for(drained(), 60))
    assert without_timings(place.answer()) == whole[0]
    assert place.stages.calls.count(("analyze", 0)) == 1


def test_a_job_that_the_end_of_the_service_ends_is_returned(place, squat_video):
    place.submit(squat_video)
    place.stages.stop_at = ("render", 1)

    async def drained():
        task = asyncio.create_task(place.start(retry_s=()).keep_running())
        await place.stages.stopped.wait()
        await place.service.drain(0.0)
        while place.queue.jobs[JOB].state == JobState.RUNNING:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        await ended(task)

    asyncio.run(asyncio.wait_for(drained(), 60))
    job = place.queue.jobs[JOB]
    assert (job.state, job.attempts) == (JobState.QUEUED, 1)


def test_a_worker_whose_lease_is_anothers_stops_and_leaves_the_row_alone(place, squat_video):
    place.submit(squat_video)
    place.stages.stop_at = ("analyze", 1)

    async def lost():
        runner = place.start()
        task = asyncio.create_task(runner.keep_running())
        await place.stages.stopped.wait()
        place.queue.take_away(JOB)
        runner.wake(JOB)
        while not place.stages.cancelled:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        await ended(task)

    asyncio.run(asyncio.wait_for(lost(), 60))
    job = place.queue.jobs[JOB]
    assert (job.state, job.worker) == (JobState.RUNNING, "another")
    assert not {"release", "failed", "cancelled", "succeeded"} & set(place.queue.names())


def test_a_worker_that_cannot_renew_its_lease_stops_when_it_is_over(place, squat_video, caplog):
    place.submit(squat_video)
    place.stages.stop_at = ("analyze", 1)

    async def alone():
        task = asyncio.create_task(place.start(lease_s=0.6).keep_running())
        await place.stages.stopped.wait()
        place.queue.is_down = True
        while not place.stages.cancelled:
            await asyncio.sleep(0.005)
        await ended(task)

    asyncio.run(asyncio.wait_for(alone(), 60))
    assert "the lease cannot be renewed" in caplog.text


def test_a_passing_error_is_tried_again_within_the_claim(place, whole, squat_video):
    place.submit(squat_video)
    place.stages.fail = {
        ("biomechanics", None): StageFailedError("died"),
        ("join", None): NotReadyError("loading"),
    }
    job = asyncio.run(place.run_to_end())
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    assert without_timings(place.answer()) == whole[0]
    assert place.stages.calls.count(("analyze", 0)) == 1
    assert place.stages.calls.count(("render", 0)) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(MediaError("broken"), "bad_media"), (RuntimeError("a secret"), "internal")],
    ids=str,
)
def test_an_error_that_stays_fails_the_job_with_a_problem_document(
    place, squat_video, error, code, caplog
):
    place.submit(squat_video)
    place.stages.fail = {("biomechanics", None): error}
    job = asyncio.run(place.run_to_end())
    assert (job.state, job.error["code"], job.error["instance"]) == (JobState.FAILED, code, JOB)
    assert "secret" not in json.dumps(job.error)
    assert place.files.source(JOB).is_file()
    assert not (place.folder / JOB / "resume").exists()
    assert caplog.records


def test_a_passing_error_that_stays_fails_the_job_in_the_end(place, squat_video):
    place.submit(squat_video)

    async def always(*_):
        raise StageFailedError("died")

    place.stages = type("Dead", (), {"probe": always})()
    job = asyncio.run(place.run_to_end())
    assert (job.state, job.error["code"]) == (JobState.FAILED, "stage_failed")


def test_wrong_options_and_a_lost_upload_fail_the_job(place, squat_video):
    place.submit(squat_video, request={"confidence": 7})
    assert asyncio.run(place.run_to_end()).error["code"] == "bad_parameter"
    other = "f" * 32
    place.queue.submit(other)
    assert asyncio.run(place.run_to_end(other)).error["code"] == "source_not_found"


def test_a_job_that_ends_the_service_again_and_again_fails(place, squat_video, monkeypatch):
    monkeypatch.setattr(running, "_MOST_CLAIMS", 0)
    place.submit(squat_video)
    job = asyncio.run(place.run_to_end())
    assert (job.state, job.error["retryable"]) == (JobState.FAILED, False)
    assert place.stages.calls == []


def test_a_job_out_of_time_fails(local, stages, tmp_path, squat_video):
    place = Place(local, stages, tmp_path / "jobs", job_deadline_s=0.3)
    place.submit(squat_video)
    stages.stop_at = ("biomechanics", None)
    assert asyncio.run(place.run_to_end()).error["code"] == "deadline_exceeded"


def test_jobs_wait_until_all_models_have_answered(place, squat_video):
    place.submit(squat_video)
    known = place.local.stages.statuses

    async def waiting():
        runner = place.start()
        statuses = {role: known[role] for role in list(known)[:0]}
        place.service._statuses = lambda: statuses
        task = asyncio.create_task(runner.keep_running())
        await asyncio.sleep(0.05)
        statuses.update({role: s for role, s in known.items() if role != "rtmpose"})
        await asyncio.sleep(0.05)
        assert "claim" not in place.queue.names()
        statuses.update(known)
        while "claim" not in place.queue.names():
            await asyncio.sleep(0.005)
        await ended(task)

    asyncio.run(asyncio.wait_for(waiting(), 60))


def test_progress_names_the_stages_and_counts_frames(place, squat_video, monkeypatch):
    monkeypatch.setattr(running, "_LEAST_BEAT_S", 0.0)
    place.submit(squat_video)
    asyncio.run(place.run_to_end())
    told = progress_of(place.queue)
    assert Stage.ANALYZE in {progress.stage for progress in told}
    last = told[-1]
    assert last.frames_done == last.frames_total > 0


def test_no_more_jobs_run_at_once_than_the_settings_say(local, stages, tmp_path, squat_video):
    place = Place(local, stages, tmp_path / "jobs", max_running_jobs=2)
    ids = [f"{i:032x}" for i in range(3)]
    for job_id in ids:
        place.submit(squat_video, job_id)
    stages.stop_at = ("probe", None)

    async def full():
        task = asyncio.create_task(place.start().keep_running())
        while stages.calls.count(("probe", None)) < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        states = Counter(job.state for job in place.queue.jobs.values())
        await ended(task)
        return states

    assert asyncio.run(asyncio.wait_for(full(), 60)) == {JobState.RUNNING: 2, JobState.QUEUED: 1}
