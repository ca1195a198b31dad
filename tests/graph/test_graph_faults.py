"""What dies in the middle of a request costs time, not frames."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from deployments.errors import StageFailedError, UnreachableError
from serve_app.client import PoseClient
from serve_app.results.response_schema import Problem
from tests.conftest import SQUAT_FRAMES
from tests.graph.conftest import replicas
from tests.support import markers
from tests.support.saved_results import saved, squatting

FRAMES = 400  # a replica is killed while they are analyzed or drawn


@pytest.mark.parametrize("deployment", ["RTMPose", "Decode", "Render"])
def test_a_killed_replica_is_replaced_and_no_frame_is_lost(graph, client, tmp_path, deployment):
    long = markers.write_video(tmp_path / "long.mp4", markers.squat(FRAMES))
    victim = replicas(graph, deployment)[0]["pid"]

    def ask():
        with PoseClient(graph.url, timeout_s=180) as own:
            return own.analyze(long, confidence=0.2)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        time.sleep(1.0)
        os.kill(victim, signal.SIGKILL)
        answer = asked.result()
    numbers = [frame.frame_info.frame_number for frame in answer.data.poses_per_frame]
    assert numbers == list(range(FRAMES))
    assert {frame.frame_info.model_used for frame in answer.data.poses_per_frame} <= {
        "Marker-Pose",
        "Marker-Fallback",
    }
    assert answer.data.processing_summary.successful_poses == FRAMES
    client.wait_until_ready()
    end = time.monotonic() + 60  # Serve asks after the health of its replicas now and then
    while victim in {replica["pid"] for replica in replicas(graph, deployment)}:
        assert time.monotonic() < end
        time.sleep(0.5)


def test_hrnet_answers_where_it_is_asked_for(client, squat_video):
    answer = client.analyze(squat_video, model="hrnet", video=False)
    assert answer.data.processing_summary.models_used == {"Marker-Fallback": SQUAT_FRAMES}
    found = np.array([f.keypoints["left_knee"].y for f in answer.data.poses_per_frame])
    assert found == pytest.approx(markers.squat(SQUAT_FRAMES)[:, 13, 1], abs=2.5)


def spooled(graph):
    """Folders of working files."""
    return list(Path(graph.document["applications"][0]["args"]["spool_dir"]).iterdir())


def until(true, within_s=60):
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def kill_ingress(graph):
    for replica in replicas(graph, "Ingress"):
        os.kill(replica["pid"], signal.SIGKILL)


def test_a_killed_ingress_costs_a_typed_answer_and_leaves_no_folder(graph, client, tmp_path):
    """(S8)"""
    long = markers.write_video(tmp_path / "long.mp4", markers.squat(FRAMES)).read_bytes()
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=graph.url, timeout=180) as http:
        asked = pool.submit(
            http.post, "/pose", files={"file": long}, headers={"X-Request-ID": "my-own"}
        )
        until(lambda: any((folder / "upload").exists() for folder in spooled(graph)))
        kill_ingress(graph)
        answer = asked.result()
    problem = Problem.model_validate(answer.json())
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem.code, problem.retryable) == (503, "stage_failed", True)
    assert problem.instance == "my-own"
    until(lambda: spooled(graph) == [])
    client.wait_until_ready()


def result_of_a_large_table():
    """A document in proportion to whose size is a table of some 40 MB."""
    document = json.loads(saved(squatting(1)))
    (first,) = document["data"]["poses_per_frame"]
    empty = {"joint_angles": {}, "movement_analysis": {}, "body_alignment": {}}
    document["data"]["poses_per_frame"] = [
        first,
        *(
            {
                "keypoints": None,
                "biomechanics": empty,
                "frame_info": {"frame_number": i, "timestamp": i / 30},
                "pose": None,
            }
            for i in range(1, 9000)
        ),
    ]
    document["video_url"] = "x" * 2_500_000
    return json.dumps(document).encode()


@pytest.mark.parametrize("to_a_file", [True, False])
def test_an_export_whose_ingress_is_killed_does_not_look_whole(graph, client, tmp_path, to_a_file):
    """(S2, S8) The caller has an error and no file, and no folder is left."""
    result, table = tmp_path / "result.json", tmp_path / "table.csv"
    result.write_bytes(result_of_a_large_table())

    def ask():
        with PoseClient(graph.url, timeout_s=180, retries=0) as own:
            return own.export(result, "csv", table if to_a_file else None)

    whole = len(client.export(result, "csv"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        until(lambda: spooled(graph))
        if to_a_file:
            until(lambda: any(part.stat().st_size for part in tmp_path.glob("*.part")))
        kill_ingress(graph)
        with pytest.raises((UnreachableError, StageFailedError)):
            asked.result()
    assert whole > 30_000_000
    assert list(tmp_path.iterdir()) == [result]
    until(lambda: spooled(graph) == [])
    client.wait_until_ready()


def test_an_export_whose_caller_has_gone_ends(graph, client):
    """(S4)"""
    with httpx.stream(
        "POST",
        f"{graph.url}/export?format=csv",
        content=result_of_a_large_table(),
        # Compressed, the table of a few repeated lines is sent before anybody can leave.
        headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
        timeout=60,
    ) as answer:
        assert "content-length" not in answer.headers
        assert next(answer.iter_raw())
        assert len(spooled(graph)) == 1
    until(lambda: spooled(graph) == [], within_s=5)
