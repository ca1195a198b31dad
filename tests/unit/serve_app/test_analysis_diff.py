"""How far two analyzes are apart, by hand-made rows with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from serve_app.offline.analysis_diff import Rows, difference, overlap


def rows(*people, score=1.0):
    """Each (frame, left): a box of 100 by 200 whose keypoints are all in its middle."""
    frame = np.array([f for f, _ in people], np.int64)
    left = np.array([x for _, x in people], np.float32)
    box = np.stack([left, 0 * left, left + 100, 0 * left + 200], 1).reshape(-1, 4)
    points = np.stack([left + 50, 0 * left + 100], 1)[:, None].repeat(17, 1)
    return Rows(frame, box, points, np.full((len(frame), 17), score, np.float32))


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3),
        ([0, 0, 10, 10], [0, 0, 10, 5], 0.5),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),
        ([0, 0, 10, 10], [30, 30, 40, 40], 0.0),
    ],
    ids=["same", "half beside", "half of it", "touching", "apart"],
)
def test_overlap_of_two_boxes(a, b, iou):
    assert_allclose(overlap(np.array([a], np.float32), np.array([b], np.float32)), [[iou]])


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 900)), min_size=1, max_size=12))
def test_an_analysis_differs_from_itself_by_nothing(people):
    found = rows(*sorted(people))
    same = difference(found, found, 0.3)
    assert (same.iou_mean, same.iou_p5) == (1.0, 1.0)
    assert (same.shift_median, same.shift_p95, same.missed, same.extra) == (0, 0, 0, 0)
    assert same.people == len(people)


def test_a_shift_is_told_in_heights_of_the_box():
    told = difference(rows((0, 0), (1, 0)), rows((0, 20), (1, 10)), 0.3)
    assert_allclose([told.iou_mean, told.shift_median], [(80 / 120 + 90 / 110) / 2, 0.075])


def test_people_in_one_alone_are_missed_or_extra():
    told = difference(rows((0, 0), (0, 400), (2, 0)), rows((0, 402), (0, 700), (3, 0)), 0.3)
    assert (told.missed, told.extra, told.people) == (2, 2, 3)
    assert told.iou_mean == pytest.approx(98 / 102)


def test_points_that_are_not_seen_have_no_shift():
    told = difference(rows((0, 0)), rows((0, 20), score=0.2), 0.3)
    assert np.isnan(told.shift_median)
    assert told.iou_mean > 0


def test_nothing_in_common_overlaps_by_nothing():
    told = difference(rows((0, 0)), rows(), 0.3)
    assert (told.iou_mean, told.missed, told.extra) == (0.0, 1, 0)
