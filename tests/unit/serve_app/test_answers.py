"""Answers that fit their caller: chosen parts, and nothing again that the caller has."""

import email.utils
import json
from pathlib import Path

import pytest

from deployments.errors import BadParameterError
from serve_app.client import PoseClient
from serve_app.http.conditional import tag_of
from serve_app.http.routes import create_app
from serve_app.results.response_schema import selection_of
from tests.conftest import SQUAT_FRAMES
from tests.support.asgi import AsgiTransport
from tests.support.loopback_server import Server, reply


def upload(http, squat_video, path="/pose", **form):
    files = {"file": squat_video.read_bytes()}
    return http.post(path, files=files, data={"video": "false", **form})


@pytest.mark.parametrize("path", ["/pose", "/pose?fields=joint_angles&fields=request_id"])
def test_the_query_or_the_form_chooses_parts_of_the_answer(http, squat_video, path):
    form = {"fields": "joint_angles,request_id" if path == "/pose" else "keypoints"}
    answer = upload(http, squat_video, path, people="all", **form).json()
    assert answer.keys() == {"data", "request_id"}
    frames = answer["data"]["poses_per_frame"]
    assert len(frames) == SQUAT_FRAMES
    assert all(frame.keys() == {"biomechanics"} for frame in frames)
    assert all(frame["biomechanics"].keys() == {"joint_angles"} for frame in frames)


def test_chosen_parts_are_those_of_the_whole_answer(http, squat_video, squat_answer):
    fields = "keypoints.nose,scores,detail.view"
    answer = upload(http, squat_video, people="all", fields=fields).json()
    assert answer == selection_of(fields).of_value(squat_answer)


def test_a_body_of_json_chooses_parts_too(http, squat_video):
    with Server(reply(squat_video.read_bytes())) as server:
        body = {"video_url": server.url(), "video": False, "fields": "total_frames"}
        answer = http.post("/pose", json=body).json()
    assert answer == {"data": {"processing_summary": {"total_frames": SQUAT_FRAMES}}}


def test_an_unknown_part_is_refused_before_the_video_is_received(http):
    answer = http.post("/pose?fields=joint_angels", files={"file": b"no video"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "bad_parameter")
    assert problem["field"] == "fields"
    assert "joint_angles" in problem["hint"]


def test_the_client_returns_parts_as_a_dictionary(service, squat_video):
    with PoseClient("http://test", transport=AsgiTransport(create_app(service))) as client:
        parts = client.analyze_parts(squat_video, "models_used", video=False)
        with pytest.raises(BadParameterError, match="partial") as refused:
            client.analyze(squat_video, fields="models_used")
        with pytest.raises(BadParameterError, match="no part 'model_used_'"):
            client.analyze_parts(squat_video, "model_used_")
    assert parts["data"]["processing_summary"]["models_used"] == {"Marker-Pose": SQUAT_FRAMES}
    assert "analyze_parts" in refused.value.hint


@pytest.fixture
def video(service):
    path = Path(service.settings.output) / f"{'2' * 32}.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"12345")
    yield path
    path.unlink()


def test_a_video_that_the_caller_has_is_not_sent_again(http, video):
    path = f"/videos/{video.name}"
    first = http.get(path)
    tag, modified = first.headers["etag"], first.headers["last-modified"]
    known = [
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": modified},
        {"If-None-Match": tag, "Range": "bytes=9-"},
        {"If-None-Match": tag, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ]
    for headers in known:
        answer = http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (304, b""), headers
        assert answer.headers["etag"] == tag
        assert answer.headers["last-modified"] == modified
        assert "content-length" not in answer.headers
    changed = [
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": email.utils.formatdate(0)},
    ]
    for headers in changed:
        answer = http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"12345"), headers
    video.write_bytes(b"123456")
    assert http.get(path, headers={"If-None-Match": tag}).content == b"123456"
    assert http.head(path, headers={"If-None-Match": "*"}).status_code == 304


def test_a_range_of_the_version_that_the_caller_has_is_sent(http, video):
    path = f"/videos/{video.name}"
    tag = http.get(path).headers["etag"]
    part = http.get(path, headers={"Range": "bytes=0-1", "If-Range": tag})
    assert (part.status_code, part.content) == (206, b"12")
    stale = http.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, b"12345")


@pytest.mark.parametrize("accepted", ["identity", "gzip", "zstd"])
def test_the_description_is_sent_once(http, accepted):
    headers = {"Accept-Encoding": accepted}
    first = http.get("/openapi.json", headers=headers)
    again = http.get("/openapi.json", headers={**headers, "If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["vary"] == again.headers["vary"] == "Accept-Encoding"
    assert first.json()["paths"]["/pose"]
    assert json.loads(first.content) == http.get("/openapi.json").json()


def test_an_answer_s_tag_follows_its_content():
    assert tag_of(b"a") == tag_of(b"a") != tag_of(b"b")
