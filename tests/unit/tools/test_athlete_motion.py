"""Movements: repetitions, flight, and nothing impossible."""

import numpy as np
import pytest

from tools.athlete.body import SIDES, Shape, stand
from tools.athlete.motion import GRAVITY, MOVEMENTS, Style, freely

TIMES = np.arange(0, 6.0001, 1 / 60)


@pytest.mark.parametrize("name", MOVEMENTS)
@pytest.mark.parametrize("seed", range(5))
def test_angles_are_finite_and_within_what_joints_do(name, seed):
    style = Style.sample(np.random.default_rng(seed))
    angles = MOVEMENTS[name](TIMES, style).angles
    for side in SIDES:
        assert angles[f"{side}_knee_flexion"].min() >= -1e-9
        assert angles[f"{side}_knee_flexion"].max() < 160
        assert angles[f"{side}_elbow_flexion"].min() >= 0
    assert all(np.isfinite(values).all() for values in angles.values())


@pytest.mark.parametrize("name", ["squat", "lunge", "arm_raise"])
@pytest.mark.parametrize("period_s", [1.2, 2.0, 3.0])
def test_whole_repetitions_are_counted_and_each_bends_once(name, period_s):
    movement = MOVEMENTS[name](TIMES, Style(period_s=period_s))
    driver = {"squat": "left_knee_flexion", "lunge": "left_knee_flexion"}.get(
        name, "left_shoulder_abduction"
    )
    bend = movement.angles[driver]
    tops = ((bend[1:-1] > bend[:-2]) & (bend[1:-1] >= bend[2:])).sum()
    assert movement.repetitions == int(6 / period_s + 1e-6)
    assert tops in (movement.repetitions, movement.repetitions + 1)


def test_a_jump_flies_on_a_parabola_and_lands_again():
    movement = MOVEMENTS["jump"](TIMES, Style(period_s=2.0, depth=1.0))
    flight = movement.lift > 0
    assert flight.any()
    assert movement.lift[[0, -1]].max() < 1e-9
    first = np.flatnonzero(flight)[0]
    run = slice(first, first + np.flatnonzero(~flight[first:])[0])
    inner = movement.lift[run]
    fall = np.diff(inner, 2) * 60**2
    assert fall == pytest.approx(-GRAVITY, rel=0.02)
    assert movement.repetitions == 2


@pytest.mark.parametrize("name", ["gait", "run"])
def test_legs_move_against_one_another_and_the_body_travels(name):
    movement = MOVEMENTS[name](TIMES, Style(heading=90.0))
    left, right = (movement.angles[f"{side}_hip_flexion"] for side in SIDES)
    assert np.corrcoef(left, right)[0, 1] < -0.5
    assert np.ptp(movement.at[:, 1]) > 1
    assert np.ptp(movement.at[:, 0]) < 1e-9


def test_free_movements_cover_the_ranges_and_stand_on_the_ground():
    random = np.random.default_rng(1)
    knees = []
    for _ in range(200):
        movement = freely(np.array([0.3]), Style.sample(random), random)
        knees.append(movement.angles["left_knee_flexion"][0])
        body = stand(movement.angles, Shape())
        assert body.keypoints[0, :, 2].min() > -1e-9
    assert min(knees) < 15
    assert max(knees) > 100
