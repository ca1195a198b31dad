"""A real video of a runner through HTTP: poses, and what became of the picture and the sound."""

from fractions import Fraction

import av
import numpy as np
import pytest

from biomech.skeleton import JOINT_ANGLES
from serve_app.client import PoseClient


@pytest.fixture(scope="module")
def source(shared):
    return shared / "videos" / "sports2d_demo.mp4"


@pytest.fixture(scope="module")
def answer(running, source):
    with PoseClient(running.url) as client:
        return client.analyze(source, people="all")


@pytest.fixture(scope="module")
def annotated(running, answer, tmp_path_factory):
    with PoseClient(running.url) as client:
        return client.download(answer, tmp_path_factory.mktemp("annotated") / "video.mp4")


def times_of(path, kind):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        pts = [p.pts * p.time_base for p in container.demux(stream) if p.pts is not None]
        return np.array(sorted(pts), float)


def test_every_frame_is_answered_and_most_show_the_runner(answer):
    frames = answer.data.poses_per_frame
    summary = answer.data.processing_summary
    assert len(frames) == summary.total_frames == 230
    assert [f.frame_info.timestamp for f in frames] == pytest.approx(np.arange(230) / 30, abs=1e-3)
    assert summary.successful_poses == sum(f.pose is not None for f in frames) > 150
    assert summary.segments > 1


def test_angles_are_those_of_a_person_who_runs(answer):
    for name in JOINT_ANGLES:
        values = [f.biomechanics.joint_angles[name] for f in answer.data.poses_per_frame]
        there = np.array([v for v in values if v is not None])
        assert len(there) > 100
        assert ((there >= 0) & (there <= 180)).all()
    knees = [
        f.biomechanics.joint_angles[f"{side}_knee"]
        for f in answer.data.poses_per_frame
        for side in ("left", "right")
    ]
    there = np.array([v for v in knees if v is not None])
    assert np.percentile(there, 95) > 165  # a leg that bears is nearly straight
    assert np.percentile(there, 5) < 125  # one that swings is bent


def test_the_stand_in_is_announced(answer):
    assert [notice.code for notice in answer.warnings] == ["model_notice"]
    assert "stand-in" in answer.warnings[0].detail


def test_the_annotated_video_plays_anywhere_and_keeps_size_times_and_sound(annotated, source):
    head = annotated.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")
    with av.open(str(annotated)) as made, av.open(str(source)) as original:
        video, before = made.streams.video[0], original.streams.video[0]
        context = video.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.width, context.height) == (before.width, before.height)
        assert made.streams.audio[0].codec_context.name == "aac"
        assert Fraction(video.average_rate) == Fraction(before.average_rate)
    ours, theirs = times_of(annotated, "video"), times_of(source, "video")
    assert ours == pytest.approx(theirs - theirs[0], abs=1e-3)
    sound, sound_before = times_of(annotated, "audio"), times_of(source, "audio")
    assert len(sound) == pytest.approx(len(sound_before), abs=2)


def test_the_skeleton_is_drawn_where_the_runner_is(annotated, source, answer):
    index = 120
    pose = answer.data.poses_per_frame[index].pose
    with av.open(str(annotated)) as made, av.open(str(source)) as original:
        pictures = [
            next(f for i, f in enumerate(c.decode(video=0)) if i == index).to_ndarray(
                format="rgb24"
            )
            for c in (made, original)
        ]
    changed = np.abs(pictures[0].astype(int) - pictures[1]).max(2) > 60
    box = pose.box
    inside = changed[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)]
    assert inside.mean() > 0.02
    assert changed[:, : int(box.x1) - 200].mean() < 0.005
