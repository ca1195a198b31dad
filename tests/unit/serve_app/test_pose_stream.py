"""`POST /pose?stream=true`: lines while the segments finish, and the same numbers at the end."""

import asyncio
import copy
import json

import httpx
import pytest

from deployments.errors import InferenceError
from serve_app.http import pose_stream
from serve_app.http.pose_stream import pose_lines
from serve_app.http.routes import create_app
from serve_app.pipeline import Stages
from serve_app.results.response_schema import PoseOptions
from tests.conftest import SQUAT_FRAMES
from tests.support.asgi import problem_of

STREAM = {"stream": "true"}


def lines_of(answer):
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def of(kind, lines):
    return [
        {k: v for k, v in line.items() if k != "type"} for line in lines if line["type"] == kind
    ]


@pytest.fixture(scope="module")
def streamed(service, squat_video):
    from tests.support.asgi import AsgiTransport

    with httpx.Client(
        transport=AsgiTransport(create_app(service)), base_url="http://test"
    ) as client:
        answer = client.post(
            "/pose", params=STREAM, files={"file": squat_video.read_bytes()}, data={"people": "all"}
        )
    assert answer.status_code == 200, answer.text
    return lines_of(answer)


def test_the_last_lines_are_the_response(streamed, squat_answer):
    assert of("frame", streamed) == squat_answer["data"]["poses_per_frame"]
    (result,) = of("result", streamed)
    assert streamed[-1]["type"] == "result"
    assert result.pop("lines_left_out") == 0
    assert result["data"]["poses_per_frame"] == []
    for part in ("processing_summary", "biomechanics_summary"):
        given, expected = copy.deepcopy((result["data"][part], squat_answer["data"][part]))
        if part == "processing_summary":
            assert given.pop("timings_s").keys() == expected.pop("timings_s").keys()
        assert given == expected


def test_frames_without_the_chosen_part_are_lines_of_json_too(http, squat_video):
    params = STREAM | {"fields": "people.keypoints"}
    answer = http.post("/pose", params=params, files={"file": squat_video.read_bytes()})
    assert of("frame", lines_of(answer)) == [{}] * SQUAT_FRAMES


def test_poses_of_segments_come_first_and_in_order(streamed, squat_answer):
    kinds = [line["type"] for line in streamed]
    assert kinds.index("poses") < kinds.index("frame")
    frames = [frame for line in of("poses", streamed) for frame in line["frames"]]
    assert [frame["frame_number"] for frame in frames] == list(range(SQUAT_FRAMES))
    for frame, final in zip(frames, squat_answer["data"]["poses_per_frame"], strict=True):
        assert frame["timestamp"] == final["frame_info"]["timestamp"]
        measured = [person["keypoints"] for person in frame["people"]]
        told = {name: (p["x"], p["y"]) for name, p in final["keypoints"].items()}
        assert told in [{n: (p["x"], p["y"]) for n, p in m.items()} for m in measured]
    stages = {line["stage"] for line in of("progress", streamed)}
    assert stages >= {"analyze", "render"}


def test_a_file_that_is_no_video_is_a_problem_and_no_stream(http):
    answer = http.post("/pose", params=STREAM, files={"file": b"no video"})
    assert problem_of(answer).code == "not_a_video"


@pytest.mark.parametrize("given", ["yes", "1", ""])
def test_stream_is_true_or_false(http, given):
    answer = http.post("/pose", params={"stream": given}, files={"file": b"x"})
    assert problem_of(answer).code == "bad_parameter"


def test_a_long_stream_leaves_frames_out_and_says_how_many(http, squat_video, monkeypatch):
    monkeypatch.setattr(pose_stream, "MOST_BYTES", 150_000)
    answer = http.post("/pose", params=STREAM, files={"file": squat_video.read_bytes()})
    lines = lines_of(answer)
    left_out = of("result", lines)[0]["lines_left_out"]
    assert left_out > 0
    sent = sum(len(line) + 1 for line in answer.text.splitlines()[:-1])
    assert 100_000 < sent <= 150_000


@pytest.mark.parametrize(
    ("error", "code"),
    [(InferenceError("broken"), "inference_failed"), (ZeroDivisionError("broken"), "internal")],
)
def test_an_error_after_the_first_line_is_the_last_line(
    service, squat_video, tmp_path, error, code
):
    class Broken:
        def __init__(self, stages: Stages):
            self.probe, self.analyze = stages.probe, stages.analyze
            self.render, self.join = stages.render, stages.join

        async def biomechanics(self, *_):
            raise error

    async def analyze(stages, progress):
        return await service.analyze_file(
            squat_video, tmp_path, PoseOptions(), "id", progress, stages=stages
        )

    async def collect():
        return [line async for line in pose_lines(analyze, Broken(service.stages), "id")]

    last = json.loads(asyncio.run(collect())[-1])
    assert last["type"] == "error"
    assert (last["problem"]["code"], last["problem"]["instance"]) == (code, "id")


def test_a_reader_that_leaves_ends_the_work(service, squat_video, tmp_path):
    ended = []

    async def analyze(stages, progress):
        try:
            return await service.analyze_file(
                squat_video, tmp_path, PoseOptions(), "id", progress, stages=stages
            )
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def leave():
        lines = pose_lines(analyze, service.stages, "id")
        await anext(lines)
        await lines.aclose()

    asyncio.run(leave())
    assert ended == ["cancelled"]
