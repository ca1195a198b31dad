"""The typed client against the application itself."""

from contextlib import ExitStack

import httpx
import pytest
from pydantic import ValidationError

from deployments.errors import (
    AddressNotAllowedError,
    NotAVideoError,
    NotReadyError,
    OverloadedError,
    ServiceError,
    UnreachableError,
)
from serve_app.http.routes import create_app
from tests.conftest import SQUAT_FRAMES
from tests.support.asgi import AsgiTransport
from tests.support.clients import KINDS, client_of
from tests.support.loopback_server import Server, closed_port, reply


@pytest.fixture(params=KINDS)
def pose_client(request):
    with ExitStack() as opened:
        yield lambda *transport, **options: opened.enter_context(
            client_of(request.param, *transport, **options)
        )


@pytest.fixture
def client(service, pose_client):
    return pose_client(AsgiTransport(create_app(service)))


@pytest.fixture
def answering(pose_client):
    return lambda handler, **options: pose_client(httpx.MockTransport(handler), **options)


def busy(times, after="0"):
    """Answers that it is busy so many times, then that it is alive."""
    left = [times]

    def handle(_request):
        left[0] -= 1
        if left[0] < 0:
            return httpx.Response(200, json={"data": None, "video_url": None, "request_id": "x"})
        body = {"code": "overloaded", "detail": "busy", "hint": "wait", "retryable": True}
        return httpx.Response(429, json=body, headers={"Retry-After": after})

    return handle


def test_a_file_is_uploaded_with_its_options(client, squat_video):
    answer = client.analyze(squat_video, video=False, confidence=0.4, people="all")
    assert answer.data.processing_summary.successful_poses == SQUAT_FRAMES
    assert answer.data.processing_summary.confidence_threshold == 0.4
    assert answer.data.poses_per_frame[0].people == []


def test_an_address_is_sent_as_json(client, squat_video):
    with Server(reply(squat_video.read_bytes())) as server:
        answer = client.analyze(server.url(), video=False)
    assert answer.data.processing_summary.total_frames == SQUAT_FRAMES


def test_health(client):
    assert client.health().status == "healthy"
    assert client.wait_until_ready(1).models.detector_loaded


def test_errors_are_those_of_the_service(client, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(NotAVideoError, match="does not begin like") as refused:
        client.analyze(text)
    assert refused.value.hint
    assert not refused.value.retryable
    with pytest.raises(AddressNotAllowedError):
        client.analyze("http://192.168.0.1/a.mp4")


def test_a_wrong_option_is_found_before_anything_is_sent(answering):
    client = answering(lambda _: pytest.fail("sent"))
    with pytest.raises(ValidationError, match="size"):
        client.analyze("http://x/y.mp4", size=3)
    with pytest.raises(FileNotFoundError):
        client.analyze("no such file.mp4")


def test_what_may_succeed_later_is_tried_again_as_often_as_asked(answering, tmp_path):
    video = tmp_path / "v.mp4"
    video.write_bytes(b"video")
    assert answering(busy(2), retries=2).analyze(video).request_id == "x"
    with pytest.raises(OverloadedError) as refused:
        answering(busy(3, after="0"), retries=2).analyze(video)
    assert refused.value.retry_after_s == 0


def test_every_try_sends_the_whole_file(answering, tmp_path):
    video = tmp_path / "v.mp4"
    video.write_bytes(b"the whole video")
    seen = []
    handle = busy(1)

    def keep(request):
        seen.append(request.read())
        return handle(request)

    answering(keep, retries=1).analyze(video)
    assert [b"the whole video" in body for body in seen] == [True, True]


@pytest.mark.parametrize(
    ("response", "retryable"),
    [
        (httpx.Response(503, text="no replicas"), True),
        (httpx.Response(404, text="Path not found"), False),
        (httpx.Response(502, json={"error": "gateway"}), True),
        (httpx.Response(500, json=["list"]), True),
    ],
)
def test_an_answer_of_somebody_else_is_said_to_be_one(answering, response, retryable):
    with pytest.raises(UnreachableError, match="not this service's") as refused:
        answering(lambda _: response).analyze("http://x/y.mp4")
    assert refused.value.retryable == retryable


def test_an_unknown_code_is_a_service_error(answering):
    body = {"code": "new_one", "detail": "d", "hint": "h", "retryable": False}
    with pytest.raises(ServiceError, match="d"):
        answering(lambda _: httpx.Response(418, json=body)).analyze("http://x/y.mp4")


def test_no_service_at_all(pose_client):
    with closed_port() as port:
        client = pose_client(None, f"http://127.0.0.1:{port}")
        with pytest.raises(UnreachableError, match="does not answer"):
            client.health()
        with pytest.raises(NotReadyError, match="does not answer"):
            client.wait_until_ready(0.1)


def test_a_response_without_a_video_has_none_to_download(answering, tmp_path):
    client = answering(busy(0))
    with pytest.raises(ValueError, match="no annotated video"):
        client.download(client.analyze("http://x/y.mp4"), tmp_path / "v.mp4")


def test_a_video_that_is_gone_cannot_be_downloaded(client, squat_video, tmp_path):
    answer = client.analyze(squat_video, video=False)
    answer.video_url = "http://test/videos/" + "0" * 32 + ".mp4"
    with pytest.raises(ServiceError, match="no such video"):
        client.download(answer, tmp_path / "v.mp4")
    assert list(tmp_path.iterdir()) == []
