"""Flexions with the whole turns that belong to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomech.joints import joint_of
from biomech.kinematics.curves import whole_turns
from biomech.kinematics.geometry import ANGLES, wrap

NAMES = sorted(ANGLES)


def turned(name, degrees, max_gap_s=0.2):
    degrees = np.asarray(degrees, float)
    return whole_turns(name, degrees, np.arange(len(degrees)) / 30, max_gap_s)


@given(
    name=st.sampled_from(NAMES),
    way=st.lists(st.floats(0, 1), min_size=2, max_size=12),
)
def test_what_a_joint_can_do_is_told_as_it_is(name, way):
    low, high = joint_of(name).motion_deg
    # Not near its ends: which turn a run of an arm is of, its median says.
    true = low + (high - low) * (0.3 + 0.4 * np.asarray(way))
    assert turned(name, wrap(true)) == pytest.approx(true)


@given(
    name=st.sampled_from([n for n in NAMES if n.endswith(("knee", "hip"))]),
    degrees=st.lists(st.floats(-180, 180), min_size=1, max_size=30),
)
def test_a_hinge_has_one_value_or_none_whatever_it_seems_to_do(name, degrees):
    """Neither winds up, nor bends as no joint does (V2)."""
    low, high = joint_of(name).possible_deg
    told = turned(name, degrees)
    known = np.isfinite(told)
    assert wrap(told - degrees)[known] == pytest.approx(0, abs=1e-9)
    assert ((low <= told) & (told <= high))[known].all()
    assert [d for d in np.array(degrees)[~known] if low < d < high] == []


@given(degrees=st.lists(st.floats(-180, 180), min_size=1, max_size=30))
def test_an_elbow_has_no_sign(degrees):
    """One camera does not see about which way the upper arm is turned (V2)."""
    told = turned("left_elbow", degrees)
    size = np.abs(degrees)
    assert told == pytest.approx(np.where(size <= 165, size, np.nan), nan_ok=True)


def test_an_arm_goes_round_without_a_jump():
    true = np.arange(0.0, 720.0, 10.0) - 360.0
    assert np.diff(turned("left_shoulder", wrap(true))) == pytest.approx(10.0)


def test_runs_of_an_arm_are_each_within_the_usual_turn():
    true = np.array([170.0, 178.0, 186.0, np.nan, np.nan, 186.0, 178.0, 170.0])
    told = turned("right_shoulder", wrap(true))
    assert told[[0, 1, 2, 5, 6, 7]] == pytest.approx(true[[0, 1, 2, 5, 6, 7]])
    assert np.isnan(told[3:5]).all()


@given(side=st.sampled_from([-1, 1]), noise=st.lists(st.floats(-4, 4), min_size=26, max_size=26))
def test_an_arm_that_points_at_the_camera_on_its_way_is_above_when_it_is_raised(side, noise):
    """Down, past the camera before or behind the shoulder, up, and back."""
    on_its_way = [30.0, 60.0, 100.0, 140.0]
    true = np.array([0.0] * 6 + on_its_way + [180.0] * 6 + on_its_way[::-1] + [0.0] * 6)
    told = turned("left_shoulder", wrap(side * true + noise))
    assert told[10:16] == pytest.approx(180, abs=25)
    assert told[[*range(6), *range(20, 26)]] == pytest.approx(0, abs=5)
    assert told.min() >= -72
    assert told.max() <= 192
    assert np.abs(np.diff(told)).max() < 181
