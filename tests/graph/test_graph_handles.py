"""The Python handle: what a Ray job on the same cluster calls."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from ray import serve

from deployments.errors import (
    AddressNotAllowedError,
    BadParameterError,
    DefinitionsDifferError,
    NotAVideoError,
)
from serve_app.results.response_schema import PoseResponse
from tests.conftest import SQUAT_FRAMES
from tests.support.loopback_server import Server, reply


@pytest.fixture
def handle(graph):
    return serve.get_app_handle("pose")


def test_a_video_at_an_address(handle, squat_video):
    with Server(reply(squat_video.read_bytes())) as server:
        request = {"video_url": server.url(), "video": False}
        answer = handle.analyze.remote(request).result(timeout_s=120)
    summary = PoseResponse.model_validate(answer).data.processing_summary
    assert summary.successful_poses == SQUAT_FRAMES
    assert answer["video_url"] is None


def test_a_file_on_a_path_that_all_nodes_reach(handle, squat_video):
    answer = handle.analyze_file.remote(str(squat_video), {"data": False}).result(timeout_s=120)
    assert answer["data"] is None
    assert answer["video_url"].endswith(".mp4")
    assert squat_video.is_file()


def test_many_at_once_each_get_their_own_answer(handle, squat_video):
    async def all_of_them():
        calls = [
            handle.analyze_file.remote(str(squat_video), {"video": False, "confidence": c})
            for c in (0.1, 0.2, 0.3)
        ]
        return await asyncio.gather(*calls)

    # In a thread of its own, whose loop ends with it.
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(lambda: asyncio.run(all_of_them())).result()
    summaries = [answer["data"]["processing_summary"] for answer in answers]
    assert [s["confidence_threshold"] for s in summaries] == [0.1, 0.2, 0.3]
    assert {s["successful_poses"] for s in summaries} == {SQUAT_FRAMES}
    assert len({answer["request_id"] for answer in answers}) == 3


def test_what_the_athlete_is_compared_to_travels_with_the_call(handle, squat_video):
    """An earlier answer of the handle, and norms, through the graph to the last stage (F15)."""
    before = handle.analyze_file.remote(str(squat_video), {"video": False}).result(timeout_s=120)
    norm = {"metric": "elbow_rom", "mean": 60, "sd": 10, "n": 40, "population": "a", "source": "b"}
    options = {"video": False, "before": before, "reference": before, "norms": [norm]}
    answer = handle.analyze_file.remote(str(squat_video), options).result(timeout_s=120)
    told = answer["data"]["biomechanics_summary"][0]["applications"]
    assert [told[n]["status"] for n in ("technique", "progress", "norms")] == ["ok"] * 3
    assert {change["delta"] for change in told["progress"]["changes"]} == {0.0}
    before["data"]["biomechanics_summary"][0]["definitions"] = "bm-1"
    with pytest.raises(DefinitionsDifferError, match="bm-1"):
        handle.analyze_file.remote(str(squat_video), options).result(timeout_s=120)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda h, _: h.analyze.remote({"video_url": "x", "size": 3}), BadParameterError, "size"),
        (lambda h, _: h.analyze.remote({"video_url": "ftp://x/y"}), AddressNotAllowedError, "ftp"),
        (lambda h, _: h.analyze_file.remote("no such file"), BadParameterError, "no such file"),
        (lambda h, text: h.analyze_file.remote(text), NotAVideoError, "does not begin like"),
    ],
    ids=["unknown field", "foreign scheme", "missing file", "text"],
)
def test_errors_come_as_the_classes_of_the_service(handle, tmp_path, call, error, says):
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    with pytest.raises(error, match=says):
        call(handle, str(text)).result(timeout_s=60)
