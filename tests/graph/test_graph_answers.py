"""What the graph answers, against what was drawn into the video."""

import numpy as np
import pytest

from biomech.joints import JOINT_ANGLES
from biomech.kinematics.geometry import flexion, unsigned
from biomech.skeleton import KEYPOINTS
from tests.conftest import SQUAT_FRAMES
from tests.support import markers

TRUTH = markers.squat(SQUAT_FRAMES)


def points_of(response):
    """(f, 17, 2) keypoints of the primary person."""
    return np.array(
        [
            [(frame.keypoints[name].x, frame.keypoints[name].y) for name in KEYPOINTS]
            for frame in response.data.poses_per_frame
        ]
    )


@pytest.fixture(scope="package")
def answer(graph, squat_video):
    from serve_app.client import PoseClient

    with PoseClient(graph.url, timeout_s=120) as client:
        return client.analyze(squat_video)


def test_keypoints_are_where_they_were_drawn(answer):
    assert np.abs(points_of(answer) - TRUTH).max() < 2.5


@pytest.mark.parametrize("name", JOINT_ANGLES)
def test_joint_angles_are_those_drawn(answer, name):
    frames = answer.data.poses_per_frame
    found = np.array([f.biomechanics.joint_angles[name] for f in frames], float)
    there = np.isfinite(found)
    assert found[there] == pytest.approx(unsigned(name, flexion(name, TRUTH))[there], abs=4)
    # The discs' networks are unsure, and whole pixels: a point may look astray.
    nulls = {f.biomechanics.detail.nulls[name] for f in np.array(frames)[~there]}
    assert there.mean() > 0.9
    assert nulls <= {"outlier"}


def test_every_frame_has_its_number_time_and_model(answer):
    infos = [frame.frame_info for frame in answer.data.poses_per_frame]
    assert [info.frame_number for info in infos] == list(range(SQUAT_FRAMES))
    assert [info.timestamp for info in infos] == pytest.approx(
        np.arange(SQUAT_FRAMES) / 30, abs=1e-6
    )
    assert {info.model_used for info in infos} == {"Marker-Pose"}


def test_several_segments_made_the_one_answer(answer):
    assert answer.data.processing_summary.segments == 6
    assert answer.data.processing_summary.successful_poses == SQUAT_FRAMES


def test_the_annotated_video_can_be_fetched_and_has_all_frames(answer, client, tmp_path):
    import av

    path = client.download(answer, tmp_path / "annotated.mp4")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in container.decode(stream)) == SQUAT_FRAMES


def test_health_names_every_stage_and_the_logical_gpus_are_shared(graph, client):
    import ray

    health = client.health()
    assert health.status == "healthy"
    assert health.models.stages.keys() == {"rtmpose", "hrnet", "detector"}
    assert health.models.model_info.name == "Marker-Pose"
    used = ray.cluster_resources()["GPU"] - ray.available_resources()["GPU"]
    assert used >= 1.0  # 0.4 and 0.4 and 0.2, one replica each at least
