"""Smoothness: published values, and what must not change it."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomech.scores.smoothness import ldlj, sparc


def reach(n=101):
    """Speeds of a movement of least jerk over a second."""
    s = np.linspace(0, 1, n)
    return 30 * s**2 * (1 - s) ** 2


def with_stops(count, n=401):
    """The movement in so many pieces, each begun and ended at rest."""
    s = np.linspace(0, 1, n)
    return np.abs(np.sin(count * np.pi * s)) ** 2


def test_the_oracle_of_the_bell():
    bell = np.exp(-5 * np.arange(-1, 1, 0.01) ** 2)
    assert sparc(bell, 100) == pytest.approx(-1.414031, abs=1e-6)
    assert ldlj(bell, 100) == pytest.approx(-5.816357, abs=1e-6)


def test_the_oracle_of_least_jerk():
    assert sparc(reach(), 100) == pytest.approx(-1.405829, abs=1e-6)
    assert ldlj(reach(), 100) == pytest.approx(-5.301633, abs=1e-6)


def test_the_jerk_of_fine_steps_is_that_of_the_integral():
    limit = -math.log(720 / 1.875**2)
    apart = [abs(ldlj(reach(n), n - 1) - limit) for n in (101, 1001, 10_001)]
    assert apart[0] > apart[1] > apart[2]
    assert apart[2] < 5e-4


@given(st.floats(1e-3, 1e3))
def test_how_fast_the_movement_is_does_not_change_its_smoothness(scale):
    for measure in (sparc, ldlj):
        assert measure(scale * reach(), 100) == pytest.approx(measure(reach(), 100), rel=1e-6)


@pytest.mark.parametrize("measure", [sparc, ldlj])
def test_a_movement_in_pieces_is_less_smooth(measure):
    values = [measure(with_stops(count), 100) for count in (1, 2, 4, 8)]
    assert all(b < a for a, b in pairwise(values))


def test_the_arc_is_that_of_the_spectrum_by_the_sum_of_its_definition():
    speed, rate = reach(61), 60.0
    size = 64 * 16
    n = np.arange(len(speed))
    f = [k * rate / size for k in range(size) if k * rate / size <= 10.0]
    amplitude = [abs(np.sum(speed * np.exp(-2j * np.pi * h * n / rate))) for h in f]
    amplitude = [a / max(amplitude) for a in amplitude]
    last = max(i for i, a in enumerate(amplitude) if a >= 0.05)
    total = sum(
        math.hypot((f[i + 1] - f[i]) / f[last], amplitude[i + 1] - amplitude[i])
        for i in range(last)
    )
    assert sparc(speed, rate) == pytest.approx(-total, abs=1e-9)


@pytest.mark.parametrize("speed", [[], [1.0], [0.0] * 20], ids=["none", "one", "at rest"])
def test_nothing_has_no_smoothness(speed):
    assert math.isnan(sparc(np.array(speed), 100))
    assert math.isnan(ldlj(np.array(speed), 100))


def test_an_even_speed_has_no_jerk():
    assert math.isnan(ldlj(np.ones(20), 100))
