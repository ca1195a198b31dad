"""Jobs by both clients, on a service of one process; connections that break."""

import json
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from deployments.errors import (
    BadParameterError,
    IdempotencyKeyReusedError,
    JobNotFinishedError,
    JobNotFoundError,
    NotAVideoError,
    QueueFullError,
    ServiceError,
    UnreachableError,
)
from serve_app.client import StateEvent, StreamEnd, StreamFrame, StreamPoses, job_flows, steps
from serve_app.client import uploads as client_uploads
from serve_app.http import job_results
from tests.conftest import SQUAT_FRAMES
from tests.support.clients import KINDS, client_of

FIELDS = ("joint_angles,video_url", "processing_summary", "poses_per_frame", "data")


class Breaking(httpx.BaseTransport):
    """Sends requests on, and breaks those that a test chooses.

    A "gateway" answers in the service's place.

    Attributes:
        breaks: by "METHOD last-part-of-path": for each such request, "lost" before it arrives,
            "unheard" once it was answered, or the bytes of the answer before it breaks; None lets
            it pass. asked: the requests. answers: to them.
    """

    def __init__(self, inner, **breaks):
        self._inner = inner
        self.breaks = breaks
        self.asked = []
        self.answers = []

    def handle_request(self, request):
        self.asked.append(request)
        waiting = self.breaks.get(f"{request.method}_{request.url.path.rpartition('/')[2]}")
        how = waiting.pop(0) if waiting else None
        if how == "lost":
            raise httpx.ConnectError("lost")
        if how == "gateway":
            return httpx.Response(404, text="Path not found")
        answer = self._inner.handle_request(request)
        self.answers.append(answer)
        if how == "unheard":
            raise httpx.ReadError("unheard")
        if how is None:
            return answer
        content = httpx.Response(200, headers=answer.headers, content=answer.read()).content
        headers = {"content-type": answer.headers["content-type"]}
        return httpx.Response(answer.status_code, headers=headers, stream=Cut(content[:how]))


class Cut(httpx.SyncByteStream):
    def __init__(self, content):
        self._content = content

    def __iter__(self):
        yield self._content
        raise httpx.ReadError("cut off")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(steps, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(job_flows, "_FIRST_POLL_S", 0.05)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def client(kind, jobs_transport):
    with client_of(kind, jobs_transport) as client:
        yield client


@pytest.fixture(scope="module")
def plain(jobs_transport):
    """The blocking client, for what is not asked about."""
    with client_of("blocking", jobs_transport) as client:
        yield client


@pytest.fixture(scope="module")
def done(plain, squat_video):
    """A job that has succeeded."""
    job = plain.wait(plain.submit(squat_video, confidence=0.4).id)
    assert job.state == "succeeded", job.error
    return job


@pytest.fixture(scope="module")
def whole(plain, done):
    return plain.result(done.id)


@pytest.fixture
def paused(monkeypatch):
    """No job begins."""
    monkeypatch.setattr("serve_app.jobs.runner.JobRunner._is_ready", lambda _self: False)


def test_a_job_from_its_file_to_its_end(client, squat_video, whole, tmp_path):
    seen = []
    job = client.submit(squat_video, confidence=0.4)
    assert (job.state, job.group) == ("queued", None)
    ended = client.wait(job.id, progress=seen.append)
    assert (ended.state, ended.percent) == ("succeeded", 100)
    assert seen[-1] == ended
    assert {each.id for each in seen} == {job.id}
    response = client.result(job.id)
    assert response.request_id == job.id
    assert response.data.poses_per_frame == whole.data.poses_per_frame
    assert response.data.processing_summary.confidence_threshold == 0.4
    assert list(client.frames(job.id)) == whole.data.poses_per_frame
    source = client.download_source(job.id, tmp_path / "source.mp4")
    assert source.read_bytes() == squat_video.read_bytes()
    assert client.download_video(job.id, tmp_path / "v.mp4").read_bytes()[4:8] == b"ftyp"
    client.delete(job.id)
    with pytest.raises(JobNotFoundError):
        client.job(job.id)
    with pytest.raises(JobNotFoundError):
        client.delete(job.id)


def test_an_export_by_id_is_that_of_the_result(client, done, whole, tmp_path):
    made = client.export_job(done.id, "trc", height_m=1.8)
    assert made == client.export(whole, "trc", height_m=1.8)
    file = client.export_job(done.id, "trc", tmp_path / "a.trc", height_m=1.8)
    assert file.read_bytes() == made


def test_a_result_is_corrected_by_hand(client, done, whole):
    person = whole.data.poses_per_frame[0].pose.track_id
    change = {"kind": "point", "person_id": person, "frame": 0, "keypoint": "nose", "x": 9, "y": 9}
    made = client.wait(client.correct(done.id, [change]).id)
    assert (made.state, made.corrected_from) == ("succeeded", done.id)
    response = client.result(made.id)
    nose = response.data.poses_per_frame[0].keypoints["nose"]
    assert (nose.x, nose.y, nose.by_hand) == (9, 9, True)
    assert response.corrections.changes[0].change.model_dump(exclude_defaults=True) == change
    with pytest.raises(BadParameterError, match=r"changes\.0.*not in frame"):
        client.correct(done.id, [change | {"person_id": 77}])
    with pytest.raises(BadParameterError, match="keypoint"):
        client.correct(done.id, [change | {"keypoint": "toe"}])


@pytest.mark.parametrize("most", [20_000, 300_000])
def test_a_large_result_comes_in_pages(client, done, whole, monkeypatch, most):
    parts = {fields: client.result_parts(done.id, fields) for fields in FIELDS}
    monkeypatch.setattr(job_results, "MOST_PAGE_BYTES", most)
    assert client.result(done.id) == whole
    assert {fields: client.result_parts(done.id, fields) for fields in FIELDS} == parts
    assert list(client.frames(done.id)) == whole.data.poses_per_frame
    assert parts["data"]["data"]["poses_per_frame"]
    with pytest.raises(BadParameterError, match="no part"):
        client.result_parts(done.id, "nonsense")


@pytest.mark.parametrize("most", [1 << 25, 1000])
def test_a_result_of_parts_is_read_as_parts(client, squat_video, monkeypatch, most):
    fields = "frame_info.timestamp,processing_summary"
    job = client.wait(client.submit(squat_video, fields=fields, video=False).id)
    monkeypatch.setattr(job_results, "MOST_PAGE_BYTES", most)
    parts = client.result_parts(job.id)
    assert parts.keys() == {"data"}
    assert parts["data"].keys() == {"poses_per_frame", "processing_summary"}
    assert len(parts["data"]["poses_per_frame"]) == SQUAT_FRAMES
    for read in (client.result, lambda job_id: list(client.frames(job_id))):
        with pytest.raises(BadParameterError, match="not a whole response"):
            read(job.id)
    client.delete(job.id)


def test_events_go_on_where_the_connection_broke(kind, jobs_transport, client, done):
    course = list(client.events(done.id))
    assert [event.number for event in course] == list(range(1, len(course) + 1))
    states = [event.state for event in course if isinstance(event, StateEvent)]
    assert states == ["queued", "running", "succeeded"]
    transport = Breaking(jobs_transport, GET_events=["lost", 130, "unheard", 10, 200])
    with client_of(kind, transport) as broken:
        assert list(broken.events(done.id)) == course
    afters = [int(r.headers["last-event-id"]) for r in transport.asked]
    assert afters == sorted(afters)
    assert afters[2] > 0
    assert list(client.events(done.id, after=course[-2].number)) == course[-1:]
    assert list(client.events(done.id, after=course[-1].number)) == []


def test_events_that_stay_away_are_an_error_in_the_end(kind, jobs_transport, done):
    transport = Breaking(jobs_transport, GET_events=["lost"] * 100)
    with client_of(kind, transport, retries=3) as client, pytest.raises(UnreachableError):
        list(client.events(done.id))
    assert len(transport.asked) == 4
    with client_of(kind, jobs_transport) as client, pytest.raises(JobNotFoundError):
        list(client.events("0" * 32))


@pytest.mark.usefixtures("paused")
def test_waiting_goes_on_while_the_service_restarts(
    kind, jobs_transport, plain, done, squat_video, monkeypatch
):
    job = plain.submit(squat_video)
    seen = []

    def seen_once(job):
        seen.append(job)
        plain.cancel(job.id)

    monkeypatch.setattr(steps, "LONGEST_WAIT_S", 0.002)
    restart = ["lost"] * 6 + ["gateway"] * 6
    transport = Breaking(jobs_transport, **{f"GET_{job.id}": [None, *restart]})
    with client_of(kind, transport) as client:
        assert client.wait(job.id, seen_once).state == "cancelled"
    assert [each.state for each in seen] == ["queued", "cancelled"]
    transport = Breaking(jobs_transport, GET_events=[130, *restart])
    with client_of(kind, transport) as client:
        assert list(client.events(done.id)) == list(plain.events(done.id))
        plain.delete(job.id)
    monkeypatch.setattr(job_flows, "RESTART_S", 0.0)
    transport = Breaking(jobs_transport, GET_events=[130, *restart])
    with client_of(kind, transport) as client, pytest.raises(UnreachableError):
        list(client.events(done.id))


@pytest.mark.usefixtures("paused")
@pytest.mark.parametrize("break_", ["lost", "unheard"])
def test_a_submission_whose_answer_is_lost_makes_one_job(
    kind, jobs_transport, plain, squat_video, break_
):
    before = {job.id for job in plain.jobs()}
    transport = Breaking(jobs_transport, POST_jobs=[break_])
    with client_of(kind, transport) as client:
        job = client.submit(squat_video)
    assert {job.id for job in plain.jobs()} - before == {job.id}
    assert len({r.headers["idempotency-key"] for r in transport.asked}) == 1
    assert len(transport.asked) == 2
    plain.delete(job.id)


@pytest.mark.usefixtures("paused")
def test_a_key_of_ones_own_makes_one_job(client, kind, squat_video):
    jobs = [client.submit(squat_video, idempotency_key=f"mine-{kind}") for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    with pytest.raises(IdempotencyKeyReusedError):
        client.submit(squat_video, idempotency_key=f"mine-{kind}", video=False)
    client.delete(jobs[0].id)


def test_several_files_are_a_group(client, squat_video, monkeypatch):
    monkeypatch.setattr(client_uploads, "PART_BYTES", 50_000)
    group = client.submit_all([squat_video, str(squat_video)], video=False)
    ids = [job.id for job in group.jobs]
    assert {job.id for job in client.jobs(group=group.group)} == set(ids)
    ended = client.wait_all(ids)
    assert [(job.id, job.state) for job in ended] == [(i, "succeeded") for i in ids]
    assert client.result(ids[0]).video_url is None
    for job_id in ids:
        client.delete(job_id)


def test_a_group_that_cannot_be_queued_leaves_no_upload(kind, jobs_transport, squat_video):
    transport = Breaking(jobs_transport)
    with client_of(kind, transport) as client:
        with pytest.raises(FileNotFoundError):
            client.submit_all([squat_video, "absent.mp4"])
        with pytest.raises(BadParameterError, match="webhook"):
            client.submit_all([squat_video], webhook_url="ftp://x")
        for sources in ([], [squat_video] * 101):
            with pytest.raises(BadParameterError, match="1 to 100"):
                client.submit_all(sources)
    deleted = [r.url.path for r in transport.asked if r.method == "DELETE"]
    made = [a for a in transport.answers if a.status_code == 201]
    assert len(deleted) == len(made) == 2


def test_pages_of_jobs_are_followed(client, done, monkeypatch):
    whole = [job.id for job in client.jobs()]
    monkeypatch.setattr(job_flows, "_PAGE", 1)
    assert [job.id for job in client.jobs()] == whole
    assert done.id in [job.id for job in client.jobs(state="succeeded")]
    assert list(client.jobs(state="failed", group="0" * 32)) == []


@pytest.mark.usefixtures("paused")
def test_a_job_is_cancelled_and_one_that_has_ended_is_left(client, done, squat_video):
    job = client.submit(squat_video)
    with pytest.raises(TimeoutError, match=job.id):
        client.wait(job.id, timeout_s=0.1)
    with pytest.raises(JobNotFinishedError):
        client.result(job.id)
    assert client.cancel(job.id).state == "cancelled"
    assert client.cancel(job.id).state == "cancelled"
    assert client.cancel(done.id) == client.job(done.id) == done
    client.delete(job.id)


@pytest.mark.usefixtures("paused")
def test_a_job_that_was_deleted_unheard_is_deleted(kind, jobs_transport, plain, squat_video):
    job = plain.submit(squat_video)
    transport = Breaking(jobs_transport, **{f"DELETE_{job.id}": [None, "unheard"]})
    with client_of(kind, transport) as client:
        client.delete(job.id)
    assert [r.method for r in transport.asked] == ["GET", "DELETE", "DELETE", "DELETE"]


def test_a_job_that_fails_is_returned_with_its_error(client, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    job = client.wait(client.submit(tmp_path / "text.mp4").id)
    assert (job.state, job.error.code) == ("failed", "not_a_video")
    with pytest.raises(JobNotFinishedError, match="failed"):
        client.result(job.id)


@pytest.mark.usefixtures("paused")
def test_a_full_queue_is_said_and_waited_for(kind, jobs_transport, plain, squat_video):
    jobs = [plain.submit(squat_video) for _ in range(3)]
    with (
        client_of(kind, jobs_transport, retries=0) as client,
        pytest.raises(QueueFullError) as refused,
    ):
        client.submit(squat_video)
    assert refused.value.retryable

    class Room(Breaking):
        """Makes room once a request was refused."""

        def handle_request(self, request):
            answer = super().handle_request(request)
            if answer.status_code == 429:
                plain.delete(jobs.pop().id)
                answer.headers["retry-after"] = "0"
            return answer

    transport = Room(jobs_transport)
    with client_of(kind, transport) as client:
        jobs.append(client.submit(squat_video))
    assert len(transport.asked) == 2
    for job in jobs:
        plain.delete(job.id)


@pytest.mark.parametrize("job_id", ["", "../pose", "a/b", "x?y"])
def test_what_is_no_id_is_not_sent(kind, job_id):
    with client_of(kind, httpx.MockTransport(lambda _: pytest.fail("sent"))) as client:
        for call in (client.job, client.result, client.cancel, client.delete):
            with pytest.raises(BadParameterError, match="not the id"):
                call(job_id)


def test_a_stream_has_the_response_in_lines(client, squat_video, whole):
    lines = list(client.stream(squat_video, confidence=0.4))
    frames = [line.frame for line in lines if isinstance(line, StreamFrame)]
    assert frames == whole.data.poses_per_frame
    poses = [line for line in lines if isinstance(line, StreamPoses)]
    assert sum(len(line.frames) for line in poses) == len(frames)
    assert [line.segment for line in poses] == list(range(len(poses)))
    end = lines[-1]
    assert isinstance(end, StreamEnd)
    assert end.lines_left_out == 0
    assert end.response.data.biomechanics_summary == whole.data.biomechanics_summary


def test_what_goes_wrong_in_a_stream_is_raised(client, kind, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(NotAVideoError):
        list(client.stream(tmp_path / "text.mp4"))
    with pytest.raises(BadParameterError, match="fields"):
        list(client.stream("http://x/y.mp4", fields="video_url"))
    progress = {"type": "progress", "stage": "analyze", "done": 1, "total": 2}
    problem = {"code": "not_a_video", "detail": "d", "hint": "h", "retryable": False}
    error = {"type": "error", "problem": problem}
    for last, expected in ((error, NotAVideoError), (None, ServiceError)):
        text = "\n".join(json.dumps(line) for line in (progress, last) if line)
        answer = httpx.Response(200, stream=httpx.ByteStream(text.encode()))
        with client_of(kind, httpx.MockTransport(lambda _, a=answer: a)) as other:
            lines = other.stream("http://x/y.mp4")
            assert next(lines).done == 1
            with pytest.raises(expected):
                next(lines)


def test_a_stream_that_is_left_closes_its_connection(kind):
    class Endless(httpx.SyncByteStream):
        is_closed = False

        def __iter__(self):
            while True:
                yield b'{"type": "progress", "stage": "analyze", "done": 0, "total": 9}\n'

        def close(self):
            self.is_closed = True

    stream = Endless()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=stream))
    with client_of(kind, transport) as client:
        with closing(client.stream("http://x/y.mp4")) as lines:
            assert next(lines).total == 9
            assert not stream.is_closed
        assert stream.is_closed


def test_results_are_sent_compressed(kind, jobs_transport, done, whole):
    transport = Breaking(jobs_transport)
    with client_of(kind, transport) as client:
        assert client.result(done.id) == whole
    (request,) = transport.asked
    assert {"gzip", "zstd"} <= set(request.headers["accept-encoding"].split(", "))
    assert transport.answers[0].headers["content-encoding"] == "zstd"


def test_waits_double_and_are_spread(monkeypatch):
    monkeypatch.setattr(steps, "FIRST_WAIT_S", 0.5)
    for attempt, longest in enumerate((0.5, 1, 2, 4, 8, 16, 30, 30)):
        waits = {steps.wait_s(ServiceError("x"), attempt) for _ in range(20)}
        assert len(waits) > 1
        assert longest / 2 <= min(waits) <= max(waits) <= longest
    assert steps.wait_s(ServiceError("x", retry_after_s=7), 3) == 7


def test_a_file_is_there_only_once_it_is_whole(kind, jobs_transport, done, tmp_path):
    transport = Breaking(jobs_transport, GET_video=[1000])
    with client_of(kind, transport, retries=0) as client, pytest.raises(UnreachableError):
        client.download_video(done.id, tmp_path / "v.mp4")
    assert list(tmp_path.iterdir()) == []
    with client_of(kind, Breaking(jobs_transport, GET_video=[1000])) as client:
        assert Path(client.download_video(done.id, tmp_path / "v.mp4")).stat().st_size > 1000
