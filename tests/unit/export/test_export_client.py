"""Exports by the typed client: content or a file, and what is refused."""

import csv
import io
import json
import subprocess
import sys

import httpx
import pytest
from pydantic import ValidationError

from deployments.errors import BadParameterError, OverloadedError, TooLargeError, UnreachableError
from serve_app.client import PoseClient
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from serve_app.http.routes import create_app
from serve_app.results.response_schema import PoseResponse
from tests.support.asgi import AsgiTransport


@pytest.fixture(scope="module")
def client(service):
    with PoseClient("http://test", transport=AsgiTransport(create_app(service))) as client:
        yield client


@pytest.fixture
def run(squat, tmp_path):
    """A file that has a result."""
    path = tmp_path / "run.json"
    path.write_bytes(squat)
    return path


def answering(handler, **options):
    return PoseClient("http://test", transport=httpx.MockTransport(handler), **options)


@pytest.mark.parametrize("kind", ["csv", "parquet", "trc", "mot", "c3d", "coco"])
def test_a_file_of_a_result_is_that_of_the_export_itself(client, squat, run, kind):
    made = b"".join(export(read_result(squat), kind, ExportOptions()).pieces)
    assert client.export(PoseResponse.model_validate_json(squat), kind) == made
    assert client.export(run, kind) == made


def test_content_is_written_where_it_is_to_go(client, squat, run, tmp_path):
    target = tmp_path / "points.trc"
    target.write_text("of yesterday")
    assert client.export(str(run), "trc", str(target)) == target
    assert target.read_bytes() == client.export(run, "trc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["points.trc", "run.json"]


def test_options_are_those_of_the_query(client, run):
    text = client.export(run, "csv", run_id="monday").decode()
    assert {row["run_id"] for row in csv.DictReader(io.StringIO(text))} == {"monday"}
    assert b"knee_angle_r" in client.export(run, "mot", profile="opensim", with_hip=True)
    assert client.export(run, "trc", height_m=1.6) != client.export(run, "trc")


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("xlsx", {}, "format"),
        ("csv", {"color": "red"}, "color"),
        ("trc", {"height_m": 175}, "height_m"),
    ],
)
def test_a_wrong_option_is_found_before_anything_is_read(kind, options, says):
    client = answering(lambda _: pytest.fail("sent"))
    with pytest.raises(ValidationError, match=says):
        client.export("no such file.json", kind, **options)


def test_what_is_refused_is_the_error_of_the_service_and_leaves_no_file(client, run, tmp_path):
    target = tmp_path / "out.bin"
    with pytest.raises(BadParameterError, match="no person 7") as refused:
        client.export(run, "c3d", target, person=7)
    assert refused.value.hint
    no_data = PoseResponse(data=None, video_url=None, request_id="x")
    with pytest.raises(BadParameterError, match="has no poses"):
        client.export(no_data, "csv", target)
    run.write_bytes(b" " * 2_000_001)
    with pytest.raises(TooLargeError):
        client.export(run, "csv", target)
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    with pytest.raises(FileNotFoundError):
        client.export(tmp_path / "missing.json", "csv", target)


def test_a_busy_service_is_asked_again_with_the_whole_result(run, squat):
    bodies = []

    def handle(request):
        bodies.append(json.loads(request.read()))
        if len(bodies) % 2:
            problem = {"code": "overloaded", "detail": "busy", "hint": "wait", "retryable": True}
            return httpx.Response(429, json=problem, headers={"Retry-After": "0"})
        return httpx.Response(200, content=b"PAR1")

    assert answering(handle, retries=1).export(run, "parquet") == b"PAR1"
    assert bodies == [json.loads(squat)] * 2
    with pytest.raises(OverloadedError):
        answering(handle).export(run, "parquet")


class Broken(httpx.SyncByteStream):
    """Content that breaks off."""

    def __iter__(self):
        yield b"the first half"
        raise httpx.ReadError("connection lost")


def test_an_answer_that_breaks_off_leaves_what_was_there(run, tmp_path):
    target = tmp_path / "a.csv"
    target.write_text("of yesterday")
    client = answering(lambda _: httpx.Response(200, stream=Broken()))
    with pytest.raises(UnreachableError, match="connection lost"):
        client.export(run, "csv", target)
    assert target.read_text() == "of yesterday"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "run.json"]


def test_the_client_needs_none_of_the_libraries_of_the_service():
    heavy = ["numpy", "scipy", "ray", "torch", "fastapi", "cv2"]
    told = f"import sys, serve_app.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
