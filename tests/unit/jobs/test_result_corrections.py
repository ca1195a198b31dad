"""Corrections by hand of a job's result, on a service of one process."""

import copy
import time

import httpx
import pytest

from serve_app.jobs import correction_files
from serve_app.local import LocalStages
from serve_app.results.response_schema import PoseResponse
from tests.support.asgi import problem_of
from tests.unit.jobs.test_job_routes import ended

FRAME = 40


@pytest.fixture(scope="module")
def http(jobs_transport):
    with httpx.Client(transport=jobs_transport, base_url="http://test") as client:
        client.jobs_dir = jobs_transport.jobs_dir
        yield client


@pytest.fixture(scope="module")
def done(http, squat_video):
    """A job that has succeeded, without an annotated video."""
    form = {"files": {"file": ("squat.mp4", squat_video.read_bytes())}, "data": {"video": "false"}}
    return ended(http, http.post("/jobs", **form).json()["id"])


def result_of(http, job):
    return http.get(job["links"]["result"]).json()


@pytest.fixture(scope="module")
def origin(http, done):
    return result_of(http, done)


@pytest.fixture(scope="module")
def person(origin):
    return origin["data"]["biomechanics_summary"][0]["person_id"]


def corrected(http, job, *changes):
    answer = http.post(f"/jobs/{job['id']}/corrections", json={"changes": changes})
    assert answer.status_code == 202, answer.text
    made = ended(http, answer.json()["id"])
    assert made["state"] == "succeeded", made["error"]
    return made, result_of(http, made)


def numbers(result):
    """The result without what differs between two jobs of one video."""
    data = copy.deepcopy(result["data"])
    del data["processing_summary"]["timings_s"]
    return data, [notice["code"] for notice in result["warnings"]]


def point(person, x=None, y=None, name="left_knee", frame=FRAME, **more):
    change = {"kind": "point", "person_id": person, "frame": frame, "keypoint": name}
    return change | ({} if x is None else {"x": x, "y": y}) | more


def at(result, name="left_knee", frame=FRAME):
    return result["data"]["poses_per_frame"][frame]["keypoints"][name]


def reps(result):
    return result["data"]["biomechanics_summary"][0]["reps"]


def test_no_change_gives_an_equal_result_without_the_networks(http, done, origin, monkeypatch):
    monkeypatch.delattr(LocalStages, "analyze")
    made, result = corrected(http, done)
    assert numbers(result) == numbers(origin)
    assert result["corrections"]["changes"] == []
    assert result["corrections"]["origin"] == made["corrected_from"] == done["id"]
    assert "corrections" not in origin
    assert "corrected_by_hand" not in numbers(result)[1]
    assert done["corrected_from"] is None


def test_a_moved_point_changes_its_frame_and_is_recorded(http, done, origin, person):
    old = at(origin)
    made, result = corrected(http, done, point(person, old["x"] + 12, old["y"]))
    PoseResponse.model_validate(result)
    new = at(result)
    assert (new["x"], new["y"], new["by_hand"]) == (round(old["x"] + 12, 2), old["y"], True)
    assert new["confidence"] == 1
    assert new["raw_score"] == old["raw_score"]
    frames = [r["data"]["poses_per_frame"][FRAME]["biomechanics"] for r in (origin, result)]
    assert frames[0]["joint_angles"]["left_knee"] != frames[1]["joint_angles"]["left_knee"]
    assert "by_hand" not in at(result, "right_knee")
    assert "corrected_by_hand" in numbers(result)[1]
    (change,) = result["corrections"]["changes"]
    assert change["before"] == {"x": old["x"], "y": old["y"], "by_hand": False}
    assert change["change"]["x"] == old["x"] + 12
    assert (change["job"], change["by"]) == (done["id"], None)
    assert abs(change["at"] - time.time()) < 120
    assert result_of(http, done) == origin  # it is never overwritten
    # Moved back by hand, every number is as it was.
    _, back = corrected(http, made, point(person, old["x"], old["y"]))
    assert numbers(back) == numbers(origin)
    assert [c["job"] for c in back["corrections"]["changes"]] == [done["id"], made["id"]]
    assert back["corrections"]["origin"] == done["id"]


def test_a_hidden_point_is_missing(http, done, origin, person):
    _, result = corrected(http, done, point(person, hidden=True))
    assert at(result) | {"raw_score": 0} == {
        "x": None, "y": None, "confidence": 0, "raw_score": 0, "sigma": None, "by_hand": True,
    }  # fmt: skip
    block = result["data"]["poses_per_frame"][FRAME]["biomechanics"]
    assert block["joint_angles"]["left_knee"] is None
    assert block["detail"]["nulls"]["left_knee"] == "hidden_by_hand"


def test_a_repetition_is_moved_removed_and_added(http, done, origin, person):
    first = reps(origin)[0]
    start, _, stop = first["frames"]
    change = {"kind": "repetition", "person_id": person, "frames": [start, stop]}
    made, result = corrected(http, done, change | {"to": [start + 3, stop]})
    moved = reps(result)[0]
    assert (moved["frames"][0], moved["frames"][2], moved["by_hand"]) == (start + 3, stop, True)
    assert moved["t_start_s"] != first["t_start_s"]
    assert moved["duration_s"] != first["duration_s"]
    back = {"kind": "repetition", "person_id": person, "frames": [start + 3, stop]}
    _, same = corrected(http, made, back | {"to": [start, stop]})
    assert numbers(same) == numbers(origin)
    gone, without = corrected(http, done, change)
    assert len(reps(without)) == len(reps(origin)) - 1
    if reps(without):
        add = {"kind": "repetition", "person_id": person, "to": [start, stop]}
        _, again = corrected(http, gone, add)
        assert numbers(again) == numbers(origin)


WRONG = {
    "unknown person": {"person_id": 77},
    "unknown frame": {"frame": 100_000},
    "unknown keypoint": {"keypoint": "left_toe"},
    "outside of the picture": {"x": 1e5},
    "no place": {"x": None, "y": None},
    "both": {"hidden": True},
    "no number": {"x": "NaN"},
    "a number as text": {"x": "50"},
    "a truth as number": {"person_id": True},
    "unknown field": {"z": 1},
    "unknown kind": {"kind": "angle"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_point_is_refused(http, done, person, wrong):
    body = {"changes": [point(person, 50.0, 50.0) | wrong]}
    answer = http.post(f"/jobs/{done['id']}/corrections", json=body)
    assert problem_of(answer).code == "bad_parameter"
    assert "changes.0" in answer.json()["detail"]


def test_unknown_events_are_refused(http, done, person):
    change = {"kind": "event", "person_id": person, "event": "contact", "side": "left"}
    rep = {"kind": "repetition", "person_id": person}
    for wrong in (
        change | {"frame": 3, "to": 4},
        change | {"frame": 3, "to": 3},
        rep | {"frames": [1, 4], "to": [2, 9]},
        rep | {"to": [9, 3]},
        rep,
    ):
        answer = http.post(f"/jobs/{done['id']}/corrections", json={"changes": [wrong]})
        assert problem_of(answer).status == 422, wrong


def test_too_many_changes_are_refused(http, done, person):
    body = {"changes": [point(person, 1.0, 1.0)] * 1001}
    assert problem_of(http.post(f"/jobs/{done['id']}/corrections", json=body)).status == 422


def test_a_repeated_request_is_one_job(http, done, person):
    body, key = {"changes": [point(person, 50.0, 50.0)]}, {"Idempotency-Key": "again"}
    path = f"/jobs/{done['id']}/corrections"
    first, second = (http.post(path, json=body, headers=key) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Idempotent-Replayed"] == "true"
    other = http.post(path, json={"changes": []}, headers=key)
    assert problem_of(other).code == "idempotency_key_reused"
    ended(http, first.json()["id"])


def test_points_that_are_gone_are_a_typed_error(http, done):
    list_of_segments = http.jobs_dir / done["id"] / "result" / correction_files.SEGMENTS
    kept = list_of_segments.read_bytes()
    path = f"/jobs/{done['id']}/corrections"
    list_of_segments.write_text('["0123"]')
    assert problem_of(http.post(path, json={"changes": []})).code == "poses_gone"
    list_of_segments.unlink()
    assert problem_of(http.post(path, json={"changes": []})).status == 410
    list_of_segments.write_bytes(kept)


def test_a_job_without_data_cannot_be_corrected(http, squat_video):
    form = {"files": {"file": ("squat.mp4", squat_video.read_bytes())}, "data": {"data": "false"}}
    job = ended(http, http.post("/jobs", **form).json()["id"])
    answer = http.post(f"/jobs/{job['id']}/corrections", json={"changes": []})
    assert "no data" in problem_of(answer).detail


def test_a_report_is_a_page_without_scripts(http, done, person):
    answer = http.get(done["links"]["report"], params={"title": "<b>Ann</b>"})
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "&lt;b&gt;Ann&lt;/b&gt;" in answer.text
    assert "<script" not in answer.text
    assert problem_of(http.get(done["links"]["report"], params={"person": 77})).status == 422
