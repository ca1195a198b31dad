"""Filters: gains of the corrected design, no phase, uneven times, short runs."""

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from biomech.preprocessing.filters import (
    MIN_SAMPLES,
    design_cutoff,
    is_even,
    lowpass,
    noise_gains,
    rate_of,
    residual_cutoffs,
)

GAP_S = 0.2


def filtered(times, values, cutoff=6.0):
    """One series through the low-pass."""
    smooth, done = lowpass(times, values[:, None, None], cutoff, GAP_S)
    return smooth[:, 0, 0], done[:, 0]


def response(hertz, fps, cutoff):
    """Gain and phase (degrees) of the low-pass for a long sine, far from its ends."""
    times = np.arange(round(40 * fps)) / fps
    smooth, _ = filtered(times, np.sin(2 * np.pi * hertz * times), cutoff)
    middle = slice(round(10 * fps), round(30 * fps))  # whole periods of every tenth of a hertz
    carrier = np.exp(-2j * np.pi * hertz * times[middle])
    amplitude = 2j * np.mean(smooth[middle] * carrier)
    return abs(amplitude), np.degrees(np.angle(amplitude))


@pytest.mark.parametrize(
    ("fps", "cutoff", "design"),
    [
        (25, 6, 6.873980), (30, 6, 7.027534), (50, 6, 7.296540), (60, 6, 7.349544),
        (120, 6, 7.445405), (240, 6, 7.470540),
        (30, 10, 10.857932), (60, 10, 11.913809), (120, 10, 12.312877),
    ],
)  # fmt: skip
def test_the_design_is_corrected_in_the_warped_domain(fps, cutoff, design):
    assert design_cutoff(cutoff, fps) == pytest.approx(design, abs=5e-7)


@pytest.mark.parametrize(
    ("hertz", "gain"),
    [(1, 0.999720), (3, 0.977148), (6, 0.707107), (10, 0.194958), (12, 0.088064)],
)
def test_gains_are_the_oracles_and_there_is_no_phase(hertz, gain):
    found, phase = response(hertz, 60, 6.0)
    assert found == pytest.approx(gain, abs=5e-7)
    assert abs(phase) < 1e-6


@given(
    n=st.integers(MIN_SAMPLES, 300),
    fps=st.floats(15, 240),
    share=st.floats(0.02, 0.4),
    seed=st.integers(0, 99),
)
def test_both_passes_are_scipys(n, fps, share, seed):
    walk = np.random.default_rng(seed).normal(0, 1, (n, 3)).cumsum(0)
    sections = scipy.signal.butter(2, design_cutoff(share * fps, fps), fs=fps, output="sos")

    smooth, _ = lowpass(np.arange(n) / fps, walk[:, None], share * fps, GAP_S)

    expected = scipy.signal.sosfiltfilt(sections, walk, axis=0)
    assert smooth[:, 0] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("fps", [15, 24, 25, 30, 50, 120, 240])
def test_half_the_power_passes_at_the_cut_off_whatever_the_frame_rate(fps):
    gain, phase = response(6.0, fps, 6.0)
    assert gain == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert abs(phase) < 1e-6


@settings(max_examples=25)
@given(st.floats(-500, 500), st.floats(-300, 300), st.integers(MIN_SAMPLES, 90))
def test_rest_and_even_motion_pass_unchanged(offset, slope, frames):
    times = np.arange(frames) / 30.0
    smooth, done = filtered(times, offset + slope * times)
    assert smooth == pytest.approx(offset + slope * times, abs=1e-9 + 1e-3 * abs(slope) / 30)
    assert done.all()


def test_short_runs_stay_as_they_are():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 40)
    values[[9, 20]] = np.nan  # runs of 9, 10 and 19
    smooth, done = filtered(np.arange(40) / 30.0, values)
    assert np.array_equal(done, np.r_[[False] * 10, [True] * 10, [False], [True] * 19])
    assert np.array_equal(smooth[:9], values[:9])
    assert np.isnan(smooth[[9, 20]]).all()
    assert not np.isclose(smooth[10:20], values[10:20]).any()


def test_a_run_is_filtered_as_if_it_were_alone():
    values = np.random.default_rng(1).normal(0, 1, (60, 2, 2))
    values[30, 1] = np.nan
    times = np.arange(60) / 30.0
    smooth, _ = lowpass(times, values, 6.0, GAP_S)
    for part in (slice(0, 30), slice(31, 60)):
        alone, _ = lowpass(times[part], values[part], 6.0, GAP_S)
        assert np.array_equal(smooth[part, 1], alone[:, 1])
    whole, _ = lowpass(times, values[:, :1], 6.0, GAP_S)
    assert smooth[:, 0] == pytest.approx(whole[:, 0], abs=1e-12)


def test_a_hole_in_time_ends_a_run():
    times = np.r_[np.arange(20), 1000 + np.arange(20)] / 30.0
    values = np.r_[np.zeros(20), np.full(20, 100.0)]
    smooth, done = filtered(times, values)
    assert done.all()
    assert smooth == pytest.approx(values, abs=1e-9)


def test_an_uneven_frame_rate_gives_what_an_even_one_does():
    rng = np.random.default_rng(2)
    even = np.arange(600) / 30.0
    times = even + rng.uniform(-0.3, 0.3, 600) / 30.0
    wave = lambda t: 40 * np.sin(2 * np.pi * 1.2 * t)  # noqa: E731
    smooth, done = filtered(times, wave(times))
    gain, _ = response(1.2, 30, 6.0)
    error = (smooth - gain * wave(times))[30:-30]
    assert done.all()
    assert np.sqrt(np.mean(error**2)) < 0.03
    # By index instead of by time the same filter is wrong by more than a pixel.
    by_index, _ = filtered(even, wave(times))
    assert np.sqrt(np.mean((by_index - gain * wave(times))[30:-30] ** 2)) > 0.5


def test_frames_dropped_by_the_camera_are_no_disturbance():
    times = np.delete(np.arange(300) / 30.0, [50, 51, 120, 200, 201, 202])
    values = 40 * np.sin(2 * np.pi * 1.2 * times)
    smooth, _ = filtered(times, values)
    gain, _ = response(1.2, 30, 6.0)
    assert smooth[20:-20] == pytest.approx(gain * values[20:-20], abs=0.3)


def test_frames_in_bunches_are_left_alone():
    times = np.sort(np.r_[np.arange(20) * 0.15, np.arange(40) * 1e-6])
    times = np.unique(times)
    values = np.sin(times)
    smooth, done = filtered(times, values)
    assert not done.any()
    assert np.array_equal(smooth, values)


def test_a_cut_off_beyond_what_frames_can_show_is_refused():
    times = np.arange(30) / 30.0
    assert filtered(times, times, 12.0)[1].all()
    with pytest.raises(ValueError, match=r"12\.1 Hz is too high for 30 frames"):
        filtered(times, times, 12.1)


@pytest.mark.parametrize("tick_s", [1 / 1000, 1 / 600, 1 / 90000])
@pytest.mark.parametrize("rate", [23.976, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0, 119.88, 240.0])
def test_times_rounded_to_ticks_have_the_true_rate(rate, tick_s):
    times = np.round(np.arange(177) / rate / tick_s) * tick_s
    assert rate_of(times) == pytest.approx(176 / times[-1], rel=1e-9)
    assert rate_of(times) == pytest.approx(rate, rel=2 * tick_s / times[-1])
    dropped = np.delete(times, [20, 21, 90, 150])
    assert rate_of(dropped) == pytest.approx(176 / times[-1], rel=1e-9)


def test_the_rate_of_uneven_times_is_that_of_usual_intervals():
    gaps = np.tile([0.04, 0.04, 0.04, 0.071], 10)
    assert rate_of(np.cumsum(gaps)) == pytest.approx(25.0)


def test_rates_and_evenness_of_times():
    assert rate_of(np.arange(5) / 25.0) == pytest.approx(25.0)
    assert np.isnan(rate_of(np.zeros(1)))
    assert is_even(np.zeros(1))
    assert is_even(np.array([0.0, 0.1, 0.2, 0.3019]))
    assert not is_even(np.array([0.0, 0.1, 0.2, 0.303]))


def test_more_noise_suggests_a_lower_cut_off_and_faster_motion_a_higher_one():
    times = np.arange(900) / 60.0
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, (900, 2))

    def point(hertz, sd):
        motion = 40 * np.sin(2 * np.pi * hertz * times)[:, None] * [1.0, 0.5]
        return motion + sd * noise

    points = np.stack([point(1.0, 1.0), point(1.0, 6.0), point(3.0, 1.0)], axis=1)
    slow, noisy, fast = residual_cutoffs(times, points)
    assert 1.0 < noisy < slow < fast < 15.0
    assert residual_cutoffs(times, points[:, 1:2]) == pytest.approx(noisy)


@pytest.mark.parametrize(
    ("times", "values"),
    [
        (np.arange(25) / 30.0, np.random.default_rng(4).normal(0, 1, (25, 2))),
        (np.arange(60) / 30.0, np.full((60, 2), 7.0)),
        (np.cumsum(np.random.default_rng(5).uniform(0.01, 0.05, 60)), np.ones((60, 2))),
        (np.arange(60) / 4.0, np.random.default_rng(6).normal(0, 1, (60, 2))),
    ],
    ids=["too short", "constant", "uneven", "too slow"],
)
def test_no_cut_off_is_suggested_without_grounds(times, values):
    assert np.isnan(residual_cutoffs(times, values[:, None])).tolist() == [True]


@pytest.mark.parametrize(("fps", "cutoff"), [(30, 6), (60, 6), (60, 12), (240, 6)])
def test_noise_leaves_the_filter_as_is_told(fps, cutoff):
    times = np.arange(40_000) / fps
    noise = np.random.default_rng(1).standard_normal(len(times))
    smooth, _ = filtered(times, noise, cutoff)
    taken, passed = noise_gains(cutoff, fps)[:2]
    assert np.std(noise - smooth) == pytest.approx(taken, rel=0.02)
    assert np.std(np.gradient(smooth, times)) == pytest.approx(passed, rel=0.03)
