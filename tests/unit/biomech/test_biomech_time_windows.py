"""Windows and derivatives on true time stamps, against loops that do the same the slow way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biomech import time_windows
from biomech.time_windows import Windows, lasting, percentile, ratio, velocity


@st.composite
def series(draw):
    """Ascending time stamps of a variable frame rate, and values of which some are missing."""
    steps = draw(arrays(np.float64, st.integers(1, 40), elements=st.floats(0.001, 0.4)))
    values = arrays(np.float64, len(steps), elements=st.floats(-1e3, 1e3) | st.just(np.nan))
    return np.cumsum(steps), draw(values)


def inside(times, values, i, width):
    """The values there within half of ``width`` of frame ``i``, with their times."""
    near = (np.abs(times - times[i]) <= width / 2 + 1e-6) & np.isfinite(values)
    return times[near], values[near]


@settings(deadline=None)
@given(series(), st.floats(0, 2))
def test_windows_gather_what_lies_within_half_their_width(data, width):
    times, values = data
    windows = Windows.of(times, width)
    for i in range(len(times)):
        at, some = inside(times, values, i, width)
        assert windows.sum(values)[i] == pytest.approx(some.sum(), abs=1e-8)
        expected = (
            [np.quantile(some, 0.1), np.median(some), some.mean(), some.std(), np.ptp(at)]
            if len(some)
            else [np.nan] * 5
        )
        results = (
            windows.quantile(values, 0.1),
            windows.median(values),
            windows.mean(values),
            windows.deviation(values),
            windows.span_s(times, values),
        )
        # A deviation is the root of a difference, which keeps half of the digits.
        for result, wanted in zip(results, expected, strict=True):
            assert result[i] == pytest.approx(wanted, abs=1e-4, nan_ok=True)


def test_frames_on_the_edge_are_inside_whatever_their_rounding():
    times = np.arange(91) / 30.0
    windows = Windows.of(times, 1.0)
    assert (windows.stop - windows.start)[15:-15].tolist() == [31] * 61
    assert (windows.stop - windows.start)[[0, -1]].tolist() == [16, 16]


def test_windows_of_nothing_are_empty():
    windows = Windows.of(np.empty(0), 1.0)
    assert windows.median(np.empty(0)).shape == windows.mean(np.empty(0)).shape == (0,)


def test_the_median_is_the_same_in_chunks(monkeypatch):
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 10, 500))
    values = np.where(rng.uniform(size=500) < 0.2, np.nan, rng.normal(size=500))
    whole = Windows.of(times, 0.7).median(values)
    monkeypatch.setattr(time_windows, "_CELLS", 100)
    assert np.array_equal(Windows.of(times, 0.7).median(values), whole, equal_nan=True)


def test_a_deviation_keeps_its_digits_far_from_zero():
    values = 1e6 + np.tile([1.0, -1.0], 50)
    windows = Windows.of(np.arange(100) / 30.0, 1e3)
    assert windows.deviation(values) == pytest.approx(np.ones(100), abs=1e-9)


@settings(deadline=None)
@given(series())
def test_velocity_is_numpys_gradient_within_each_run(data):
    times, values = data
    expected = np.full(len(values), np.nan)
    there = np.flatnonzero(np.isfinite(values))
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
        if len(run) > 1:
            expected[run] = np.gradient(values[run], times[run])
    assert velocity(times, values) == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


def test_velocity_of_a_parabola_is_exact_at_a_variable_frame_rate():
    times = np.cumsum(np.random.default_rng(2).uniform(0.01, 0.08, 60))
    speed = velocity(times, 3 * times**2 - 5 * times)
    assert speed[1:-1] == pytest.approx(6 * times[1:-1] - 5)


def test_index_instead_of_time_would_be_wrong():
    # Half of the frames of a walk at constant speed were dropped, as phones do in the dark.
    times = np.concatenate([np.arange(30) / 30.0, 1.0 + np.arange(15) / 15.0])
    assert velocity(times, 200 * times) == pytest.approx(np.full(45, 200.0))


def test_velocity_of_points_is_by_coordinate():
    times = np.array([0.0, 0.1, 0.3])
    slopes = np.array([[1.0, -2.0], [0.5, 0.0]])  # of two points along x and y
    assert velocity(times, 7.0 + times[:, None, None] * slopes) == pytest.approx(
        np.broadcast_to(slopes, (3, 2, 2))
    )


@pytest.mark.parametrize(
    ("times", "values", "expected"),
    [
        ([0.0], [1.0], [np.nan]),
        ([0.0, 1.0, 2.0], [np.nan, 5.0, np.nan], [np.nan] * 3),
        ([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, np.nan, 4.0], [1.0, 1.0, np.nan, np.nan]),
        ([0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 5.0, 6.0], [1.0, 1.0, 1.0, 1.0]),
        ([0.0, 1.0, 0.5], [0.0, 1.0, 2.0], [1.0, 1.0, np.nan]),
        ([3.0, 3.0], [0.0, 1.0], [np.nan, np.nan]),
    ],
    ids=["one frame", "alone", "cut", "repeated time", "falling time", "no time"],
)
def test_velocity_needs_two_neighbours_in_time(times, values, expected):
    result = velocity(np.array(times), np.array(values))
    assert result == pytest.approx(np.array(expected), nan_ok=True)


def test_percentile_is_of_what_is_there():
    values = np.array([np.nan, 1.0, 2.0, 3.0, np.nan])
    assert percentile(values, 50) == 2.0
    assert percentile(values, 95) == pytest.approx(2.9)
    assert np.isnan(percentile(np.array([np.nan]), 95))


@pytest.mark.parametrize("rate", [30.0, 60.0, 240.0])
def test_extremes_that_last_are_those_of_a_tenth_of_a_second(rate):
    """(F3)"""
    frames = round(0.1 * rate)
    moving = np.concatenate([np.full(frames, 100.0), np.full(frames - 1, -50.0), [np.nan]])
    for still in (10, 1000, 100_000):
        assert lasting(np.concatenate([np.zeros(still), moving]), rate) == (0.0, 100.0)


def test_extremes_of_few_values_are_theirs():
    assert np.isnan(lasting(np.array([np.nan]), 30.0)).all()
    assert lasting(np.array([3.0]), 240.0) == (3.0, 3.0)
    assert lasting(np.array([3.0, 1.0, 2.0]), float("nan")) == (1.0, 3.0)
    assert lasting(np.array([4.0, 1.0, 2.0]), 240.0) == (2.0, 2.0)


def test_a_ratio_to_nothing_is_unknown():
    over = np.array([1.0, 0.0, 4.0, 1.0])
    under = np.array([0.0, 0.0, 2.0, np.nan])
    assert ratio(over, under) == pytest.approx(np.array([np.nan, np.nan, 2.0, np.nan]), nan_ok=True)
