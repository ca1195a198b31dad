"""Exports as they are called: over HTTP and by the command line."""

import csv
import gzip
import io
import json
from contextlib import ExitStack

import httpx
import pytest
import zstandard
from click.testing import CliRunner

from serve_app.cli.main import main
from serve_app.http.routes import create_app
from serve_app.results.response_schema import Problem
from tests.support.asgi import AsgiTransport


@pytest.fixture(scope="module")
def http(service):
    with httpx.Client(
        transport=AsgiTransport(create_app(service)), base_url="http://test"
    ) as client:
        yield client


def post(http, body, **query):
    return http.post(
        "/export", params=query, content=body, headers={"content-type": "application/json"}
    )


@pytest.mark.parametrize(
    ("kind", "name", "media_type", "start"),
    [
        ("csv", "result.tidy.csv", "text/csv; charset=utf-8", b'"run_id"'),
        ("parquet", "result.tidy.parquet", "application/vnd.apache.parquet", b"PAR1"),
        ("trc", "result.person1.trc", "text/plain; charset=utf-8", b"PathFileType"),
        ("mot", "result.person1.mot", "text/plain; charset=utf-8", b"Coordinates"),
        ("c3d", "result.person1.c3d", "application/octet-stream", b"\x02P"),
        ("coco", "result.coco.json", "application/json", b"[{"),
    ],
)
def test_a_result_comes_back_as_a_file_though_no_model_is_loaded(
    http, squat, kind, name, media_type, start
):
    answer = post(http, squat, format=kind)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content.startswith(start)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)]
)
def test_a_result_may_be_sent_compressed(http, squat, encoding, pack):
    headers = {"content-type": "application/json", "content-encoding": encoding}
    answer = http.post("/export?format=csv", content=pack(squat), headers=headers)
    assert answer.content == post(http, squat, format="csv").content
    assert answer.headers["content-encoding"] in ("gzip", "zstd")  # CSV is compressed, too


@pytest.mark.parametrize(
    ("query", "status", "code", "says"),
    [
        ({}, 422, "bad_parameter", "format"),
        ({"format": "xlsx"}, 422, "bad_parameter", "format"),
        ({"format": "csv", "color": "red"}, 422, "bad_parameter", "color"),
        ({"format": "trc", "height_m": "9"}, 422, "bad_parameter", "height_m"),
        ({"format": "trc", "person": "2"}, 422, "bad_parameter", "no person 2"),
        ({"format": "csv", "run_id": "a\nb"}, 422, "bad_parameter", "run_id"),
    ],
)
def test_wrong_questions_are_problems_that_name_the_field(http, squat, query, status, code, says):
    answer = post(http, squat, **query)
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.code) == (status, code)
    assert says in problem.detail


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 422, "bad_parameter"),
        (b" " * 2_000_001, 413, "too_large"),
    ],
    ids=["no-json", "too-large"],
)
def test_hostile_bodies_are_problems(http, body, status, code):
    answer = post(http, body, format="csv")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_content_type_is_refused(http, squat):
    answer = http.post("/export?format=csv", content=squat, headers={"content-type": "text/csv"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_parameter")


def test_exports_take_places_among_the_requests(http, service, squat):
    places = service.live.max_concurrent_requests
    with ExitStack() as taken:
        for _ in range(places):
            taken.enter_context(service.request_slot())
        assert post(http, squat, format="csv").status_code == 429
    assert post(http, squat, format="csv").status_code == 200


def test_the_interface_tells_of_the_query(http):
    operation = http.get("/openapi.json").json()["paths"]["/export"]["post"]
    names = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert names["format"]["required"]
    assert names["format"]["schema"]["enum"] == ["csv", "parquet", "trc", "mot", "c3d", "coco"]
    assert operation["requestBody"]["required"]


@pytest.fixture
def cli(squat, monkeypatch, tmp_path):
    (tmp_path / "jump one.json").write_bytes(squat)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["export", *arguments])


def test_a_file_is_written_beside_the_result_under_its_name(cli, tmp_path):
    done = cli("jump one.json", "--format", "csv")
    assert done.exit_code == 0, done.output
    assert (done.stdout, "jump one.tidy.csv" in done.stderr) == ("", True)
    with (tmp_path / "jump one.tidy.csv").open(newline="") as file:
        assert {row["run_id"] for row in csv.DictReader(file)} == {"jump_one"}


def test_a_file_can_go_to_stdout(cli):
    done = cli("jump one.json", "--format", "coco", "--out", "-")
    assert len(json.loads(done.stdout)) == 90
    text = cli("jump one.json", "--format", "csv", "--out", "-", "--run-id", "x").stdout
    assert next(csv.DictReader(io.StringIO(text)))["run_id"] == "x"


def test_a_file_of_pixels_is_called_so_whatever_name_was_given(cli, squat, tmp_path):
    document = json.loads(squat)
    document["data"]["biomechanics_summary"][0]["height_m"] = None
    (tmp_path / "unknown.json").write_text(json.dumps(document))
    done = cli("unknown.json", "--format", "trc", "--out", "points.trc")
    assert done.exit_code == 0, done.output
    assert [p.name for p in tmp_path.glob("*.trc")] == ["points_px.trc"]
    assert "height is not known" in done.stderr
    assert cli("unknown.json", "--format", "trc", "--height-m", "1.7").exit_code == 0
    assert (tmp_path / "unknown.person1.trc").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.json", "--format", "csv"], "missing.json"),
        (["jump one.json"], "--format"),
        (["jump one.json", "--format", "csv", "--out", "no/such/folder.csv"], "No such file"),
        (["jump one.json", "--format", "mot", "--person", "7"], "there is no person 7"),
        (["text.json", "--format", "csv"], "text.json: this is not a result of the service"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_is_wrong(cli, tmp_path, arguments, says):
    (tmp_path / "text.json").write_text("hello")
    done = cli(*arguments)
    assert done.exit_code == 2
    assert says in done.stderr.replace("\n", " ")
