"""What dies in the middle of a request costs time, not frames."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serve_app.client import PoseClient
from tests import markers
from tests.conftest import SQUAT_FRAMES
from tests.graph.conftest import replicas

FRAMES = 400  # a replica is killed while they are analysed or drawn


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
