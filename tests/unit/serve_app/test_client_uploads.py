"""The clients' uploads in parts, over connections that break."""

from functools import partial

import httpx
import pytest

from deployments.errors import (
    BadParameterError,
    TooLargeError,
    UnknownModelError,
    UnreachableError,
    UploadNotFoundError,
)
from serve_app.client import steps
from serve_app.client import uploads as client_uploads
from serve_app.http.routes import create_app
from tests.conftest import SQUAT_FRAMES
from tests.support.asgi import AsgiTransport
from tests.support.clients import KINDS, client_of
from tests.support.parts import BODY
from tests.unit.serve_app.test_service import service_of

PART = 1000


class Breaking(httpx.BaseTransport):
    """Passes requests on, and breaks those of its list.

    Attributes:
        breaks: for each PATCH: "lost" before it arrives, "half" once half of it has, "unheard"
            before its answer is heard; None passes. asked: methods and paths, in order.
    """

    def __init__(self, app, breaks=()):
        self._inner = AsgiTransport(app)
        self.breaks = list(breaks)
        self.asked = []

    def handle_request(self, request):
        self.asked.append(f"{request.method} {request.url.path.split('/')[1]}")
        how = self.breaks.pop(0) if request.method == "PATCH" and self.breaks else None
        if how == "half":
            headers = {k: v for k, v in request.headers.items() if not k.startswith("content-len")}
            del headers["upload-checksum"]
            content = request.read()[: PART // 2]
            self._inner.handle_request(
                httpx.Request("PATCH", request.url, headers=headers, content=content)
            )
        if how == "unheard":
            self._inner.handle_request(request)
        if how is not None:
            raise httpx.ReadError("the connection broke")
        return self._inner.handle_request(request)


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch):
    assert (client_uploads.IN_PARTS_FROM, client_uploads.PART_BYTES) == (64 * 1024**2, 8 * 1024**2)
    monkeypatch.setattr(client_uploads, "PART_BYTES", PART)
    monkeypatch.setattr(steps, "FIRST_WAIT_S", 0.001)


@pytest.fixture(params=KINDS)
def pose_client(request):
    return partial(client_of, request.param)


@pytest.fixture
def kept(marker_config, tmp_path):
    """A service without models, which keeps uploads."""
    return service_of(marker_config, tmp_path)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "run.mp4"
    path.write_bytes(BODY)
    return path


def data_of(service_for_parts, upload_id):
    return (service_for_parts.settings.spool_dir / "uploads" / upload_id / "data").read_bytes()


@pytest.mark.parametrize(
    "breaks",
    [
        [],
        ["lost"],
        ["unheard"],
        [None, "half", None, "unheard", "lost", "half"],
        ["lost"] * 5 + [None] + ["half"] * 5,  # each time less than the tries
    ],
)
def test_an_upload_is_whole_whatever_breaks(pose_client, kept, file, breaks):
    seen = []
    transport = Breaking(create_app(kept), breaks)
    with pose_client(transport) as client:
        upload_id = client.upload(file, progress=lambda *counts: seen.append(counts))
    assert transport.breaks == []
    assert data_of(kept, upload_id) == BODY
    assert seen == sorted(set(seen))
    assert seen[-1] == (len(BODY), len(BODY))
    broken = sum(how is not None for how in breaks)
    assert transport.asked.count("HEAD uploads") == broken
    assert transport.asked.count("POST uploads") == 1


def test_a_connection_that_stays_broken_is_an_error_in_the_end(pose_client, kept, file):
    transport = Breaking(create_app(kept), ["lost"] * 100)
    with (
        pose_client(transport) as client,
        pytest.raises(UnreachableError),
    ):
        client.upload(file)
    assert transport.asked.count("PATCH uploads") == client_uploads._TRIES


def test_what_cannot_succeed_is_not_tried_again(pose_client, marker_config, tmp_path, file):
    service = service_of(marker_config, tmp_path, max_bytes=len(BODY) - 1)
    transport = Breaking(create_app(service))
    with pose_client(transport) as client:
        with pytest.raises(TooLargeError):
            client.upload(file)
        with pytest.raises(FileNotFoundError):
            client.upload(tmp_path / "absent.mp4")
    assert transport.asked == ["POST uploads"]


def test_an_upload_that_was_deleted_meanwhile_is_an_error(pose_client, kept, file):
    def delete(*_counts):
        for folder in kept.uploads._folder.glob("[!.]*"):
            kept.uploads._delete(folder.name)

    with (
        pose_client(Breaking(create_app(kept))) as client,
        pytest.raises(UploadNotFoundError),
    ):
        client.upload(file, progress=delete)


def test_a_file_that_shrinks_meanwhile_is_an_error(pose_client, kept, file):
    with (
        pose_client(Breaking(create_app(kept))) as client,
        pytest.raises(BadParameterError, match="shorter"),
    ):
        client.upload(file, progress=lambda *_: file.write_bytes(b"short"))


def test_a_large_file_is_analyzed_by_its_upload(
    pose_client, service_for_parts, squat_video, monkeypatch
):
    monkeypatch.setattr(client_uploads, "IN_PARTS_FROM", squat_video.stat().st_size - 1)
    monkeypatch.setattr(client_uploads, "PART_BYTES", 20_000)
    transport = Breaking(create_app(service_for_parts), [None, "unheard"])
    with pose_client(transport) as client:
        answer = client.analyze(squat_video, video=False, confidence=0.4)
    assert answer.data.processing_summary.successful_poses == SQUAT_FRAMES
    assert answer.data.processing_summary.confidence_threshold == 0.4
    assert transport.asked[-1] == "POST pose"
    assert "PATCH uploads" in transport.asked


def test_a_file_of_the_size_itself_goes_as_a_form(
    pose_client, service_for_parts, squat_video, monkeypatch
):
    monkeypatch.setattr(client_uploads, "IN_PARTS_FROM", squat_video.stat().st_size)
    transport = Breaking(create_app(service_for_parts))
    with pose_client(transport) as client:
        client.analyze(squat_video, video=False)
    assert transport.asked == ["POST pose"]


def test_an_upload_whose_request_fails_is_deleted(
    pose_client, service_for_parts, file, monkeypatch
):
    """Nobody else knows its id."""

    async def fail(*_):
        raise UnknownModelError("no such model")

    monkeypatch.setattr(client_uploads, "IN_PARTS_FROM", 1)
    monkeypatch.setattr(service_for_parts, "analyze_request", fail)
    transport = Breaking(create_app(service_for_parts))
    with (
        pose_client(transport) as client,
        pytest.raises(UnknownModelError),
    ):
        client.analyze(file)
    assert transport.asked[-2:] == ["POST pose", "DELETE uploads"]
    assert [*service_for_parts.uploads._folder.glob("[!.]*")] == []
