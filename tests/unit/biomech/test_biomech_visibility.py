"""Which keypoints count as seen, and the words for those that do not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biomech import reasons
from biomech.preprocessing.visibility import gate
from biomech.skeleton import INDEX
from tests.support.stick_figure import FIGURE

SIZE = (640, 480)
NOSE = INDEX["nose"]


def gated(*, point=(320.0, 100.0), score=0.9, min_score=0.3):
    """One picture whose nose is as told."""
    xy, scores = FIGURE[None].copy(), np.full((1, 17), 0.9)
    xy[0, NOSE], scores[0, NOSE] = point, score
    return gate(xy, scores, (640, 640), min_score)


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (0.3, ""),
        (0.299, "low_confidence"),
        (0.0, "low_confidence"),
        (1.7, ""),
        (np.nan, "low_confidence"),
    ],
)
def test_a_score_at_the_threshold_is_enough(score, word):
    assert gated(score=score).reason[0, NOSE] == word


@pytest.mark.parametrize(
    ("point", "word"),
    [
        ((0, 0), ""),
        ((-0.5, 100), ""),
        ((-0.51, 100), "out_of_frame"),
        ((639.5, 100), ""),
        ((639.51, 100), "out_of_frame"),
        ((100, 639.5), ""),
        ((100, 639.51), "out_of_frame"),
        ((100, -1), "out_of_frame"),
        ((np.inf, 100), "out_of_frame"),
        ((np.nan, 100), "low_confidence"),
        ((np.nan, np.nan), "low_confidence"),
    ],
    ids=str,
)
def test_pixels_are_centered_at_whole_numbers(point, word):
    result = gated(point=point)
    assert result.reason[0, NOSE] == word
    assert np.isnan(result.xy[0, NOSE]).all() == (word != "")


def test_where_an_unsure_point_lies_says_nothing():
    assert gated(point=(-50, 100), score=0.1).reason[0, NOSE] == "low_confidence"


def test_without_a_threshold_only_absence_counts():
    xy = FIGURE[None].copy()
    xy[0, NOSE] = np.nan
    result = gate(xy, np.zeros((1, 17)), (640, 640), 0.0)
    assert [word for word in result.reason[0].tolist() if word] == ["low_confidence"]


@settings(deadline=None)
@given(
    arrays(np.float64, (3, 17, 2), elements=st.floats(-100, 800) | st.just(np.nan)),
    arrays(np.float64, (3, 17), elements=st.floats(-0.5, 2) | st.just(np.nan)),
    st.floats(0, 1),
)
def test_a_point_is_given_as_it_was_or_not_at_all(xy, score, min_score):
    result = gate(xy, score, SIZE, min_score)
    there = result.reason == ""
    assert np.array_equal(result.xy[there], xy[there])
    assert np.isnan(result.xy[~there]).all()
    assert (np.nan_to_num(score)[there] >= min_score).all()
    assert (result.xy[there] <= np.array(SIZE) - 0.5).all()


def test_input_is_left_alone():
    xy, score = FIGURE[None].copy(), np.full((1, 17), 0.1)
    gate(xy, score, SIZE, 0.3)
    assert np.array_equal(xy[0], FIGURE)


def test_the_first_missing_point_gives_the_reason():
    xy, score = np.stack([FIGURE] * 4), np.full((4, 17), 0.9)
    xy[1:3, INDEX["left_knee"]] = [1000, 1000]
    score[2:, INDEX["left_hip"]] = 0.1
    result = gate(xy, score, (640, 640), 0.3)
    words = ["", "out_of_frame", "low_confidence", "low_confidence"]
    assert result.missing(["left_hip", "left_knee", "left_ankle"]).tolist() == words
    words[2] = "out_of_frame"
    assert result.missing(["left_knee", "left_hip"]).tolist() == words
    assert result.missing(["nose"]).tolist() == result.missing([]).tolist() == [""] * 4


def test_the_first_word_stays():
    a = np.array(["", "a", "", "a"])
    b = np.array(["", "", "b", "b"])
    assert reasons.first(a, b).tolist() == ["", "a", "b", "a"]
    assert reasons.first(b, a).tolist() == ["", "a", "b", "b"]
    assert reasons.first(a).tolist() == a.tolist()


def test_no_word_is_cut_short():
    words = [v for name, v in vars(reasons).items() if name.isupper() and not name.startswith("_")]
    assert len(words) >= 12
    for word in words:
        late = reasons.where(np.array([True]), word)
        assert reasons.first(reasons.none(1), late).tolist() == [word]
        assert reasons.where(np.array([False]), word).tolist() == [""]
