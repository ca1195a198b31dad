"""Many callers: admission, batches shared between them, changes while running."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import ray
from ray import serve

from deployments.errors import InferenceError
from tests.graph.conftest import deploy, replicas
from tests.support import markers

CROP = markers.draw(markers.squat(1)[0] * 0.4, (192, 256))


@pytest.fixture
def settings_back(graph, tmp_path):
    yield
    deploy(graph, graph.document, tmp_path)


def test_new_thresholds_and_limits_hold_without_a_restart(
    graph, client, squat_video, tmp_path, settings_back
):
    before = {d: replicas(graph, d)[0]["pid"] for d in ("Ingress", "RTMPose", "Decode")}
    document = graph.document
    by_name = {d["name"]: d for d in document["applications"][0]["deployments"]}
    by_name["Ingress"]["user_config"] = {"confidence_threshold": 0.99, "max_concurrent_requests": 1}
    by_name["RTMPose"]["user_config"] = {"max_batch_size": 5, "batch_wait_timeout_s": 0.0}
    deploy(graph, document, tmp_path)

    end = time.monotonic() + 20  # Serve tells the replicas after it says that it runs
    while (
        answer := client.analyze(squat_video, video=False)
    ).data.processing_summary.confidence_threshold != 0.99:
        assert time.monotonic() < end
    nulls = answer.data.poses_per_frame[0].biomechanics.detail.nulls
    assert nulls["left_knee"] == "low_confidence"
    assert {d: replicas(graph, d)[0]["pid"] for d in before} == before

    with ThreadPoolExecutor(4) as pool:
        posted = list(pool.map(lambda _: _post(graph.url, squat_video), range(4)))
    refused = [r for r in posted if r.status_code == 429]
    assert {r.status_code for r in posted} == {200, 429}
    for response in refused:
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) > 0
        assert response.json()["code"] == "overloaded"
        assert response.json()["retryable"]


def test_a_call_that_fails_in_a_batch_fails_alone(graph):
    handle = serve.get_deployment_handle("RTMPose", "pose")
    good, bad = np.stack([CROP] * 3), np.zeros((1, 10, 10, 3), np.uint8)
    calls = [handle.estimate.remote([ray.put(crops)]) for crops in (good, bad, good)]
    name, poses = calls[0].result(timeout_s=30)
    with pytest.raises(InferenceError):
        calls[1].result(timeout_s=30)
    assert name == "Marker-Pose"
    assert len(poses) == 3
    assert np.array_equal(poses.keypoints, calls[2].result(timeout_s=30)[1].keypoints)


def test_decoding_scales_out_while_segments_wait(graph, tmp_path):
    long = markers.write_video(tmp_path / "long.mp4", markers.squat(400))
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(_post, graph.url, long) for _ in range(3)]
        end = time.monotonic() + 60
        while len(replicas(graph, "Decode")) < 2:
            assert time.monotonic() < end
            time.sleep(0.5)
        answers = [response.result() for response in asked]
    assert {response.status_code for response in answers} == {200}


def test_a_caller_who_goes_leaves_nothing_behind(graph, client, squat_video):
    spool = graph.path.parent / "spool"
    with pytest.raises(httpx.ReadTimeout):
        _post(graph.url, squat_video, timeout_s=0.3)
    end = time.monotonic() + 20
    while any(spool.iterdir()):
        assert time.monotonic() < end, list(spool.iterdir())
        time.sleep(0.1)
    assert client.analyze(squat_video, video=False).data is not None


def _post(url, video, timeout_s=120.0):
    with video.open("rb") as file:
        return httpx.post(f"{url}/pose", files={"file": file}, timeout=timeout_s)
