"""From segments to the people of a clip: the same however cut, the primary person first."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.messages import CropPoses
from deployments.tracking import tracks
from deployments.tracking.tracks import merge
from tests.support.simulated_people import Walker, cut, media, observe, shown_in, straight

Y = 540.0
INFO = media(151)
STRIDE = 4
CROWD = [
    Walker(straight(960, Y, 0), strides_per_s=0.3),
    Walker(straight(460, Y, 200), 310),
    Walker(straight(1500, Y + 20, -220), 290, facing=-1),
    Walker(straight(200, 800, 30), 150, from_s=1.0, to_s=3.3),
]


def assert_equal(a, b):
    for field in fields(a):
        ours, theirs = getattr(a, field.name), getattr(b, field.name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"), field.name
        else:
            assert ours == theirs, field.name


def both(*parts):
    """One segment of several observations, each with its own tracklets."""
    names = ("frame", "box", "box_score", "detected", "blur", "model")
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    order = np.argsort(joined["frame"], kind="stable")
    unused, tracklet = 0, []
    for part in parts:
        tracklet.append(part.tracklet + unused)
        unused += part.tracklet.max(initial=-1) + 1
    return replace(
        parts[0],
        tracklet=np.concatenate(tracklet)[order].astype(np.int32),
        poses=CropPoses.concatenate([p.poses for p in parts])[order],
        **{name: values[order] for name, values in joined.items()},
    )


def followed(clip, walkers):
    """By person, the walkers followed."""
    shown = [
        {
            shown_in(clip.keypoints[clip.row[f, p]], walkers, clip.times_s[f])
            for f in np.flatnonzero(clip.present[:, p])
        }
        for p in range(len(clip.track_id))
    ]
    return [who - {None} for who in shown]


@pytest.fixture(scope="module")
def whole():
    missed = np.random.default_rng(1).uniform(size=(151, len(CROWD))) < 0.08
    return observe(CROWD, INFO, STRIDE, missed=lambda frame, who: missed[frame, who])


@pytest.fixture(scope="module")
def uncut(whole):
    return merge([whole], INFO)


@settings(deadline=None, max_examples=40)
@given(
    st.sets(st.sampled_from(range(STRIDE, 151, STRIDE)), max_size=12),
    st.integers(0, 99),
    st.randoms(use_true_random=False),
)
def test_the_people_are_the_same_however_the_video_is_cut(whole, uncut, places, seed, random):
    parts = cut(whole, places, seed)
    random.shuffle(parts)
    assert_equal(merge(parts, INFO), uncut)


def test_a_cut_at_every_detection_is_no_worse(whole, uncut):
    assert_equal(merge(cut(whole, range(STRIDE, 151, STRIDE)), INFO), uncut)


def test_everyone_is_followed_and_numbered_from_one(uncut):
    assert uncut.track_id.tolist() == [1, 2, 3, 4]
    assert sorted(map(min, followed(uncut, CROWD))) == [0, 1, 2, 3]
    assert all(len(who) == 1 for who in followed(uncut, CROWD))


def test_absence_is_nan_in_every_array(uncut):
    assert 0 < uncut.present.mean() < 1
    assert sorted(uncut.row[uncut.present].tolist()) == list(range(len(uncut.model)))
    for name in ("box", "box_score", "keypoints", "score", "raw_score", "sigma", "blur"):
        values = uncut.to_dense(getattr(uncut, name))
        assert values.dtype == np.float32
        assert np.isnan(values[~uncut.present]).all(), name
    for values in (uncut.box, uncut.score):
        known = np.isfinite(uncut.to_dense(values, slice(5, 90))).all(-1)
        assert np.array_equal(known, uncut.present[5:90])


def test_every_row_of_a_lone_person_reaches_the_clip():
    segment = observe([CROWD[1]], INFO)
    segment = replace(segment, model=(segment.frame % 2).astype(np.int32), models=("A", "B"))
    clip = merge([segment], INFO)
    assert np.array_equal(clip.row[:, 0], segment.frame)
    assert np.array_equal(clip.keypoints, segment.poses.keypoints)
    assert np.array_equal(clip.box, segment.box)
    assert np.array_equal(clip.blur, segment.blur)
    assert clip.model.tolist() == [f % 2 for f in range(151)]
    assert clip.models == ("A", "B")
    assert (clip.width, clip.height) == (1920, 1080)
    assert np.array_equal(clip.times_s, INFO.times_s)


def test_frames_that_could_not_be_decoded_are_told(whole):
    left, right = cut(whole, [80])
    right.decoded[3:5] = False
    decoded = merge([right, left], INFO).decoded
    assert np.flatnonzero(~decoded).tolist() == [83, 84]


@pytest.mark.parametrize("parts", [1, 3])
def test_nobody_in_the_video(parts):
    nobody = observe([], INFO)
    clip = merge(cut(nobody, [40, 80][: parts - 1]), INFO)
    assert len(clip.track_id) == 0
    assert clip.row.shape == (151, 0)
    assert clip.keypoints.shape == (0, 17, 2)
    assert clip.to_dense(clip.box).shape == (151, 0, 4)
    assert clip.decoded.all()


def test_a_single_picture():
    info = media(1)
    clip = merge([observe(CROWD[:2], info)], info)
    assert clip.track_id.tolist() == [1, 2]
    assert clip.present.all()


def passer(seconds, score):
    """Someone seen once, away from the others, for so long and with such scores."""
    walker = Walker(straight(1700, 900, 0), 120, from_s=2.0, to_s=2.0 + seconds)
    part = observe([walker], INFO, stride=1, seed=3)
    return replace(part, box_score=np.full(len(part.frame), score, np.float32))


@pytest.mark.parametrize(
    ("seconds", "score", "kept"),
    [(0.2, 0.45, False), (0.2, 0.61, True), (0.26, 0.59, False), (0.34, 0.45, True)],
)
def test_stray_detections_are_dropped(seconds, score, kept):
    clip = merge([both(observe([CROWD[0]], INFO), passer(seconds, score))], INFO)
    assert len(clip.track_id) == 1 + kept


@pytest.mark.parametrize(("frames", "kept"), [(5, True), (2, False)])
def test_in_a_short_clip_half_of_it_is_long_enough(frames, kept):
    info = media(10)
    segment = observe([Walker(straight(500, Y, 0), to_s=(frames - 0.5) / 30)], info, stride=1)
    score = np.full(len(segment.frame), 0.45, np.float32)
    clip = merge([replace(segment, box_score=score)], info)
    assert len(clip.track_id) == kept


def test_a_body_found_twice_is_one_person():
    twin = observe([CROWD[1]], INFO, seed=8)
    clip = merge([both(observe([CROWD[1]], INFO), twin)], INFO)
    assert len(clip.track_id) == 1
    assert clip.present.all()


def test_a_body_found_twice_for_a_while_fills_what_was_missed():
    # One detector's track breaks off where the other's has begun.
    first = observe([replace(CROWD[1], to_s=3.0)], INFO)
    second = observe([replace(CROWD[1], from_s=0.9)], INFO, seed=8)
    clip = merge([both(first, second)], INFO)
    assert len(clip.track_id) == 1
    assert clip.present.all()


def test_a_body_found_three_times_in_turn_is_one_person():
    # The third is hardly beside the first, but beside the second, which is part of the first.
    spans = [(0.0, 3.65), (0.6, 4.2), (2.0, 9.0)]
    parts = [
        observe([replace(CROWD[1], from_s=a, to_s=b)], INFO, seed=i)
        for i, (a, b) in enumerate(spans)
    ]
    clip = merge([both(*parts)], INFO)
    assert len(clip.track_id) == 1
    assert clip.present.all()


def test_two_people_close_together_stay_two():
    walkers = [CROWD[1], Walker(straight(460 + 100, Y, 200), 310)]
    clip = merge([observe(walkers, INFO)], INFO)
    assert sorted(map(sorted, followed(clip, walkers))) == [[0], [1]]


@pytest.mark.parametrize(
    ("walkers", "primary"),
    [
        ([Walker(straight(960, Y, 0), 400), Walker(straight(300, Y, 0), 200)], 0),
        ([Walker(straight(200, Y, 0), 300), Walker(straight(960, Y, 0), 300)], 1),
        ([Walker(straight(960, Y, 0), 400, to_s=1.0), Walker(straight(500, Y, 0), 300)], 1),
        ([Walker(straight(300, Y, 250), 300), Walker(straight(960, 200, 0), 200)], 0),
    ],
    ids=["larger", "nearer the center", "there for longer", "passes through"],
)
def test_the_primary_person_is_the_most_important_over_the_whole_clip(walkers, primary):
    clip = merge([observe(walkers, INFO)], INFO)
    assert [sorted(who) for who in followed(clip, walkers)] == [[primary], [1 - primary]]


class ArmsOut(Walker):
    """A walker whose arms make the box twice as wide."""

    def box(self, time_s):
        x1, y1, x2, y2 = super().box(time_s)
        side = (x2 - x1) / 2
        return np.array([x1 - side, y1, x2 + side, y2])


def test_arms_held_out_do_not_make_a_person_more_important():
    walkers = [ArmsOut(straight(1260, 540, 0), 300), Walker(straight(660, 540, 0), 320)]
    clip = merge([observe(walkers, INFO)], INFO)
    assert [sorted(who) for who in followed(clip, walkers)] == [[1], [0]]


def test_the_primary_person_is_not_the_first_segments():
    # Large, but gone after a second: on the whole the other one counts for more.
    walkers = [Walker(straight(960, Y, 0), 420, to_s=1.0), Walker(straight(600, Y, 20), 300)]
    parts = cut(observe(walkers, INFO), [32, 64, 96])
    clip = merge(parts, INFO)
    assert followed(clip, walkers)[0] == {1}
    assert clip.present[:, 0].all()


def test_of_many_passers_by_the_most_important_are_kept(monkeypatch, whole, uncut):
    monkeypatch.setattr(tracks, "_MOST_CELLS", 2 * INFO.frame_count + 1)
    clip = merge([whole], INFO)
    assert clip.track_id.tolist() == [1, 2]
    assert np.array_equal(
        clip.to_dense(clip.keypoints), uncut.to_dense(uncut.keypoints)[:, :2], equal_nan=True
    )
    assert len(clip.keypoints) == clip.present.sum()
    monkeypatch.setattr(tracks, "_MOST_CELLS", 1)
    assert merge([whole], INFO).track_id.tolist() == [1]


def test_segments_that_do_not_make_up_the_video_are_refused(whole):
    with pytest.raises(ValueError, match="do not make up the video"):
        merge(cut(whole, [40])[:1], INFO)
