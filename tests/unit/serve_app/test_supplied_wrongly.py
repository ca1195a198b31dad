"""What a request supplies that is no result, too large, or of other definitions (F15)."""

import asyncio
import json

import httpx
import pytest

from biomech.config import DEFINITIONS
from deployments.errors import BadParameterError, DefinitionsDifferError
from serve_app.http.routes import create_app
from serve_app.results import supplied
from serve_app.results.response_schema import PoseOptions
from serve_app.results.supplied import MOST_NORMS, SUPPLIED
from serve_app.results.validation import parse_options
from tests.support.asgi import AsgiTransport
from tests.support.loopback_server import closed_port

NORM = {
    "metric": "elbow_rom", "mean": 60.0, "sd": 10.0, "n": 40, "population": "ours", "source": "us",
}  # fmt: skip
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def earlier(squat_answer):
    """An earlier answer."""
    return squat_answer


@pytest.fixture(scope="module")
def summary(earlier):
    return earlier["data"]["biomechanics_summary"][0]


def problem_of(response):
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.json()


@pytest.mark.parametrize("name", ["reference", "before"])
@pytest.mark.parametrize(
    "way", ["address", "upload", "upload as a file", "a file here", "a request"]
)
def test_results_of_other_definitions_are_refused_before_the_work(
    http, service, squat_video, tmp_path, summary, name, way
):
    """Consistent with `compare`, by the code `definitions_differ`."""
    old = summary | {"definitions": "bm-1"}
    if way in ("a file here", "a request"):
        options = parse_options(PoseOptions, {name: old})
        with pytest.raises(DefinitionsDifferError, match="bm-1"):
            asyncio.run(
                service.analyze_file(tmp_path / "none.mp4", tmp_path, options, "id")
                if way == "a file here"
                else service.analyze_url("http://x/y.mp4", options, "id")
            )
        return
    if way == "address":
        with closed_port() as port:  # it is not even fetched
            url = f"http://127.0.0.1:{port}/a.mp4"
            response = http.post("/pose", json={"video_url": url, name: old})
    elif way == "upload":
        response = http.post(
            "/pose", files={"file": squat_video.read_bytes()}, data={name: json.dumps(old)}
        )
    else:
        files = {"file": squat_video.read_bytes(), name: json.dumps(old).encode()}
        response = http.post("/pose", files=files)
    problem = problem_of(response)
    assert (problem["status"], problem["code"]) == (422, "definitions_differ")
    assert (
        f"{name} has definitions bm-1; this service has definitions {DEFINITIONS}"
        in (problem["detail"])
    )
    assert problem["field"] == name


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("text", "JSON|time_s"),
        ([1, 2], "must be"),
        (7, "must be"),
        (True, "must be"),
        ({}, "not a result"),
        ({"data": None}, "data.biomechanics_summary"),
        ({"data": {"biomechanics_summary": []}}, "nobody in it"),
        ({"data": {"biomechanics_summary": {}}}, "nobody in it"),
        ({"data": {"biomechanics_summary": [7]}}, "not a result"),
        ({"path": "earlier.json"}, "not a result"),
        ({"id": "abc"}, "not a result"),
        ({"request_id": "abc"}, "not a result"),
        ("[" * 50_000, "JSON|time_s"),
        ("{" * 50_000, "JSON"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "recursion"),
        ('{"data": NaN}', "JSON"),
    ],
)
@pytest.mark.parametrize("name", ["reference", "before"])
def test_what_is_no_result_is_refused_by_the_name_of_the_field(http, name, value, says):
    problem = problem_of(http.post("/pose", json={"video_url": "http://x/y", name: value}))
    assert (problem["status"], problem["code"], problem["retryable"]) == (
        422, "bad_parameter", False,
    )  # fmt: skip
    assert [item["field"] for item in problem["errors"]] == [name]
    assert any(word in problem["detail"] for word in says.split("|")), problem
    assert len(problem["detail"]) < 400
    text = value if isinstance(value, str) else json.dumps(value)
    answer = http.post("/pose", files={"file": b"x", name: text.encode()})
    assert problem_of(answer)["errors"][0]["field"] == name


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["measures"][0].update(mean=1e300),
        lambda s: s["measures"][0].update(sd=-1.0),
        lambda s: s["measures"][0].update(n=0),
        lambda s: s["measures"][0].update(metric="m" * 1000),
        lambda s: s.update(measures=s["measures"] * 100),
        lambda s: s["phases"]["joints"]["left_elbow"]["mean"].pop(),
        lambda s: s["phases"]["joints"].update(
            {f"j{i}": s["phases"]["joints"]["left_elbow"] for i in range(50)}
        ),
        lambda s: s.update(definitions="bm-2 " * 1000),
        lambda s: s.update(near_side="top"),
    ],
    ids=["huge", "negative scatter", "none", "long name", "many", "short curve", "many joints",
         "long label", "no side"],
)  # fmt: skip
def test_what_is_kept_of_a_result_is_bounded(http, summary, change):
    damaged = json.loads(json.dumps(summary))
    change(damaged)
    problem = problem_of(http.post("/pose", json={"video_url": "http://x/y", "before": damaged}))
    assert problem["code"] == "bad_parameter"
    assert problem["errors"][0]["field"] == "before"


@pytest.mark.parametrize(
    ("norms", "says"),
    [
        ("text", "JSON"),
        ({}, "list"),
        ([{}], "norms.0.metric"),
        ([NORM | {"sd": 0}], "norms.0.sd"),
        ([NORM | {"sd": 1e300}], "norms.0.sd"),
        ([NORM | {"mean": None}], "mean and sd, or percentiles"),
        ([NORM | {"file": "norms.yaml"}], "norms.0.file"),
        ([NORM | {"population": "p" * 600}], "norms.0.population"),
        ([NORM] * (MOST_NORMS + 1), f"at most {MOST_NORMS}"),
    ],
)
def test_norms_that_are_none_are_refused_by_their_place(http, norms, says):
    problem = problem_of(http.post("/pose", json={"video_url": "http://x/y", "norms": norms}))
    assert problem["code"] == "bad_parameter"
    assert says in problem["detail"]


@pytest.mark.parametrize("name", SUPPLIED)
@pytest.mark.parametrize("form", ["{}", "file://{}", "@{}", '"{}"'])
def test_no_file_of_the_server_is_read(http, tmp_path, earlier, name, form):
    """A request names no file: what is in one could be read, or that it is there."""
    path = tmp_path / "secret.json"
    path.write_text(json.dumps(earlier if name != "norms" else [NORM]))
    there, missing = (
        http.post("/pose", json={"video_url": "http://x/y", name: form.format(p)})
        for p in (path, tmp_path / "nosuch.json")
    )
    assert problem_of(there)["code"] == problem_of(missing)["code"] == "bad_parameter"
    said = [p.json()["detail"].replace("nosuch.json", "secret.json") for p in (there, missing)]
    assert said[0] == said[1]
    with pytest.raises(BadParameterError):
        parse_options(PoseOptions, {name: path})


@pytest.fixture
def small(service, monkeypatch):
    """The service with room for small results alone."""
    settings = service.settings.model_copy(update={"max_result_bytes": 100_000})
    monkeypatch.setattr(service, "settings", settings)
    with httpx.Client(
        transport=AsgiTransport(create_app(service)), base_url="http://test"
    ) as client:
        yield client


@pytest.mark.parametrize("way", ["json", "text", "file", "two files"])
def test_results_are_as_large_as_saved_ones_may_be_together(small, summary, way):
    large = json.dumps(summary | {"filler": "x" * (60_000 if way == "two files" else 170_000)})
    if way == "json":
        body = f'{{"video_url": "http://x/y", "before": {large}}}'
        response = small.post("/pose", content=body, headers=JSON)
    elif way == "text":
        response = small.post("/pose", files={"file": b"x"}, data={"before": large})
    else:
        names = ("before", "reference") if way == "two files" else ("before",)
        response = small.post(
            "/pose", files={"file": b"x", **{name: large.encode() for name in names}}
        )
    problem = problem_of(response)
    assert (problem["status"], problem["code"]) == (413, "too_large")


def test_a_body_without_a_result_is_a_few_kilobytes_as_before(http):
    body = {"video_url": "http://x/y", "subject": "x" * 70_000}
    assert problem_of(http.post("/pose", json=body))["code"] == "too_large"


def test_the_video_has_its_own_limit_beside_the_results(http, service):
    response = http.post("/pose", files={"file": b"x" * (service.settings.max_bytes + 1)})
    problem = problem_of(response)
    assert (problem["code"], problem["limit"]) == ("too_large", service.settings.max_bytes)


def test_a_part_comes_once_and_only_results_are_files(http, summary):
    text = json.dumps(summary).encode()
    twice = http.post("/pose", files=[("file", b"x"), ("before", text), ("before", text)])
    assert "several parts 'before'" in problem_of(twice)["detail"]
    other = http.post("/pose", files={"file": b"x", "subject": b"{}"})
    assert "'subject' must not be a file" in problem_of(other)["detail"]


def test_a_large_table_is_refused_before_it_is_read():
    text = "time_s,left_knee\n" + "\n" * supplied.MOST_TABLE_BYTES
    with pytest.raises(BadParameterError, match="not be larger than 4 MiB"):
        parse_options(PoseOptions, {"reference": text})
