"""Dynamic time warping: the oracle, and against a plain double loop over all ways."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biomech.statistics.dynamic_time_warping import dtw, timing

S = np.linspace(0, 1, 101)
SQUAT = (10 + 80 * np.sin(np.pi * S) ** 2)[:, None]
TEN = np.array([10.0])

curve = st.integers(1, 9).flatmap(
    lambda n: arrays(np.float64, (n, 2), elements=st.floats(-50, 50, width=32))
)


def cheapest(a, b, tolerance, reach):
    """Sum of costs of the cheapest way, by the recursion as it is written in textbooks."""
    total = {(0, 0): 0.0}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            if abs(i - j) > reach:
                continue
            apart = math.sqrt(
                sum(
                    ((x - y) / t) ** 2
                    for x, y, t in zip(a[i - 1], b[j - 1], tolerance, strict=True)
                )
                / len(tolerance)
            )
            before = [total.get(k, math.inf) for k in ((i - 1, j - 1), (i - 1, j), (i, j - 1))]
            total[i, j] = apart + min(before)
    return total[len(a), len(b)]


@pytest.mark.parametrize(
    ("other", "norm"),
    [
        (10 + 80 * np.sin(np.pi * S**1.3) ** 2, 0.047129),
        (10 + 60 * np.sin(np.pi * S) ** 2, 0.394353),
    ],
    ids=["other pace", "shallower"],
)
def test_the_oracle(other, norm):
    for a, b in ((SQUAT, other[:, None]), (other[:, None], SQUAT)):
        assert dtw(a, b, TEN).norm == pytest.approx(norm, abs=1e-6)


@given(a=curve, b=curve, band=st.floats(0, 1))
def test_the_way_is_the_cheapest_and_its_cost_is_that_of_its_points(a, b, band):
    tolerance = np.array([10.0, 4.0])
    reach = max(math.ceil(band * max(len(a), len(b))), abs(len(a) - len(b)))
    warp = dtw(a, b, tolerance, band)
    i, j = warp.path.T
    costs = np.sqrt((((a[i] - b[j]) / tolerance) ** 2).mean(1))
    assert costs.sum() == pytest.approx(cheapest(a, b, tolerance, reach), abs=1e-9)
    assert warp.norm == pytest.approx(costs.mean(), abs=1e-12)
    assert warp.path[0].tolist() == [0, 0]
    assert warp.path[-1].tolist() == [len(a) - 1, len(b) - 1]
    assert {tuple(step) for step in np.diff(warp.path, axis=0).tolist()} <= {(1, 1), (1, 0), (0, 1)}
    assert np.abs(i - j).max() <= reach


@given(curve)
def test_a_curve_lies_over_itself_straight(a):
    warp = dtw(a, a, np.array([1.0, 1.0]))
    assert warp.norm == 0
    assert timing(warp.path, len(a)) == 0


def test_a_later_movement_is_matched_and_its_delay_told():
    late = np.roll(np.pad(SQUAT[::2], ((25, 25), (0, 0)), mode="edge"), 5, axis=0)
    early = np.pad(SQUAT[::2], ((25, 25), (0, 0)), mode="edge")
    warp = dtw(early, late, TEN)
    assert warp.norm < 1e-9
    moving = (warp.path[:, 0] > 27) & (warp.path[:, 0] < 73)
    assert np.diff(warp.path[moving], axis=1).ravel().tolist() == [5] * int(moving.sum())


def test_the_band_keeps_what_is_far_apart_in_time_apart():
    early, late = SQUAT, np.roll(SQUAT, 40, axis=0)
    assert dtw(early, late, TEN, 0.05).norm > 2 * dtw(early, late, TEN, 0.5).norm


@pytest.mark.parametrize("a", [np.empty((0, 1)), np.array([[1.0], [np.nan]])])
def test_curves_that_are_not_known_throughout_are_refused(a):
    with pytest.raises(ValueError, match="known throughout"):
        dtw(a, SQUAT, TEN)
