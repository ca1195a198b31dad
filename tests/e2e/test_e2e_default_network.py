"""The default network on the demonstration video: who is found, a walk, and what is announced.

A woman walks past in frames 38 to 207, while a man stands on a roof and jumps down. Bounds are a
little below what was measured.
"""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from biomech.skeleton import KEYPOINTS
from serve_app.client import PoseClient
from serve_app.http.routes import create_app
from serve_app.local import local_service
from serve_app.report.contact_sheet import angle_values
from serve_app.settings import load_settings
from tests.support.asgi import AsgiTransport
from tests.support.sports2d_tracks import read_tracks

WALKER = range(38, 208)
# The Python example of the specification, word for word.
EXAMPLE = """
import requests

response = requests.post(
    "http://35.189.53.46:8080/mmpose/pose",
    json={
        "video_url": "https://storage.googleapis.com/bucket/training-session.mp4",
        "video": True,
        "data": True,
        "confidence": 0.4
    }
)

data = response.json()
poses = data["data"]["poses_per_frame"]

for frame_idx, pose in enumerate(poses):
    biomechanics = pose["biomechanics"]
    angles = biomechanics["joint_angles"]
    movement = biomechanics["movement_analysis"]
    
    print(f"Frame {frame_idx}:")
    print(f"  Left elbow: {angles['left_elbow']:.1f}°")
    print(f"  Stability: {movement['stability_score']:.1f}%")
    print(f"  Symmetry: {movement['symmetry_index']:.2f}")
"""  # noqa: W293
ANNOUNCED = "MoveNet-MultiPose is the default network"


@pytest.fixture(scope="module")
def client(movenet, demo_video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    places = {"output": str(folder / "videos"), "spool_dir": folder / "spool"}
    with (
        local_service(load_settings({**places, "weights_dir": movenet.parent}, {})) as service,
        PoseClient("http://test", transport=AsgiTransport(create_app(service))) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def answer(client, demo_video):
    return client.analyze(demo_video, people="all", video=False)


@pytest.fixture(scope="module")
def frames_of(answer):
    """Frames in which each person is seen, by track."""
    found = {}
    for index, frame in enumerate(answer.data.poses_per_frame):
        for person in (frame.pose, *frame.people):
            if person:
                found.setdefault(person.track_id, []).append(index)
    return {track: np.array(frames) for track, frames in found.items()}


@pytest.fixture(scope="module")
def walker(answer):
    """Track of the primary person."""
    (track,) = {f.pose.track_id for f in answer.data.poses_per_frame if f.pose}
    return track


def test_both_people_are_found_and_nobody_else(answer, frames_of, walker):
    assert len(frames_of) == 2
    assert len(frames_of[walker]) >= 155
    assert set(frames_of[walker]) <= set(WALKER)
    (man,) = frames_of.keys() - {walker}
    assert np.count_nonzero(frames_of[man] < 120) >= 90
    assert answer.data.processing_summary.frames_with_people >= 180


def test_the_walkers_keypoints_are_near_those_of_a_peer(answer):
    """Sports2D's, by another network: 170 frames of a person about 350 pixels high."""
    _, peer, _ = read_tracks()
    ours = np.full_like(peer.keypoints, np.nan)
    for frame, pose in enumerate(answer.data.poses_per_frame):
        for k, point in enumerate((pose.keypoints or {}).get(name) for name in KEYPOINTS):
            if point and point.confidence >= 0.3:
                ours[frame, k] = point.x, point.y
    apart = np.linalg.norm(ours - peer.keypoints, axis=-1)
    assert np.isfinite(apart).sum() > 1500
    assert np.nanmedian(apart) < 8
    assert np.nanpercentile(apart, 90) < 20


def test_her_knees_take_turns(answer):
    left, right = (
        angle_values(answer.data.poses_per_frame, f"{side}_knee") for side in ("left", "right")
    )
    both = np.isfinite(left) & np.isfinite(right)
    assert both.sum() > 110
    assert np.corrcoef(left[both], right[both])[0, 1] < -0.3


def test_her_cadence_is_that_of_the_walk(answer):
    gait = answer.data.biomechanics_summary[0].gait
    assert not gait.running
    assert gait.cadence_per_min == pytest.approx(97, abs=3)


def test_it_is_announced_once_and_the_service_is_degraded(client, answer):
    (notice,) = (n for n in answer.warnings if n.code == "model_notice")
    assert notice.detail.startswith(ANNOUNCED)
    health = client.health()
    assert health.status == "degraded"
    assert not health.models.rtmpose_loaded
    assert health.models.detector_loaded
    for role in ("rtmpose", "detector"):
        assert any(r.startswith(f"{role}: {ANNOUNCED}") for r in health.reasons)


def test_the_specifications_example_prints_numbers(client, demo_video, monkeypatch, capsys):
    """The example runs as it is written on the frames that have every number (F20).

    In the network's place the request goes to the service here, with the demonstration video for
    the example's own, and asks for the complete frames: nobody is seen in a third of this clip.
    """

    def post(url, json):
        assert url.endswith("/pose")
        form = {"confidence": str(json["confidence"]), "frames": "complete", "video": "false"}
        with demo_video.open("rb") as file:
            return client._http.post("/pose", files={"file": file}, data=form)

    monkeypatch.setitem(sys.modules, "requests", SimpleNamespace(post=post))
    exec(EXAMPLE, {})
    lines = capsys.readouterr().out.splitlines()
    number = r"-?\d+\.\d"
    shapes = [r"Frame \d+:", rf"  Left elbow: {number}°", rf"  Stability: {number}%",
              rf"  Symmetry: {number}\d"]  # fmt: skip
    assert len(lines) >= 4 * 50
    for i, line in enumerate(lines):
        assert re.fullmatch(shapes[i % 4], line), line


def test_her_scores_are_defined_while_she_walks(answer):
    """Stability and symmetry of gait take over where those of standing do not hold (F7, F20)."""
    seen = [f.biomechanics for f in answer.data.poses_per_frame if f.pose]
    printed = [
        b
        for b in seen
        if None
        not in (
            b.joint_angles["left_elbow"],
            b.movement_analysis["stability_score"],
            b.movement_analysis["symmetry_index"],
        )
    ]
    assert len(printed) >= 0.85 * len(seen)
    assert {b.detail.definitions["stability_score"] for b in printed} == {"gait"}
    scores = answer.data.biomechanics_summary[0].scores
    assert scores["stability_score"].definition == scores["symmetry_index"].definition == "gait"
    assert 70 <= scores["stability_score"].value <= 98
    assert 0.7 <= scores["symmetry_index"].value <= 1.0
    assert 60 <= scores["athletic_readiness"].value <= 95
