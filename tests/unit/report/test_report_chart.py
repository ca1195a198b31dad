"""Curves as paths: where they are, what is left out of them, ticks."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.report import chart
from serve_app.report.chart import Mark, Series, draw, ticks

TIMES = np.linspace(0, 2, 41)
WAVE = 90 + 40 * np.sin(np.pi * TIMES)


def series(value, half=5.0):
    value = np.array(value, float)
    return Series(value, np.stack([value - half, value + half], -1))


def scale(made):
    """Value by height in the picture, from two ticks."""
    (y0, a), (y1, b) = ((y, float(label)) for y, label in (made.up[0], made.up[-1]))
    return lambda y: a + (y - y0) / (y1 - y0) * (b - a)


def points(path):
    return np.array([[float(v) for v in p] for p in re.findall(r"([\d.]+) ([\d.]+)", path)])


def test_a_line_goes_through_the_values_at_their_times():
    made = draw("t", TIMES, {"left": series(WAVE)})
    xy = points(made.curves[0].line)
    assert scale(made)(xy[:, 1]) == pytest.approx(WAVE, abs=0.15)
    assert xy[0, 0] == chart.LEFT
    assert xy[-1, 0] == chart.WIDTH - chart.RIGHT
    assert np.diff(xy[:, 0]) == pytest.approx((xy[-1, 0] - xy[0, 0]) / 40, abs=0.11)
    assert [label for _, label in made.across] == ["0", "0.5", "1", "1.5", "2"]


def test_a_band_runs_along_the_lower_ends_and_back_along_the_upper():
    made = draw("t", TIMES, {"left": series(WAVE, half=10)})
    ends = scale(made)(points(made.curves[0].band)[:, 1])
    assert ends[:41] == pytest.approx(WAVE - 10, abs=0.15)
    assert ends[41:] == pytest.approx(WAVE[::-1] + 10, abs=0.15)
    assert made.curves[0].band.endswith("Z")


def test_gaps_part_a_line_and_a_lone_value_is_a_dot():
    value = WAVE.copy()
    value[10:15] = value[16:20] = np.nan
    (curve,) = draw("t", TIMES, {"right": series(value)}).curves
    assert curve.line.count("M") == curve.band.count("Z") == 2
    assert len(points(curve.line)) == 41 - 10
    assert len(curve.dots) == 1


def test_values_without_an_interval_have_no_band():
    (curve,) = draw("t", TIMES, {"both": Series(WAVE, np.full((41, 2), np.nan))}).curves
    assert (curve.band, curve.side) == ("", "both")
    assert len(points(curve.line)) == 41


def test_of_a_long_clip_each_column_keeps_its_least_and_most():
    times = np.arange(50_000) / 30
    value = 90 + 30 * np.sin(times)
    value[23_456], value[40_001] = 175.0, 3.0
    made = draw("t", times, {"left": series(value)})
    found = scale(made)(points(made.curves[0].line)[:, 1])
    assert len(found) <= 1400
    assert (found.min(), found.max()) == pytest.approx((3, 175), abs=0.2)


def test_marks_are_at_their_times_and_those_outside_are_left_out():
    marks = (
        Mark(0.5, 0.5, "contact", "left"),
        Mark(1.0, 1.5, "flight"),
        Mark(1.9, 2.4, "flight"),
        Mark(-1.0, -1.0, "contact", "right"),
    )
    made = draw("t", TIMES, {"left": series(WAVE)}, marks)
    span = chart.WIDTH - chart.LEFT - chart.RIGHT
    assert [(m.x, m.width, m.side) for m in made.marks] == [
        (pytest.approx(chart.LEFT + span / 4, abs=0.06), 0.0, "left"),
        (pytest.approx(chart.LEFT + span / 2, abs=0.06), pytest.approx(span / 4, abs=0.06), None),
    ]


def test_where_nothing_is_known_there_is_no_chart():
    assert draw("t", TIMES, {"left": series(np.full(41, np.nan))}) is None
    assert draw("t", TIMES, {}) is None


@pytest.mark.parametrize("value", [[90.0], [90.0, 90.0]])
def test_a_single_picture_and_a_level_line_have_a_chart(value):
    made = draw("t", np.arange(len(value)) / 30, {"left": series(value, half=0)})
    assert made.up
    assert len(made.curves[0].dots) == (len(value) == 1)


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
def test_ticks_are_few_round_and_inside(low, span):
    found = ticks(low, low + span)
    assert len(found) <= 7
    assert all(low - 1e-3 * span <= t <= low + span * 1.001 for t in found)
    steps = np.diff(found)
    if len(steps):
        assert steps == pytest.approx(steps[0], rel=1e-3, abs=2e-6)
        assert f"{steps[0]:.0e}"[0] in "125"
