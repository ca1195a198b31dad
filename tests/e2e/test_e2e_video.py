"""A real video of a walk through HTTP: poses, steps, and what became of picture and sound."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from biomech.joints import JOINT_ANGLES
from serve_app.client import PoseClient
from serve_app.report.contact_sheet import angle_values


@pytest.fixture(scope="module")
def answer(running, demo_video):
    with PoseClient(running.url) as client:
        return client.analyze(demo_video, people="all")


@pytest.fixture(scope="module")
def annotated(running, answer, tmp_path_factory):
    with PoseClient(running.url) as client:
        return client.download(answer, tmp_path_factory.mktemp("annotated") / "video.mp4")


@pytest.fixture(scope="module")
def walk(answer):
    return answer.data.biomechanics_summary[0].gait


def times_of(path, kind):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        pts = [p.pts * p.time_base for p in container.demux(stream) if p.pts is not None]
        return np.array(sorted(pts), float)


def test_every_frame_is_answered_and_most_show_the_walker(answer):
    frames = answer.data.poses_per_frame
    summary = answer.data.processing_summary
    assert len(frames) == summary.total_frames == 230
    assert [f.frame_info.timestamp for f in frames] == pytest.approx(np.arange(230) / 30, abs=1e-3)
    assert summary.successful_poses == sum(f.pose is not None for f in frames) > 150
    assert summary.segments > 1


def test_angles_are_those_of_a_person_on_foot(answer):
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


def knees_over(walk, answer):
    """Degrees (f,) by side from the first step to the last, short gaps bridged."""
    (bout,) = walk.bouts
    inside = [
        frame
        for frame in answer.data.poses_per_frame
        if bout.t_start_s <= frame.frame_info.timestamp <= bout.t_end_s
    ]
    bridged = {}
    for side in ("left", "right"):
        values = angle_values(inside, f"{side}_knee")
        known = np.flatnonzero(np.isfinite(values))
        assert len(known) > 0.9 * len(values)
        bridged[side] = np.interp(np.arange(len(values)), known, values[known])
    return bridged


def test_the_steps_are_those_of_a_walk(walk):
    contacts = [event for event in walk.events if event.kind == "contact"]
    assert not walk.running
    assert 80 <= walk.cadence_per_min <= 130
    assert len(contacts) - 1 == walk.steps >= 6
    sides = [event.side for event in contacts]
    assert all(a != b for a, b in pairwise(sides))
    steps_s = np.diff([event.t_s for event in contacts])
    assert steps_s.std() < 0.15 * steps_s.mean()


@pytest.mark.parametrize("side", ["left", "right"])
def test_each_knee_bends_and_straightens_as_in_a_walk(walk, answer, side):
    knee = knees_over(walk, answer)[side]
    bent, straight = np.percentile(knee, [5, 95])
    assert 95 <= bent <= 125  # swing; the least of a noisy curve is a little below
    assert 165 <= straight <= 180  # stance
    assert knee.min() > 85


def test_the_knees_take_turns(walk, answer):
    """Each does what the other did half a stride before."""
    left, right = knees_over(walk, answer).values()
    stride = 2 * 60 / walk.cadence_per_min * 30  # frames

    def alike(a, b):
        return [np.corrcoef(a[: len(a) - lag], b[lag:])[0, 1] for lag in range(round(stride))]

    across = alike(left, right)
    assert np.argmax(across) == pytest.approx(stride / 2, abs=0.1 * stride)
    assert max(across) > 0.75
    assert across[0] < 0
    itself = alike(left, left)
    assert itself[round(stride / 2)] < 0 < 0.75 < itself[-1]


def test_the_walker_is_sharp_and_leaves_the_picture_at_the_end(answer):
    cautions = {c.code: c.frames for c in answer.data.biomechanics_summary[0].quality}
    assert "blur" not in cautions
    assert cautions["truncated"][-1][0] > 180


def test_the_default_network_is_announced(answer):
    assert [notice.code for notice in answer.warnings] == ["model_notice"]
    assert "MoveNet-MultiPose is the default network" in answer.warnings[0].detail


def test_the_annotated_video_plays_anywhere_and_keeps_size_times_and_sound(annotated, demo_video):
    head = annotated.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")
    with av.open(str(annotated)) as made, av.open(str(demo_video)) as original:
        video, before = made.streams.video[0], original.streams.video[0]
        context = video.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.width, context.height) == (before.width, before.height)
        assert made.streams.audio[0].codec_context.name == "aac"
        assert Fraction(video.average_rate) == Fraction(before.average_rate)
    ours, theirs = times_of(annotated, "video"), times_of(demo_video, "video")
    assert ours == pytest.approx(theirs - theirs[0], abs=1e-3)
    sound, sound_before = times_of(annotated, "audio"), times_of(demo_video, "audio")
    assert len(sound) == pytest.approx(len(sound_before), abs=2)


def test_the_skeleton_is_drawn_where_the_walker_is(annotated, demo_video, answer):
    index = 120
    pose = answer.data.poses_per_frame[index].pose
    with av.open(str(annotated)) as made, av.open(str(demo_video)) as original:
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
