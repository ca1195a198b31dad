"""What a request supplies to compare the athlete to, by every way of asking (F15)."""

import asyncio
import json
import os
import pickle
import subprocess
import sys

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from biomech.config import DEFINITIONS, NO_CONTEXT, Context
from biomech.results.person_summary import ANOTHERS
from deployments.errors import BadParameterError, DefinitionsDifferError
from serve_app.cli.main import main
from serve_app.client import PoseClient
from serve_app.http.routes import create_app
from serve_app.results import supplied
from serve_app.results.response_schema import PoseOptions, PoseResponse
from serve_app.results.supplied import SUPPLIED
from serve_app.results.validation import parse_options
from serve_app.service import PoseService
from serve_app.setting_types import ROOT
from tests.support.asgi import AsgiTransport
from tests.support.loopback_server import Server, reply
from tests.support.saved_results import edited, saved, squatting

NORM = {
    "metric": "elbow_rom", "mean": 60.0, "sd": 10.0, "n": 40, "population": "ours", "source": "us",
}  # fmt: skip
COMPARED = ("technique", "progress", "norms")
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def earlier(squat_answer):
    """An earlier answer, whose athlete moves as the one who is analyzed."""
    return squat_answer


@pytest.fixture(scope="module")
def summary(earlier):
    return earlier["data"]["biomechanics_summary"][0]


@pytest.fixture
def client(service):
    with PoseClient("http://test", transport=AsgiTransport(create_app(service))) as client:
        yield client


def applications(answer):
    """The applications of the primary person in an answer, whatever form it has."""
    document = answer.model_dump(mode="json") if isinstance(answer, PoseResponse) else answer
    return document["data"]["biomechanics_summary"][0]["applications"]


def assert_compared(told):
    assert [told[name]["status"] for name in COMPARED] == ["ok"] * 3, told
    assert told["technique"]["dtw_norm"] == 0.0
    assert {change["delta"] for change in told["progress"]["changes"]} == {0.0}
    assert {c["population"] for c in told["norms"]["comparisons"]} == {"ours"}


def asked_by_json(http, video, fields):
    with Server(reply(video.read_bytes())) as server:
        response = http.post("/pose", json={"video_url": server.url(), "video": False} | fields)
    assert response.status_code == 200, response.text
    return response.json()


def asked_by_form(http, video, fields, *, as_files):
    texts = {name: json.dumps(value).encode() for name, value in fields.items()}
    files = {"file": video.read_bytes()}
    if as_files:
        files |= {name: (f"{name}.json", text) for name, text in texts.items()}
        texts = {}
    response = http.post("/pose", files=files, data={"video": "false", **texts})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("whole", [True, False], ids=["a whole response", "one object of it"])
@pytest.mark.parametrize("way", ["json", "form as text", "form as files"])
def test_a_request_supplies_what_the_athlete_is_compared_to(
    http, squat_video, earlier, summary, whole, way
):
    result = earlier if whole else summary
    fields = {"reference": result, "before": result, "norms": [NORM]}
    answer = (
        asked_by_json(http, squat_video, fields)
        if way == "json"
        else asked_by_form(http, squat_video, fields, as_files=way == "form as files")
    )
    assert_compared(applications(answer))


def test_nothing_supplied_or_null_is_as_the_service_is_set(http, squat_video):
    for fields in ({}, dict.fromkeys(SUPPLIED)):
        told = applications(asked_by_json(http, squat_video, fields))
        assert [told[name]["status"] for name in COMPARED] == ["not_supplied"] * 3


def test_the_request_comes_before_the_settings_each_for_itself(
    http, squat_video, service, summary, monkeypatch
):
    guidelines = service.stages._guidelines
    set_up = {"before": summary | {"view": "frontal", "movement": "x"}, "reference": summary}
    set_guidelines = guidelines.of_athlete(supplied.Supplied(**set_up))
    monkeypatch.setattr(service.stages, "_guidelines", set_guidelines)
    told = applications(asked_by_json(http, squat_video, {}))
    assert [told[name]["status"] for name in COMPARED] == ["ok", "not_comparable", "not_supplied"]
    told = applications(asked_by_json(http, squat_video, {"before": summary, "norms": [NORM]}))
    assert_compared(told)


@pytest.mark.parametrize("kind", ["response", "path", "object", "dictionary"])
@pytest.mark.parametrize("upload", [True, False])
def test_the_client_sends_answers_files_and_objects(
    client, squat_video, earlier, summary, tmp_path, kind, upload
):
    path, norms = tmp_path / "earlier.json", tmp_path / "norms.yaml"
    path.write_text(json.dumps(earlier))
    norms.write_text("- {metric: elbow_rom, mean: 60, sd: 10, n: 40, population: ours, source: us}")
    before = {
        "response": PoseResponse.model_validate(earlier),
        "path": path,
        "object": summary,
        "dictionary": earlier,
    }[kind]
    options = {"reference": before, "before": before, "norms": norms, "video": False}
    if upload:
        answer = client.analyze(squat_video, **options)
    else:
        with Server(reply(squat_video.read_bytes())) as server:
            answer = client.analyze(server.url(), **options)
    assert_compared(applications(answer))


def test_the_client_sends_of_an_answer_what_is_compared_alone(earlier):
    sent = []

    def keep(request):
        sent.append(request.read())
        return httpx.Response(200, json={"data": None, "video_url": None, "request_id": "x"})

    with PoseClient("http://test", transport=httpx.MockTransport(keep)) as client:
        client.analyze("http://x/y.mp4", before=PoseResponse.model_validate(earlier))
    assert len(sent[0]) < len(json.dumps(earlier)) / 10
    told = json.loads(sent[0])["before"]
    assert told["definitions"] == DEFINITIONS
    assert "poses_per_frame" not in told


def test_the_client_compares_without_numpy_and_yaml(tmp_path, earlier):
    """The extra `client` has neither; a table of angles goes to the service as it is."""
    (tmp_path / "earlier.json").write_text(json.dumps(earlier))
    (tmp_path / "norms.json").write_text(json.dumps([NORM]))
    (tmp_path / "table.csv").write_text(TABLE)
    program = """
import sys
sys.modules.update(dict.fromkeys(("numpy", "scipy", "yaml", "ray", "torch")))
import json
from pathlib import Path
import httpx
from serve_app.client import PoseClient
sent = []
def keep(request):
    sent.append(json.loads(request.read()))
    return httpx.Response(200, json={"data": None, "video_url": None, "request_id": "x"})
with PoseClient("http://test", transport=httpx.MockTransport(keep)) as client:
    files = {"before": Path("earlier.json"), "norms": Path("norms.json")}
    client.analyze("http://x/y.mp4", reference=Path("table.csv"), **files)
    client.analyze("http://x/y.mp4", reference=Path("earlier.json"), **files)
print(json.dumps([[type(body[n]).__name__ for n in ("reference", "before", "norms")]
    for body in sent]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["str", "dict", "list"], ["dict", "dict", "list"]]


@pytest.mark.parametrize("name", ["reference", "before"])
def test_the_client_names_a_file_that_is_none(client, squat_video, tmp_path, name):
    path = tmp_path / "text.json"
    path.write_text("{}")
    with pytest.raises(BadParameterError, match=f"{name}: .*text.json: this is not a result"):
        client.analyze(squat_video, **{name: path})
    with pytest.raises(BadParameterError, match="No such file"):
        client.analyze(squat_video, **{name: tmp_path / "missing.json"})


@pytest.fixture
def cli(marker_config, monkeypatch, tmp_path, earlier):
    monkeypatch.setenv("MMPOSE_CONFIG", str(marker_config))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "earlier.json").write_text(json.dumps(earlier))
    (tmp_path / "norms.yaml").write_text(f"- {json.dumps(NORM)}\n")
    (tmp_path / "old.json").write_text(json.dumps(earlier).replace(DEFINITIONS, "bm-1"))
    (tmp_path / "text.json").write_text("no result")
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


def test_the_command_line_reads_them_from_files(cli, squat_video, tmp_path):
    files = ["--reference", "earlier.json", "--before", "earlier.json", "--norms", "norms.yaml"]
    done = cli("analyze", squat_video, "--no-video", "--out", ".", *files)
    assert done.exit_code == 0, done.output
    assert_compared(applications(json.loads((tmp_path / "squat.json").read_text())))


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--before", "missing.json"], 2, "missing.json"),
        (["--before", "text.json"], 2, "before: text.json: must be JSON"),
        (["--reference", "text.json"], 2, "reference: text.json: it has no column time_s"),
        (["--norms", "earlier.json"], 2, "norms: earlier.json: "),
        (["--before", "old.json"], 1, "before has definitions bm-1"),
        (["--reference", "old.json"], 1, "reference has definitions bm-1"),
    ],
)
def test_the_command_line_names_the_file_before_anything_is_analyzed(
    cli, squat_video, tmp_path, arguments, code, says
):
    done = cli("analyze", squat_video, "--no-video", "--out", "out", *arguments)
    assert (done.exit_code, says in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "out").exists()


TIMES = np.arange(91) / 30
BEND = 60 + 40 * np.cos(2 * np.pi * TIMES / 1.5)
TABLE = "time_s,left_elbow,right_elbow\n" + "\n".join(
    f"{t:.4f},{e:.3f},{e:.3f}" for t, e in zip(TIMES, BEND, strict=True)
)


def test_a_table_of_angles_is_a_reference_too(http, client, cli, squat_video, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    done = cli("analyze", squat_video, "--no-video", "--out", ".", "--reference", path)
    assert done.exit_code == 0, done.output
    files = {"file": squat_video.read_bytes(), "reference": ("table.csv", TABLE.encode())}
    told = [
        json.loads((tmp_path / "squat.json").read_text()),
        asked_by_json(http, squat_video, {"reference": TABLE}),
        http.post("/pose", files=files, data={"video": "false"}).json(),
        client.analyze(squat_video, reference=path, video=False),
        client.analyze(squat_video, reference=TABLE, video=False),
    ]
    found = [applications(answer)["technique"] for answer in told]
    assert found[0]["status"] == "ok"
    assert "as the reference does not say" in found[0]["reason"]
    assert found[1:] == found[:1] * 4


def test_they_travel_to_the_last_stage_alone_and_once(service, squat_video, tmp_path, summary):
    calls, segments = [], []

    class Watched:
        def __getattr__(self, name):
            return getattr(service.stages, name)

        async def analyze(self, segment, options):
            segments.append(len(pickle.dumps((segment, options))))
            return await service.stages.analyze(segment, options)

        async def biomechanics(self, clip, min_score, max_people_in_frames, context):
            calls.append(context)
            return await service.stages.biomechanics(clip, min_score, max_people_in_frames, context)

    settings = service.settings.model_copy(update={"segment_s": 0.5})
    watched = PoseService(settings, service.plan, Watched(), lambda: service.stages.statuses)
    options = PoseOptions(video=False, before=summary, norms=[NORM])
    asyncio.run(watched.analyze_file(squat_video, tmp_path, options, "id"))
    assert len(segments) > 3
    assert max(segments) < 5000
    (context,) = calls
    assert context == options.context
    assert context.supplied.before["measures"]
    assert context.supplied.norms[0].population == "ours"


def test_a_long_result_is_kept_as_what_is_compared_of_it(earlier):
    frames = earlier["data"]["poses_per_frame"]
    long = earlier | {"data": earlier["data"] | {"poses_per_frame": frames * 20}}
    body = json.dumps({"video_url": "http://x/y", "before": long, "reference": long}).encode()
    assert len(body) > 10_000_000
    kept = parse_options(PoseOptions, {n: json.loads(body)[n] for n in ("before", "reference")})
    assert len(pickle.dumps(kept)) < 100_000


# One athlete.


def test_the_primary_person_is_compared_and_nobody_else():
    before = json.loads(saved(squatting(200)))
    options = PoseOptions(before=before, reference=before, norms=[NORM | {"metric": "knee_rom"}])
    together = json.loads(
        saved(squatting(200), squatting(200) + np.array([200.0, 0.0]), context=options.context)
    )
    first, second = together["data"]["biomechanics_summary"]
    assert [first["applications"][name]["status"] for name in COMPARED] == ["ok"] * 3
    for name in COMPARED:
        told = second["applications"][name]
        assert (told["status"], told["reason"]) == ("not_supplied", ANOTHERS)
    alone = json.loads(saved(squatting(200), squatting(200) + np.array([200.0, 0.0])))
    reasons = {
        p["applications"]["progress"]["reason"] for p in alone["data"]["biomechanics_summary"]
    }
    assert reasons == {"no earlier result was supplied"}


def test_the_first_person_of_a_result_counts_or_the_one_whose_object_is_given():
    two = json.loads(saved(squatting(200), squatting(200) * [1.0, 0.5], context=Context("squat")))
    people = two["data"]["biomechanics_summary"]
    assert PoseOptions(before=two).context == PoseOptions(before=people[0]).context
    assert PoseOptions(before=two).context != PoseOptions(before=people[1]).context


def test_results_of_bm_1_are_read_as_far_as_to_name_their_definitions():
    old = edited(
        saved(squatting(200)),
        lambda d: [p.update(definitions="bm-1") or p.pop("near_side")
                   for p in d["data"]["biomechanics_summary"]],
    )  # fmt: skip
    options = parse_options(PoseOptions, {"before": old})
    with pytest.raises(DefinitionsDifferError, match="bm-1"):
        supplied.require_our_definitions(options.context.supplied)


def test_what_validation_gives_is_taken_again(summary):
    options = PoseOptions(before=summary, reference=TABLE, norms=[NORM])
    again = PoseOptions(**json.loads(json.dumps(options.model_dump())))
    assert again.context == options.context != NO_CONTEXT


def test_the_interface_describes_them_in_both_kinds_of_body(http):
    body = http.get("/openapi.json").json()["paths"]["/pose"]["post"]["requestBody"]["content"]
    for kind, content in body.items():
        properties = content["schema"]["properties"]
        for name in SUPPLIED:
            assert properties[name]["description"]
            binary = {"type": "string", "format": "binary"} in properties[name]["anyOf"]
            assert binary == (kind == "multipart/form-data")
        rows = next(k for k in properties["norms"]["anyOf"] if k["type"] == "array")
        assert {"metric", "mean", "sd", "percentiles"} <= rows["items"]["properties"].keys()
