"""Scores of a response against what was filmed."""

from dataclasses import replace

import numpy as np
import pytest

from serve_app.results.response_schema import PoseResponse
from tests.support.saved_results import saved
from tools.athlete.clip import Take, Truth, stage
from tools.score import points_of, score

TAKE = Take(view=90, seconds=2, fps=20, size=(640, 640), seed=4)


@pytest.fixture(scope="module")
def truth():
    scene = stage(TAKE)
    return Truth(TAKE.times, scene.keypoints, scene.boxes, scene.movement.repetitions)


def answered(points, truth):
    body = saved(points, times_s=truth.times_s, sigma=1.0)
    return PoseResponse.model_validate_json(body).data


def moved(truth, keypoint, by):
    points = truth.keypoints.copy()
    points[:, keypoint] += by
    return points


def test_the_truth_itself_is_right_everywhere(truth):
    found = score(truth, answered(truth.keypoints, truth))
    assert found.pck == 1
    # What is left is the low-pass filter's, which the truth has not gone through.
    assert found.mae("knee") < 0.3
    assert found.mae("elbow", "shoulder") < 0.3
    assert found.angles["left_knee"].measured == 1
    assert found.angles["left_knee"].coverage == 1


def test_a_keypoint_counts_until_a_twentieth_of_the_box_away(truth):
    side = (truth.boxes[:, 2:] - truth.boxes[:, :2]).max(1)
    just, beyond = ((side * share)[:, None] * (1, 0) for share in (0.0499, 0.0501))
    assert score(truth, answered(moved(truth, 9, just), truth)).pck == 1
    found = score(truth, answered(moved(truth, 9, beyond), truth)).pck
    assert found == pytest.approx(16 / 17)


def test_what_was_not_found_is_wrong(truth):
    points = truth.keypoints.copy()
    points[:, 15:] = np.nan
    found = score(truth, answered(points, truth))
    assert found.pck == pytest.approx(15 / 17)
    knee = found.angles["left_knee"]
    assert (knee.measured, np.isnan(knee.mae), np.isnan(knee.coverage)) == (0, True, True)


def test_an_angle_that_is_off_is_told_by_how_much_and_misses_its_interval(truth):
    points = truth.keypoints.copy()
    ankle, knee = points[:, 15], points[:, 13]
    turn = np.radians(20)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points[:, 15] = knee + (ankle - knee) @ rotation.T
    found = score(truth, answered(points, truth)).angles
    assert np.median(np.abs(found["left_knee"].errors)) == pytest.approx(20, abs=0.3)
    assert found["left_knee"].coverage < 0.1
    assert found["right_knee"].mae < 0.3


def test_a_response_of_another_length_is_refused(truth):
    data = answered(truth.keypoints, truth)
    shorter = replace(truth, times_s=truth.times_s[:-1])
    with pytest.raises(ValueError, match="41 frames were answered, 40 filmed"):
        score(shorter, data)


def test_points_of_a_response_are_as_measured(truth):
    data = answered(truth.keypoints, truth)
    assert points_of(data.poses_per_frame) == pytest.approx(truth.keypoints, abs=0.01)
