"""The routes of jobs, on a service of one process: from the request to the result."""

import json
import time
from dataclasses import replace

import httpx
import pytest

from deployments.errors import ResultFilesError
from serve_app.http import job_results
from serve_app.jobs.job import JobProgress, JobRecord, JobState, QueueStats, Stage
from serve_app.jobs.job_files import video_key
from serve_app.jobs.job_view import job_view
from serve_app.jobs.store import JobStore
from serve_app.results.job_schema import Job
from serve_app.results.response_schema import PoseResponse
from tests.support.asgi import problem_of

TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def http(jobs_transport):
    with httpx.Client(transport=jobs_transport, base_url="http://test") as client:
        client.job_files, client.videos = jobs_transport.jobs_dir, jobs_transport.videos
        yield client


@pytest.fixture(scope="module")
def form(squat_video):
    return {"files": {"file": ("squat.mp4", squat_video.read_bytes())}}


@pytest.fixture(scope="module")
def done(http, form):
    """A job that has succeeded."""
    answer = http.post("/jobs", **form)
    assert answer.status_code == 202, answer.text
    return ended(http, answer.json()["id"])


def wait_for(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def ended(http, job_id):
    wait_for(lambda: Job.model_validate(http.get(f"/jobs/{job_id}").json()).ended)
    return http.get(f"/jobs/{job_id}").json()


def paused(http, monkeypatch):
    """Let no job begin."""
    monkeypatch.setattr("serve_app.jobs.runner.JobRunner._is_ready", lambda _self: False)


def test_a_job_has_the_answer_of_pose(http, done, form):
    assert (done["state"], done["percent"], done["error"]) == ("succeeded", 100, None)
    assert done["frames_done"] == done["frames_total"] == 96
    result = http.get(done["links"]["result"]).json()
    assert PoseResponse.model_validate(result).request_id == done["id"]
    direct = http.post("/pose", **form).json()
    for answer in (result, direct):
        answer["data"]["processing_summary"].pop("timings_s")
    assert result["data"] == direct["data"]
    assert done["result_bytes"] > 100_000
    assert result["video_url"].endswith(done["links"]["video"])


def test_its_videos_are_served_in_ranges(http, done, form):
    source = http.get(done["links"]["source"])
    assert source.content == form["files"]["file"][1]
    assert source.headers["content-type"] == "video/mp4"
    part = http.get(done["links"]["video"], headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    for name in ("source", "video"):
        whole, head = http.get(done["links"][name]), http.head(done["links"][name])
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize("limit", [1, 40, 96, 500])
def test_pages_of_frames_make_the_whole(http, done, limit):
    whole = http.get(done["links"]["result"]).json()["data"]["poses_per_frame"]
    frames, cursor = [], 0
    while cursor is not None:
        page = http.get(done["links"]["result"], params={"cursor": cursor, "limit": limit}).json()
        assert len(page["frames"]) <= limit
        frames += page["frames"]
        cursor = page["cursor"]
    assert frames == whole


def test_lines_of_frames_name_the_next_page(http, done):
    whole = http.get(done["links"]["result"]).json()["data"]["poses_per_frame"]
    frames, address = [], done["links"]["result"] + "?limit=60"
    while address:
        page = http.get(address, headers={"Accept": "application/x-ndjson"})
        assert page.headers["content-type"].startswith("application/x-ndjson")
        frames += [json.loads(line) for line in page.text.splitlines()]
        address = page.links.get("next", {}).get("url")
    assert frames == whole


def test_a_large_result_comes_in_pages_only(http, done, monkeypatch):
    monkeypatch.setattr(job_results, "MOST_PAGE_BYTES", 20_000)
    assert problem_of(http.get(done["links"]["result"])).code == "too_large"
    page = http.get(done["links"]["result"], params={"cursor": 0})
    assert len(page.content) < 25_000
    assert page.json()["cursor"] == len(page.json()["frames"]) > 0


@pytest.mark.parametrize("query", ["", "?cursor=0", "?fields=joint_angles"])
def test_a_damaged_result_is_refused_and_a_deleted_one_is_not_found(http, form, query):
    job = ended(http, http.post("/jobs", **form).json()["id"])
    folder = http.job_files / job["id"] / "result"
    (folder / "frames-000000.zst").unlink()
    export = f"/jobs/{job['id']}/export/csv"
    for address in (job["links"]["result"] + query, export):
        refused = problem_of(http.get(address))
        assert (refused.code, refused.retryable) == ("storage_failed", False)

    def deleted(*_):
        http.delete(job["links"]["self"])
        raise ResultFilesError("gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_results, "_whole", deleted)
        patch.setattr(job_results, "_page", deleted)
        assert problem_of(http.get(job["links"]["result"] + query)).code == "job_not_found"


@pytest.mark.parametrize("cursor", [97, 10**9, 10**300])
def test_a_page_behind_the_end_is_empty(http, done, cursor):
    page = http.get(done["links"]["result"], params={"cursor": cursor})
    assert page.json() == {"frames": [], "cursor": None}


def test_events_tell_the_course_of_a_job_and_continue(http, done):
    def events(**headers):
        text = http.get(done["links"]["events"], headers=headers).text
        blocks = [dict(_fields(block)) for block in text.replace("\r", "").strip().split("\n\n")]
        return [(int(b["id"]), b["event"], json.loads(b["data"])) for b in blocks if "id" in b]

    whole = events()
    assert [number for number, *_ in whole] == list(range(1, len(whole) + 1))
    states = [data["state"] for _, kind, data in whole if kind == "state"]
    assert states == ["queued", "running", "succeeded"]
    stages = [data["stage"] for _, kind, data in whole if kind == "progress"]
    assert stages == sorted(stages, key=list(Stage).index)  # short ones have no event
    assert stages[-1] in ("render", "store")
    assert events(**{"Last-Event-ID": "2"}) == whole[2:]
    bad = http.get(done["links"]["events"], headers={"Last-Event-ID": "-1"})
    assert problem_of(bad).code == "bad_parameter"


def _fields(block):
    for line in block.splitlines():
        name, _, value = line.partition(": ")
        yield name, value


def test_the_same_key_and_body_make_one_job(http, form, done):
    key = {"Idempotency-Key": "a run"}
    first = http.post("/jobs", **form, headers=key)
    again = http.post("/jobs", **form, headers=key)
    assert first.json()["id"] == again.json()["id"] != done["id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = http.post("/jobs", **form, data={"video": "false"}, headers=key)
    assert problem_of(other).code == "idempotency_key_reused"
    ended(http, first.json()["id"])


def uploaded(http, body):
    begun = http.post("/uploads", headers=TUS | {"Upload-Length": str(len(body))})
    part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert http.patch(begun.headers["location"], content=body, headers=TUS | part).is_success
    return begun.headers["location"].rpartition("/")[2]


def test_events_end_with_a_job_that_is_deleted(http, form, monkeypatch, caplog):
    paused(http, monkeypatch)
    job = http.post("/jobs", **form).json()
    events, deleted = JobStore.events, []

    async def and_delete(store, job_id, after):
        found = await events(store, job_id, after)
        deleted.append(await store.remove(job_id, None))
        return found

    monkeypatch.setattr(JobStore, "events", and_delete)
    answer = http.get(job["links"]["events"])
    assert deleted == [True]
    assert answer.text.split() == ["id:", "1", "event:", "state", "data:", '{"state":', '"queued"}']
    assert "failed" not in caplog.text  # it did not break off


def test_the_readers_of_events_are_bounded(http, done, monkeypatch):
    monkeypatch.setattr("serve_app.jobs.jobs.MOST_READERS", 0)
    refused = http.get(done["links"]["events"])
    assert problem_of(refused).code == "overloaded"
    assert int(refused.headers["retry-after"]) > 0
    monkeypatch.undo()
    assert http.get(done["links"]["events"]).status_code == 200


@pytest.mark.parametrize("reason", ["upload_not_found", "upload_busy", "queue_full"])
def test_a_refused_request_leaves_its_uploads_and_no_files(http, monkeypatch, reason):
    paused(http, monkeypatch)
    one, two = uploaded(http, b"one"), uploaded(http, b"two")
    last = {"upload_not_found": ["0" * 32], "upload_busy": [one], "queue_full": []}[reason]
    if reason == "queue_full":
        monkeypatch.setattr("serve_app.jobs.jobs.Jobs._most_queued", lambda *_: 1)
    before = {*http.job_files.iterdir()}
    videos = [{"upload_id": upload_id} for upload_id in (one, two, *last)]
    assert problem_of(http.post("/jobs", json={"videos": videos})).code == reason
    assert {*http.job_files.iterdir()} == before
    for upload_id in (one, two):
        assert http.delete(f"/uploads/{upload_id}", headers=TUS).status_code == 204


def test_several_videos_are_a_group_of_jobs(http, squat_video):
    ids = [uploaded(http, squat_video.read_bytes()) for _ in range(2)]
    request = {"videos": [{"upload_id": i} for i in ids], "video": False}
    group = http.post("/jobs", json=request, headers={"Idempotency-Key": "group"})
    assert group.status_code == 202, group.text
    listed = http.get(group.headers["location"]).json()["jobs"]
    assert {job["id"] for job in listed} == {job["id"] for job in group.json()["jobs"]}
    assert len(listed) == 2
    # The uploads are gone; the first answer is not.
    again = http.post("/jobs", json=request, headers={"Idempotency-Key": "group"})
    assert again.json()["group"] == group.json()["group"]
    assert problem_of(http.post("/jobs", json=request)).code == "upload_not_found"
    for job in listed:
        assert ended(http, job["id"])["state"] == "succeeded"
        assert job["links"]["video"] is None


def test_a_queued_job_is_cancelled_at_once_and_then_deleted(http, form, monkeypatch):
    paused(http, monkeypatch)
    first, second = (http.post("/jobs", **form).json() for _ in range(2))
    assert (second["state"], second["position"]) == ("queued", first["position"] + 1)
    assert second["eta_s"] > 0
    drawn = http.videos / video_key(first["id"])  # by an attempt that a restart returned
    drawn.parent.mkdir(parents=True, exist_ok=True)
    drawn.write_bytes(b"video")
    cancelled = http.delete(f"/jobs/{first['id']}")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert http.get(f"/jobs/{second['id']}").json()["position"] == first["position"]
    listed = http.get("/jobs", params={"state": "queued"}).json()["jobs"]
    assert [job["position"] for job in listed if job["id"] == second["id"]] == [first["position"]]
    assert problem_of(http.get(f"/jobs/{first['id']}/result")).code == "job_not_finished"
    assert http.get(f"/jobs/{first['id']}/source").status_code == 404
    assert not drawn.exists()
    assert http.delete(f"/jobs/{first['id']}").status_code == 204
    assert problem_of(http.get(f"/jobs/{first['id']}")).code == "job_not_found"
    http.delete(f"/jobs/{second['id']}")


@pytest.mark.parametrize(
    ("position", "running", "eta_s"),
    [(1, 0, 10.0), (3, 0, 30.0), (1, 1, 20.0), (2, 2, 20.0)],
)
def test_a_waiting_job_is_estimated_by_those_before_it(position, running, eta_s):
    record = job_of_record(JobState.QUEUED)
    view = job_view(record, position, QueueStats(position, running, 10.0), now=50.0)
    assert view.eta_s == eta_s


def test_a_job_that_was_taken_up_again_has_no_estimate():
    half = JobProgress(Stage.ANALYZE, 1, 2)
    once = job_of_record(JobState.RUNNING, started_at=40.0, attempts=1, progress=half)
    assert job_view(once, None, None, now=50.0).eta_s == 30.0
    assert job_view(replace(once, attempts=2), None, None, now=9000.0).eta_s is None


def job_of_record(state, **values):
    return JobRecord(
        id="0" * 32,
        owner="",
        state=state,
        request={},
        source=None,
        group=None,
        idempotency_key=None,
        body_digest=None,
        webhook_url=None,
        created_at=0.0,
        **values,
    )


def test_more_jobs_than_may_wait_are_refused(http, form, monkeypatch):
    paused(http, monkeypatch)
    made = [http.post("/jobs", **form) for _ in range(4)]
    assert [answer.status_code for answer in made] == [202, 202, 202, 429]
    refused = problem_of(made[3])
    assert (refused.code, refused.retryable) == ("queue_full", True)
    asked, positions = [], JobStore.positions
    monkeypatch.setattr(
        JobStore, "positions", lambda self, ids: asked.append(len(ids)) or positions(self, ids)
    )
    http.get("/jobs")
    assert asked == [3]  # of a thousand jobs, one look at the queue too
    for answer in made[:3]:
        http.delete(f"/jobs/{answer.json()['id']}")


def test_a_job_that_fails_says_why(http):
    job = http.post("/jobs", files={"file": b"no video"}).json()
    job = ended(http, job["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "not_a_video")
    refused = problem_of(http.get(f"/jobs/{job['id']}/result"))
    assert (refused.code, refused.retryable) == ("job_not_finished", False)


def test_a_job_says_why_its_webhook_was_given_up(http):
    url = "http://127.0.0.1:9/hook?token=secret"
    job = http.post("/jobs", files={"file": b"no video"}, data={"webhook_url": url}).json()
    assert (job["webhook_delivered_at"], job["webhook_error"]) == (None, None)
    path = job["links"]["self"]
    wait_for(lambda: http.get(path).json()["webhook_error"])
    job = http.get(path).json()
    assert "127.0.0.1 port 9 is not a public web address" in job["webhook_error"]
    assert (job["webhook_delivered_at"], "secret" in str(job)) == (None, False)


@pytest.mark.parametrize("kind", ["csv", "trc", "coco"])
def test_a_result_is_exported_by_its_id_as_from_its_text(http, done, kind):
    by_id = http.get(f"/jobs/{done['id']}/export/{kind}", params={"height_m": 1.8})
    text = http.get(done["links"]["result"]).content
    sent = http.post(
        "/export",
        params={"format": kind, "height_m": 1.8},
        content=text,
        headers={"Content-Type": "application/json"},
    )
    assert by_id.status_code == sent.status_code == 200
    assert by_id.content == sent.content
    unknown = http.get(f"/jobs/{done['id']}/export/xlsx")
    assert problem_of(unknown).code == "bad_parameter"


def test_parts_of_a_result_are_chosen_by_fields(http, done):
    whole = http.get(done["links"]["result"]).json()
    angles = http.get(done["links"]["result"], params={"fields": "joint_angles"}).json()
    assert angles == {
        "data": {
            "poses_per_frame": [
                {"biomechanics": {"joint_angles": frame["biomechanics"]["joint_angles"]}}
                for frame in whole["data"]["poses_per_frame"]
            ]
        }
    }
    some = http.get(done["links"]["result"], params={"fields": "joint_angles", "cursor": 90})
    assert some.json()["frames"] == angles["data"]["poses_per_frame"][90:]
    summary = http.get(done["links"]["result"], params={"fields": "processing_summary"}).json()
    assert summary == {"data": {"processing_summary": whole["data"]["processing_summary"]}}


def test_a_caller_that_has_the_result_is_not_sent_it_again(http, done):
    first = http.get(done["links"]["result"])
    again = http.get(done["links"]["result"], headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    page = http.get(
        done["links"]["result"] + "?cursor=0", headers={"If-None-Match": first.headers["etag"]}
    )
    assert page.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"video_url": "http://x/y.mp4", "upload_id": "0" * 32},
        {"videos": []},
        {"videos": [{"video_url": "http://x/y.mp4"}], "video_url": "http://x/y.mp4"},
        {"videos": [{}]},
        {"video_url": "http://x/y.mp4", "webhook_url": "ftp://x"},
        {"video_url": "http://x/y.mp4", "unknown": 1},
        {"upload_id": "../../etc"},
    ],
)
def test_a_wrong_body_is_refused_and_makes_nothing(http, body):
    before = http.get("/jobs").json()["jobs"]
    assert problem_of(http.post("/jobs", json=body)).code == "bad_parameter"
    assert [j["id"] for j in http.get("/jobs").json()["jobs"]] == [j["id"] for j in before]


@pytest.mark.parametrize(
    ("address", "code"),
    [("\0", "bad_source"), ("http://a b/", "bad_source"), ("file:///x", "address_not_allowed")],
)
def test_a_malformed_address_is_refused_and_makes_nothing(http, address, code):
    before = len(http.get("/jobs").json()["jobs"])
    videos = [{"video_url": "https://example.invalid/a.mp4"}, {"video_url": address}]
    assert problem_of(http.post("/jobs", json={"videos": videos})).code == code
    assert len(http.get("/jobs").json()["jobs"]) == before


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "..%2F..", "0" * 31 + "g"])
@pytest.mark.parametrize("route", ["", "/events", "/result", "/video", "/source"])
def test_an_unknown_id_is_not_found(http, job_id, route):
    assert problem_of(http.get(f"/jobs/{job_id}{route}")).status == 404


@pytest.mark.parametrize("key", ["", "x" * 256, "\x01"])
def test_a_wrong_idempotency_key_is_refused(http, key):
    answer = http.post("/jobs", json={}, headers={"Idempotency-Key": key})
    assert problem_of(answer).code == "bad_parameter"
