"""Noise of a clip: its level, how long it lasts, and intervals that hold the truth as often."""

import math

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig, Subject
from biomech.kinematics.person_metrics import person_metrics
from biomech.preprocessing.filters import lowpass, noise_gains
from biomech.preprocessing.noise import noise_of
from tests.support.autoregression import autoregressive
from tests.support.stick_figure import from_the_side, seen

RATES = (30.0, 120.0)
CORRELATIONS = (0.0, 0.3, 0.6, 0.8, 0.9)
WIDE = (2000, 2000)
LEVEL = 3.0


def figure(movement, times_s):
    """(f, 17, 2) of somebody large in the picture who stands, or squats."""
    still = np.zeros(len(times_s))
    bend = still if movement == "still" else 50 - 50 * np.cos(2 * np.pi * times_s / 2.5)
    xy = from_the_side(
        lean=0.3 * bend, hip=30 + 0.8 * bend, knee=40 + 0.8 * bend, shoulder=30 + still,
        elbow=60 + still,
    )  # fmt: skip
    return 2.0 * xy


def noisy(movement, rate, correlation, seconds, seed):
    times = np.arange(0, seconds, 1 / rate)
    true = figure(movement, times)
    random = np.random.default_rng(seed)
    return times, true, true + LEVEL * autoregressive(random, correlation, true.shape)


def metrics(times, xy, sigma):
    track = seen(xy, times_s=times, sigma=sigma, size=WIDE)
    return person_metrics(track, BiomechanicsConfig(), Subject(), 0.0)


@pytest.mark.parametrize("told", [LEVEL, LEVEL / 2], ids=["told right", "told half"])
@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("movement", ["still", "squat"])
def test_nominal_95_percent_hold_the_truth_in_90_to_98_of_100_frames(
    movement, rate, correlation, told
):
    held = []
    for seed in (1, 2):
        times, true, xy = noisy(movement, rate, correlation, 20.0 if rate < 60 else 10.0, seed)
        found, truth = metrics(times, xy, told), metrics(times, true, told)
        assert found.points.noise.inflation == pytest.approx(LEVEL / told, rel=0.15)
        for name, angle in found.joint_angles.items():
            low, high = angle.interval().T
            value = truth.joint_angles[name].value
            held.append(((low <= value) & (value <= high))[np.isfinite(low)].mean())
    assert 0.90 <= np.mean(held) <= 0.98


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("rate", RATES)
def test_level_and_correlation_are_found_again(rate, correlation):
    times, _, xy = noisy("still", rate, correlation, 30.0, 4)
    smooth, _ = lowpass(times, xy, 6.0, 0.2)
    noise = noise_of(xy, smooth, np.full(xy.shape, LEVEL), 6.0, rate)
    assert noise.correlation == pytest.approx(correlation, abs=0.05)
    assert np.median(noise.level_px) == pytest.approx(LEVEL, rel=0.12)


def test_each_point_has_its_own_level():
    times, true, xy = noisy("still", 30.0, 0.5, 30.0, 5)
    xy[:, 9] += 2 * (xy[:, 9] - true[:, 9])
    smooth, _ = lowpass(times, xy, 6.0, 0.2)
    noise = noise_of(xy, smooth, np.full(xy.shape, LEVEL), 6.0, 30.0)
    others = np.delete(noise.level_px, 9)
    assert noise.level_px[9] == pytest.approx(3 * np.median(others), rel=0.15)
    assert noise.inflation == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize(("cutoff", "rate"), [(6.0, 30.0), (6.0, 120.0), (10.0, 60.0)])
def test_the_gains_are_those_of_filtered_noise(cutoff, rate, correlation):
    series = autoregressive(np.random.default_rng(6), correlation, (20_000, 4, 1))
    times = np.arange(len(series)) / rate
    smooth, _ = lowpass(times, series, cutoff, 0.2)
    gains, taken = noise_gains(cutoff, rate, correlation), series - smooth
    assert taken.std() == pytest.approx(gains.taken, rel=0.03)
    assert smooth.std() == pytest.approx(gains.passed, rel=0.03)
    assert np.gradient(smooth, times, axis=0).std() == pytest.approx(gains.speed, rel=0.03)
    beside = np.mean(taken[1:] * taken[:-1]) / np.mean(taken**2)
    assert beside == pytest.approx(gains.neighbours, abs=0.02)
    upward = ((smooth[:-1] < 0) & (smooth[1:] >= 0)).mean() * rate
    assert upward == pytest.approx(gains.crossings_hz, rel=0.06)


def test_sure_deviations_are_inflated_and_wide_ones_not_deflated():
    times, _, xy = noisy("still", 30.0, 0.0, 20.0, 7)
    for sigma, expected in ((1.5, 2.0), (6.0, 1.0)):
        assert metrics(times, xy, sigma).points.noise.inflation == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("frames", [12, 29])
def test_of_a_short_clip_neither_correlation_nor_credit_for_smoothing_is_told(frames):
    times, _, xy = noisy("still", 30.0, 0.0, frames / 30, 8)
    made = metrics(times, xy, LEVEL).points
    assert math.isnan(made.noise.correlation)
    assert made.noise.passed == 1.0
    assert made.noise.swing(3.0, 60.0) == 0.0
    assert np.array_equal(made.curve_sigma, made.sigma)
    # Of speeds, and of what the filter took, it is taken as white.
    white = noise_gains(6.0, 30.0)
    expected = 1.4826 / white.taken * white.speed
    assert made.noise.speed_sd(np.ones(9)) == pytest.approx(expected)


def test_points_without_noise_tell_nothing_of_it():
    times = np.arange(0, 8, 1 / 30)
    for decimals in (1, 2, 12):
        made = metrics(times, np.round(figure("squat", times), decimals), LEVEL).points
        assert not made.noise.known
        assert np.array_equal(made.curve_sigma, np.full(made.sigma.shape, LEVEL))


def test_too_little_to_compare_inflates_nothing():
    xy = np.full((2, 17, 2), 9.0)
    assert noise_of(xy, 0 * xy, np.ones(xy.shape), None, 30.0).inflation == 1.0
    assert noise_of(xy, 0 * xy, np.zeros(xy.shape), 6.0, 30.0).inflation == 1.0
