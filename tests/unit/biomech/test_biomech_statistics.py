"""Indices of symmetry, trends and their tests: the oracles, scipy's, and the long way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, theilslopes

from biomech.statistics import (
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
    assert trend.p == pytest.approx(0.001282, abs=1e-6)


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


def test_equal_values_have_no_trend():
    trend = mann_kendall(np.full(9, 3.0))
    assert (trend.s, trend.z, trend.p) == (0, 0.0, 1.0)


def test_two_values_are_too_few_for_a_trend():
    with pytest.raises(ValueError, match="2 values"):
        mann_kendall(np.array([1.0, 2.0]))


def autoregressive(random, rho, length):
    noise = random.standard_normal(length + 50)
    values = np.zeros(length + 50)
    for i in range(1, len(values)):
        values[i] = rho * values[i - 1] + noise[i]
    return values[50:]


def test_values_that_depend_on_the_ones_before_do_not_feign_a_trend():
    random = np.random.default_rng(12)
    corrected = plain = 0
    for _ in range(300):
        trend = mann_kendall(autoregressive(random, 0.6, 60))
        corrected += trend.p < 0.05
        plain += math.erfc(abs(trend.z) * math.sqrt(trend.correction / 2)) < 0.05
    assert plain > 0.2 * 300
    assert corrected < 0.5 * plain


def test_the_correction_is_hamed_and_raos():
    values = autoregressive(np.random.default_rng(3), 0.9, 50) + 0.05 * np.arange(50)
    n = len(values)
    rest = values - theilslopes(values, np.arange(n))[0] * np.arange(n)
    ranks = [sum(v < other for v in rest) + 1 for other in rest]
    mean = sum(ranks) / n
    power = sum((r - mean) ** 2 for r in ranks)
    total = 0.0
    for lag in range(1, n):
        rho = sum((ranks[i] - mean) * (ranks[i + lag] - mean) for i in range(n - lag)) / power
        if abs(rho) <= 1.959963984540054 / math.sqrt(n):
            break
        total += (n - lag) * (n - lag - 1) * (n - lag - 2) * rho
    expected = 1 + 2 / (n * (n - 1) * (n - 2)) * total
    assert expected > 1.5
    # The line goes through two points: which of them is then the higher, rounding decides.
    assert mann_kendall(values).correction == pytest.approx(expected, rel=5e-3)


def test_independent_values_are_not_corrected():
    assert mann_kendall(np.random.default_rng(1).standard_normal(40)).correction == 1.0


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
