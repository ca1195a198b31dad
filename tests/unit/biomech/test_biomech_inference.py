"""Indices of symmetry, trends and their tests: the oracles, scipy's, and the long way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, theilslopes
from scipy.stats import t as student

from biomech.statistics.inference import (
    detectable_change,
    difference_error,
    half_width,
    holm,
    limb_symmetry,
    mann_kendall,
    symmetry_angle,
    symmetry_index,
    theil_sen,
)
from tests.support.autoregression import autoregressive

FATIGUE = np.array([92.1, 91.4, 91.9, 90.2, 90.8, 89.5, 89.9, 88.7, 88.1, 88.4])
EVERY_3_S = np.arange(0, 28, 3.0)

series = st.lists(st.integers(-4, 4).map(float), min_size=3, max_size=25).map(np.array)
positive = st.floats(0.01, 1e4)


def test_the_oracle_of_the_sides():
    assert symmetry_index(58, 52) == pytest.approx(-10.909091, abs=1e-6)
    assert symmetry_angle(58, 52) == pytest.approx(-3.469034, abs=1e-6)
    assert limb_symmetry(52, 58) == pytest.approx(89.655172, abs=1e-6)


@given(left=positive, right=positive, scale=st.floats(0.01, 100))
def test_indices_turn_with_the_sides_and_have_no_unit(left, right, scale):
    for index, size in ((symmetry_index, 200.0), (symmetry_angle, 50.0)):
        value = index(left, right)
        assert value == pytest.approx(-index(right, left), abs=1e-6)
        assert value == pytest.approx(index(scale * left, scale * right), abs=1e-6)
        assert abs(value) <= size
        assert (value > 0) == (right > left)


def test_sides_that_are_nothing_have_no_index():
    assert math.isnan(symmetry_index(0, 0))
    assert math.isnan(symmetry_angle(0, 0))
    assert math.isnan(limb_symmetry(3, 0))


@pytest.mark.parametrize(("error", "change"), [(2.72, 7.5394), (3.01, 8.3433), (3.2, 8.87)])
def test_the_detectable_change_is_that_of_the_literature(error, change):
    assert detectable_change(error) == pytest.approx(change, abs=5e-3)


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_intervals_of_few_values_hold_the_truth_in_95_of_100_draws(n, spread):
    draws = np.random.default_rng(n).normal(0, 1, (4000, 2, n)) * np.array([[1.0], [spread]])
    mean_held = difference_held = 0
    for one, other in draws:
        mean_held += abs(one.mean()) <= half_width(float(one.std(ddof=1)), n)
        _, half = difference_error((float(one.std(ddof=1)), float(other.std(ddof=1))), (n, n))
        difference_held += abs(one.mean() - other.mean()) <= half
    assert 0.94 <= mean_held / len(draws) <= 0.96
    assert 0.94 <= difference_held / len(draws) <= 0.99


def test_a_single_value_has_no_interval_and_equal_values_one_without_width():
    assert math.isnan(half_width(math.nan, 1))
    assert np.isnan(difference_error((math.nan, 1.0), (1, 5))).all()
    assert difference_error((0.0, 0.0), (3, 4)) == (0.0, 0.0)


def test_the_oracle_of_the_trend():
    slope = theil_sen(EVERY_3_S, FATIGUE)
    assert (slope.slope, slope.low, slope.high) == pytest.approx(
        (-0.157143, -0.2, -0.108333), abs=1e-6
    )
    trend = mann_kendall(FATIGUE)
    assert trend.s == -37
    assert trend.z == pytest.approx(-3.219938, abs=1e-6)
    # Student's t of 7 degrees of freedom: the normal distribution would give 0.001282.
    assert (trend.correction, trend.freedom) == (1.0, 7.0)
    assert trend.p == pytest.approx(0.014655, abs=1e-6)


@given(series)
def test_the_slope_is_scipys(values):
    times = np.sqrt(np.arange(len(values)))
    theirs = theilslopes(values, times, alpha=0.95)
    ours = theil_sen(times, values)
    assert (ours.slope, ours.intercept, ours.low, ours.high) == pytest.approx(tuple(theirs))


@pytest.mark.parametrize("times", [[1.0], [2.0, 2.0, 2.0]])
def test_points_at_one_time_have_no_slope(times):
    with pytest.raises(ValueError, match="two times"):
        theil_sen(np.array(times), np.ones(len(times)))


@given(series)
def test_the_statistic_is_the_sum_over_pairs(values):
    n = len(values)
    pairs = sum(int(np.sign(values[j] - values[i])) for i in range(n) for j in range(i + 1, n))
    assert mann_kendall(values).s == pairs


@given(series.filter(lambda v: len(set(v.tolist())) > 1))
def test_without_continuity_and_dependence_the_test_is_kendalls(values):
    trend = mann_kendall(values)
    if trend.s == 0:
        assert (trend.z, trend.p) == (0.0, 1.0)
        return
    n = len(values)
    ties = [values.tolist().count(v) for v in set(values.tolist())]
    sigma = math.sqrt(
        (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    )
    z = (abs(trend.z) * sigma * math.sqrt(trend.correction) + 1) / sigma
    theirs = kendalltau(np.arange(n), values, method="asymptotic").pvalue
    assert math.erfc(z / math.sqrt(2)) == pytest.approx(theirs, rel=1e-6)
    assert trend.p == pytest.approx(2 * student.sf(abs(trend.z), trend.freedom))


def test_equal_values_have_no_trend():
    trend = mann_kendall(np.full(9, 3.0))
    assert (trend.s, trend.z, trend.p) == (0, 0.0, 1.0)


def test_two_values_are_too_few_for_a_trend():
    with pytest.raises(ValueError, match="2 values"):
        mann_kendall(np.array([1.0, 2.0]))


@pytest.mark.parametrize("n", [20, 25, 60])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_values_that_depend_on_the_ones_before_do_not_feign_a_trend(n, rho):
    random = np.random.default_rng(round(100 * rho) + n)
    times = np.arange(n, dtype=float)
    draws, found, held = 600, 0, 0
    for _ in range(draws):
        values = autoregressive(random, rho, n)
        trend = mann_kendall(values)
        slope = theil_sen(times, values, trend)
        found += trend.p < 0.05
        held += not (slope.low > 0 or slope.high < 0)
    assert found / draws <= 0.07
    assert held / draws >= 0.93


@pytest.mark.parametrize(("rho", "least"), [(0.0, 0.95), (0.3, 0.7)])
def test_a_trend_of_three_deviations_is_found_in_forty_values(rho, least):
    random = np.random.default_rng(7)
    drift = 3 * np.arange(40) / 40
    found = [mann_kendall(autoregressive(random, rho, 40) + drift).p < 0.05 for _ in range(200)]
    assert np.mean(found) >= least


def test_the_interval_of_a_slope_is_as_much_wider_as_the_variance_is():
    values = autoregressive(np.random.default_rng(3), 0.6, 60)
    times, trend = np.arange(60.0), mann_kendall(values)
    assert trend.correction > 1.5
    plain, wide = theil_sen(times, values), theil_sen(times, values, trend)
    reach = student.ppf(0.975, trend.freedom) / 1.959964 * math.sqrt(trend.correction)
    assert wide.slope == plain.slope
    assert (wide.high - wide.low) / (plain.high - plain.low) == pytest.approx(reach, rel=0.1)


def test_a_slope_of_values_that_all_but_repeat_has_no_interval():
    values = np.abs(np.arange(20) - 9.5) + np.random.default_rng(4).normal(0, 0.1, 20)
    slope = theil_sen(np.arange(20.0), values, mann_kendall(values))
    assert np.isnan([slope.low, slope.high]).all()
    assert math.isfinite(slope.slope)


def test_the_correction_is_hamed_and_raos():
    values = autoregressive(np.random.default_rng(3), 0.7, 50) + 0.05 * np.arange(50)
    n = len(values)
    rest = values - theilslopes(values, np.arange(n))[0] * np.arange(n)
    ranks = [sum(v < other for v in rest) + 1 for other in rest]
    mean = sum(ranks) / n
    power = sum((r - mean) ** 2 for r in ranks)
    rho = sum((ranks[i] - mean) * (ranks[i + 1] - mean) for i in range(n - 1)) / power
    rho = (n * rho + 2) / (n - 4)  # what the fitted line took away
    assert 0.3 < rho < 0.95
    total = sum((n - k) * (n - k - 1) * (n - k - 2) * rho**k for k in range(1, n))
    expected = 1 + 2 / (n * (n - 1) * (n - 2)) * total
    # The line goes through two points: which of them is then the higher, rounding decides.
    assert mann_kendall(values).correction == pytest.approx(expected, rel=5e-3)


def test_values_that_alternate_do_not_narrow_the_variance():
    values = np.random.default_rng(1).standard_normal(40) + 3 * (-1.0) ** np.arange(40)
    assert mann_kendall(values).correction == 1.0


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.2], [0.2]),
        ([], []),
    ],
    ids=["Holm's", "no more than 1", "one", "none"],
)
def test_p_values_of_several_tests(p, adjusted):
    assert holm(p) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_helps_a_p_value_and_keeps_their_order(p):
    adjusted = holm(p)
    assert all(a >= raw for a, raw in zip(adjusted, p, strict=True))
    assert min(adjusted) <= len(p) * min(p) + 1e-12
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
