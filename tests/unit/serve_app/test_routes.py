"""The HTTP interface as an application: routes, problems, documents."""

import json
import re
from pathlib import Path

import httpx
import pytest

from deployments.errors import MediaError
from deployments.messages import ModelStatus
from serve_app.client.answers import _all_errors
from serve_app.http.routes import create_app
from serve_app.live_config import LiveConfig
from serve_app.results.health_schema import Health
from serve_app.results.response_schema import PoseResponse
from serve_app.service import PoseService
from tests.conftest import ROOT, SQUAT_FRAMES
from tests.support.asgi import AsgiTransport, problem_of
from tests.support.loopback_server import Server, closed_port, reply


def post(http, **body):
    return http.post("/pose", json=body)


def test_every_field_of_the_specification_is_there_with_its_type(squat_answer):
    frame = squat_answer["data"]["poses_per_frame"][15]
    assert list(frame["keypoints"]["nose"])[:3] == ["x", "y", "confidence"]
    assert len(frame["keypoints"]) == 17
    assert all(isinstance(frame["keypoints"][k]["x"], float) for k in frame["keypoints"])
    assert list(frame["biomechanics"]["joint_angles"]) == [
        *("left_elbow", "right_elbow", "left_knee", "right_knee"),
        *("left_shoulder", "right_shoulder"),
    ]
    assert frame["biomechanics"]["movement_analysis"].keys() == {
        *("pose_quality", "stability_score", "symmetry_index", "athletic_readiness")
    }
    assert frame["biomechanics"]["body_alignment"].keys() == {
        *("spine_angle", "hip_level_difference", "shoulder_level_difference")
    }
    assert frame["frame_info"] == {
        "frame_number": 15,
        "timestamp": 0.5,
        "model_used": "Marker-Pose",
    }
    summary = squat_answer["data"]["processing_summary"]
    assert (summary["total_frames"], summary["successful_poses"]) == (SQUAT_FRAMES, SQUAT_FRAMES)
    assert 0 < summary["average_confidence"] <= 1
    assert summary["model_info"]["name"] == "Marker-Pose"
    assert re.fullmatch(r"MMPose \d+\.\d+\.\d+", summary["model_info"]["version"])
    assert summary["model_info"]["precision"] == "fp32"


def test_numbers_are_json_numbers_and_the_document_validates(squat_answer):
    text = json.dumps(squat_answer, allow_nan=False)
    assert PoseResponse.model_validate_json(text).data is not None


def test_the_annotated_video_is_served_in_ranges(http, squat_answer):
    path = re.sub(r"^file://.*/", "/videos/", squat_answer["video_url"])
    whole = http.get(path)
    assert whole.headers["content-type"] == "video/mp4"
    part = http.get(path, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert http.head(path).headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize(
    "key", ["..%2Fmodel_config.json", "%2e%2e/x.mp4", "0" * 32 + ".mp4", "a.mp4"]
)
def test_nothing_else_is_served_from_the_folder_of_videos(http, key):
    response = http.get(f"/videos/{key}")
    assert response.status_code == 404
    assert problem_of(response).code == "http_404"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=0-1", 206),
        ("bytes=-2", 206),
        ("bytes=5", 400),
        ("bytes=", 400),
        ("bytes=-", 400),
        ("bytes=a-b", 400),
        ("bytes=3-1", 400),
        ("bytes=0-" + "9" * 5000, 400),
        ("pages=1-2", 400),
        ("bytes=" + ",".join(["0-1"] * 1000), 400),
        ("bytes=9-", 416),
    ],
)
def test_a_malformed_range_is_refused_by_a_problem_document(http, service, asked, status):
    path = Path(service.settings.output) / f"{'1' * 32}.mp4"
    path.write_bytes(b"12345")
    try:
        response = http.get(f"/videos/{path.name}", headers={"range": asked})
    finally:
        path.unlink()
    assert response.status_code == status
    if status != 206:
        assert problem_of(response).code == f"http_{status}"


def test_a_video_at_an_address(http, squat_video):
    with Server(reply(squat_video.read_bytes())) as server:
        response = post(http, video_url=server.url(), video=False, confidence=0.9)
    answer = PoseResponse.model_validate(response.json())
    assert answer.video_url is None
    assert answer.data.processing_summary.confidence_threshold == 0.9
    assert set(answer.data.poses_per_frame[0].biomechanics.joint_angles.values()) == {None}


def test_the_data_can_be_left_out(http, squat_video):
    with Server(reply(squat_video.read_bytes())) as server:
        answer = post(http, video_url=server.url(), data=False).json()
    assert answer["data"] is None
    assert answer["video_url"].endswith(".mp4")


def test_form_fields_are_those_of_the_json_body(http, squat_video):
    form = {"video": "false", "data": "true", "confidence": "0.55", "model": "hrnet"}
    response = http.post("/pose", files={"file": squat_video.read_bytes()}, data=form)
    summary = response.json()["data"]["processing_summary"]
    assert summary["confidence_threshold"] == 0.55
    assert summary["models_used"] == {"Marker-Fallback": SQUAT_FRAMES}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "video_url"),
        ({"video_url": ""}, "video_url"),
        ({"video_url": "https://x/y", "confidence": 1.2}, "confidence"),
        ({"video_url": "https://x/y", "confidence": "much"}, "confidence"),
        ({"video_url": "https://x/y", "frames": 3}, "frames"),
        ({"video_url": "https://x/y", "video": "perhaps"}, "video"),
        ({"video_url": "https://x/y", "confidence": True}, "confidence"),
        ({"video_url": "https://x/y", "subject": {"height_m": True}}, "subject.height_m"),
        ({"video_url": "https://x/y", "camera": {"roll_deg": False}}, "camera.roll_deg"),
        ({"video_url": "https://x/y", "cutoff_hz": 1e-300}, "cutoff_hz"),
        ({"video_url": "https://x/y", "cutoff_hz": True}, "cutoff_hz"),
        ({"video_url": "https://x/y", "subject": "[" * 20_000}, "subject"),
        ({"video_url": "https://x/y", "camera": '{"roll_deg":' * 4000}, "camera"),
        ({"video_url": "https://x/y", "model": "openpose"}, "model"),
        ([1, 2], "body"),
        ("text", "body"),
    ],
)
def test_a_bad_parameter_is_named(http, body, says):
    problem = problem_of(http.post("/pose", json=body))
    assert (problem.status, problem.code, problem.retryable) == (422, "bad_parameter", False)
    assert says in problem.detail


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("ftp://example.org/a.mp4", 403, "address_not_allowed"),
        ("file:///etc/passwd", 403, "address_not_allowed"),
        ("http://10.0.0.1/a.mp4", 403, "address_not_allowed"),
        ("http://[::1]/a.mp4", 403, "address_not_allowed"),
        ("gs://someones-bucket/a.mp4", 403, "address_not_allowed"),
        ("http://user@example.org/a.mp4", 422, "bad_source"),
        ("http://a\\b/a.mp4", 422, "bad_source"),
    ],
)
def test_an_address_that_is_not_fetched_is_refused(http, url, status, code):
    problem = problem_of(post(http, video_url=url))
    assert (problem.status, problem.code, problem.retryable) == (status, code, False)


def test_an_address_without_the_file_or_without_an_answer(http):
    with Server(reply(status=404)) as server:
        assert problem_of(post(http, video_url=server.url())).code == "source_not_found"
    with closed_port() as port:
        problem = problem_of(post(http, video_url=f"http://127.0.0.1:{port}/a.mp4"))
    assert (problem.status, problem.code, problem.retryable) == (502, "unreachable", True)


def test_too_many_at_once_are_told_when_to_come_again(http, service, squat_video, monkeypatch):
    monkeypatch.setattr(service, "live", LiveConfig(max_concurrent_requests=1))
    with service.admitted():
        response = http.post("/pose", files={"file": squat_video.read_bytes()})
    problem = problem_of(response)
    assert (problem.status, problem.code, problem.retryable) == (429, "overloaded", True)
    assert int(response.headers["retry-after"]) >= 1


def test_without_a_model_nothing_is_answered_but_why(service, squat_video):
    missing = {"rtmpose": ModelStatus(role="rtmpose", loaded=False, reason="no weights")}
    bare = PoseService(service.settings, service.plan, service.stages, lambda: missing)
    with httpx.Client(transport=AsgiTransport(create_app(bare)), base_url="http://test") as http:
        assert http.get("/livez").status_code == 200
        assert http.get("/readyz").status_code == 503
        health = http.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "not_ready")
        response = http.post("/pose", files={"file": squat_video.read_bytes()})
    problem = problem_of(response)
    assert (problem.status, problem.code, problem.retryable) == (503, "not_ready", True)
    assert "rtmpose: no weights" in problem.detail


def test_health_readiness_and_liveness_of_a_good_service(http):
    health = Health.model_validate(http.get("/healthz").json())
    assert (health.status, health.service.service) == ("healthy", "mmpose")
    assert health.service.config_loaded
    assert health.models.rtmpose_loaded
    assert health.models.hrnet_available
    assert not health.models.mmcv_cuda
    assert health.system.mmpose_version == "1.3.2"
    assert http.get("/readyz").json() == {"ready": True}
    assert http.get("/livez").json() == {"alive": True}


def test_an_unforeseen_error_is_a_problem_without_its_text(http, service, monkeypatch):
    async def broken(*_):
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(service, "analyze_url", broken)
    response = post(http, video_url="https://example.org/a.mp4")
    assert problem_of(response).code == "internal"
    assert response.status_code == 500
    assert "secret" not in response.text


def test_a_request_id_is_given_back_and_made_up_where_none_fits(http):
    assert "x-request-id" in http.get("/livez").headers
    problem = http.get("/nothing", headers={"X-Request-ID": "abc-1"}).json()
    assert problem["instance"] == "abc-1"
    odd = http.get("/nothing", headers={"X-Request-ID": "a b\tc"})
    assert odd.headers["x-request-id"] == odd.json()["instance"] != "a b\tc"


def test_the_description_has_every_route_with_examples_and_errors(service):
    document = create_app(service).openapi()
    assert set(document["paths"]) == {
        *("/pose", "/export", "/healthz", "/readyz", "/livez"),
        *("/videos/{key}", "/videos/{owner}/{key}"),
        *("/uploads", "/uploads/{upload_id}"),
    }
    pose = document["paths"]["/pose"]["post"]
    body = pose["requestBody"]["content"]
    assert body["application/json"]["schema"]["examples"][0]["confidence"] == 0.3
    assert body["multipart/form-data"]["schema"]["required"] == ["file"]
    example = pose["responses"]["200"]["content"]["application/json"]["example"]
    frame = PoseResponse.model_validate(example).data.poses_per_frame[0]
    assert frame.biomechanics.detail.nulls
    assert len(frame.keypoints) == 17
    assert {"200", "403", "413", "415", "422", "429", "502", "503", "504"} <= set(pose["responses"])


def test_every_error_code_is_in_the_users_document():
    text = (ROOT / "docs" / "user.md").read_text()
    assert [code for code in _all_errors(MediaError.__base__) if f"`{code}`" not in text] == []


def test_unknown_fields_are_named_shortly(http):
    body = {"video_url": "https://x/y", **{"k" * 2000 + str(i): 1 for i in range(25)}}
    response = post(http, **body)
    assert problem_of(response).code == "bad_parameter"
    assert len(response.content) < 5000
