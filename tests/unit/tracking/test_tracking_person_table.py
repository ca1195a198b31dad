"""The rows of all segments in one table, whatever the cuts; what is one and the same body."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biomech.skeleton import INDEX
from deployments.tracking.person_table import (
    by_first_appearance,
    collect,
    overlap,
    pairs_in_frame,
    same_body,
)
from tests.support.simulated_people import Walker, cut, media, observe, straight

STRIDE = 4
INFO = media(90)
PEOPLE = [
    Walker(straight(200, 500, 150)),
    Walker(straight(1500, 520, -120), facing=-1),
    Walker(straight(900, 480, 10), from_s=0.8, to_s=2.2),
]


@pytest.fixture(scope="module")
def whole():
    """One segment of three people, one of whom is missed at times, by two models."""
    seen = observe(PEOPLE, INFO, missed=lambda frame, who: who == 1 and 30 < frame < 44)
    model = (np.arange(len(seen.frame)) % 2).astype(np.int32)
    return replace(seen, model=model, models=("A", "B"))


def collected(segments, info=INFO):
    rows, track = collect(segments, info)
    arrays = [
        getattr(rows, n)
        for n in ("frame", "time_s", "box", "box_score", "detected", "blur", "model")
    ]
    arrays += [getattr(rows.poses, n) for n in ("keypoints", "score", "raw_score", "sigma")]
    return [*arrays, rows.center, rows.size, track], rows.models


@settings(deadline=None, max_examples=40)
@given(
    st.sets(st.sampled_from(range(STRIDE, 90, STRIDE)), max_size=8),
    st.integers(0, 99),
    st.randoms(use_true_random=False),
)
def test_the_table_does_not_depend_on_the_cuts(whole, places, seed, random):
    parts = cut(whole, places, seed)
    random.shuffle(parts)  # segments come as they are done
    arrays, models = collected(parts)
    expected, names = collected([whole])
    assert models == names
    for ours, theirs in zip(arrays, expected, strict=True):
        assert np.array_equal(ours, theirs, equal_nan=True)


def test_rows_ascend_in_time_and_have_the_videos_times(whole):
    rows, track = collect([whole], INFO)
    assert len(rows) == len(whole.frame)
    assert (np.diff(rows.frame) >= 0).all()
    assert np.array_equal(rows.time_s, INFO.times_s[rows.frame])
    assert track.max() == 3  # the one missed for long is two tracks
    for number in range(4):
        assert np.unique(rows.frame[track == number], return_counts=True)[1].max() == 1


def test_models_are_numbered_anew_over_all_segments(whole):
    left, right = cut(whole, [44])
    right = replace(right, models=("B", "C"), model=right.model)
    rows, _ = collect([left, right], INFO)
    assert rows.models == ("A", "B", "C")
    names = [rows.models[m] for m in rows.model]
    assert {n for n, f in zip(names, rows.frame, strict=True) if f < 44} == {"A", "B"}
    assert {n for n, f in zip(names, rows.frame, strict=True) if f >= 44} == {"B", "C"}


def test_people_are_not_joined_where_the_boxes_at_a_cut_differ(whole):
    left, right = cut(whole, [24])
    apart = replace(left, closing_box=left.closing_box + np.float32(1.0))
    assert len(left.closing_box) == 3
    assert collect([apart, right], INFO)[1].max() == collect([left, right], INFO)[1].max() + 3


def test_nobody_at_all_is_an_empty_table():
    nobody = observe([], INFO)
    rows, track = collect(cut(nobody, [40]), INFO)
    assert len(rows) == len(track) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda parts: parts[1:],
        lambda parts: parts[:-1],
        lambda parts: [parts[0], parts[2]],
        lambda parts: [*parts, parts[1]],
        lambda parts: [],
    ],
    ids=["no first", "no last", "no middle", "one twice", "none"],
)
def test_segments_that_do_not_make_up_the_video_are_refused(whole, wrong):
    with pytest.raises(ValueError, match="do not make up the video"):
        collect(wrong(cut(whole, [24, 60])), INFO)


def test_the_center_is_of_the_torso_and_of_the_box_where_that_is_hidden(whole):
    torso = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "hip")]
    rows, _ = collect([whole], INFO)
    seen = np.isfinite(rows.poses.keypoints).all((1, 2))
    assert 0.9 < seen.mean() < 1
    of_torso = rows.poses.keypoints[:, torso].mean(1)
    assert rows.center[seen] == pytest.approx(of_torso[seen], abs=1e-3)
    score = whole.poses.score.copy()
    score[:, torso[:2]] = 0.29
    hidden, _ = collect([replace(whole, poses=replace(whole.poses, score=score))], INFO)
    of_box = (hidden.box[:, :2] + hidden.box[:, 2:]) / 2
    assert hidden.center == pytest.approx(of_box, abs=1e-3)
    assert hidden.size == pytest.approx((hidden.box[:, 2:] - hidden.box[:, :2]).max(1))


def test_some_rows_are_a_table_too(whole):
    rows, _ = collect([whole], INFO)
    index = np.array([5, 2, 9])
    some = rows[index]
    assert some.frame.tolist() == rows.frame[index].tolist()
    assert np.array_equal(some.poses.keypoints, rows.poses.keypoints[index])
    assert np.array_equal(some.detected, rows.detected[index])
    assert some.models == rows.models


def test_unsure_keypoints_are_not_seen(whole):
    rows, _ = collect([whole], INFO)
    rows.poses.score[3, 4] = 0.29
    seen = rows.seen_keypoints(np.array([2, 3]))
    assert np.isnan(seen[1, 4]).all()
    assert np.isfinite(np.delete(seen.reshape(34, 2), 17 + 4, axis=0)).all()


@pytest.mark.parametrize(
    ("labels", "numbered"),
    [([7, 7, 3, 9, 3], [0, 0, 1, 2, 1]), ([0, 1, 2], [0, 1, 2]), ([5], [0]), ([], [])],
)
def test_numbers_by_first_appearance(labels, numbered):
    assert by_first_appearance(np.array(labels, np.int64)).tolist() == numbered


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=20).map(sorted))
def test_pairs_of_a_frame_are_all_of_them_once(frames):
    first, second = pairs_in_frame(np.array(frames, np.int64))
    expected = {
        (i, j)
        for i in range(len(frames))
        for j in range(i + 1, len(frames))
        if frames[i] == frames[j]
    }
    found = list(zip(first.tolist(), second.tolist(), strict=True))
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("a", "b", "part"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [5, 0, 15, 10], 0.5),
        ([0, 0, 10, 10], [2, 2, 4, 4], 1.0),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),
        ([0, 0, 10, 10], [30, 30, 40, 40], 0.0),
        ([0, 0, 10, 10], [3, 3, 3, 9], 0.0),
    ],
    ids=["same", "half", "inside", "touching", "apart", "no area"],
)
def test_overlap_is_a_part_of_the_smaller(a, b, part):
    a, b = (np.array([x], np.float32) for x in (a, b))
    assert overlap(a, b) == pytest.approx(part)
    assert overlap(b, a) == pytest.approx(part)


@pytest.mark.parametrize(
    ("shift", "hidden", "same"),
    [
        (0.0, 0, True),
        (0.045, 0, True),  # of the body, on average
        (0.055, 0, False),
        (0.0, 12, True),  # five points left
        (0.02, 13, True),  # four left: the boxes tell
        (0.06, 13, False),
    ],
)
def test_one_body_found_twice(shift, hidden, same):
    person = Walker(straight(500, 500, 0), height=300.0)
    size = np.ptp(person.box(0)[[1, 3]])
    copy = Walker(straight(500 + shift * size, 500, 0), height=300.0)
    info = media(1)
    parts = [observe([who], info, noise=0.0) for who in (person, copy)]
    joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in (
        "frame", "box", "box_score", "detected", "blur", "model")}  # fmt: skip
    poses = type(parts[0].poses).concatenate([p.poses for p in parts])
    poses.score[1, :hidden] = 0.1
    segment = replace(parts[0], tracklet=np.array([0, 1], np.int32), poses=poses, **joined)
    rows, _ = collect([segment], info)
    result = same_body(rows, np.array([0]), np.array([1]))
    assert result.tolist() == [same]
