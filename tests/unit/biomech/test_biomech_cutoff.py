"""The cut-off of a clip follows the movement that it shows, unless somebody chose it."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.signal import find_peaks

import biomech.events.clip_events
from biomech.config import BiomechanicsConfig, Context
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.person_metrics import person_metrics
from tests.support.filmed_athlete import filmed, summarised
from tests.support.moving_figure import frames, jumps, squats, walk
from tests.support.stick_figure import from_the_side, seen

STRIDE_S = 0.45
KNEE = [(0, 22), (8, 38), (24, 18), (42, 85), (56, 130), (74, 80), (90, 25), (100, 22)]
HIP = [(0, 40), (14, 20), (28, -15), (50, 25), (74, 80), (88, 60), (100, 40)]


def cycle(points, times_s):
    """Degrees of a stride given at percents of it."""
    at, degrees = np.array(points, float).T
    return CubicSpline(at / 100, degrees, bc_type="periodic")(times_s / STRIDE_S % 1)


def sprint(rate=60.0):
    """A sprinter beside a car that follows: the hips stay, so no flight is seen."""
    times = frames(6.0, rate)
    joints = {
        joint: (cycle(points, times), cycle(points, times + STRIDE_S / 2))
        for joint, points in (("knee", KNEE), ("hip", HIP))
    }
    return seen(from_the_side(lean=8.0, at=(450.0, 400.0), **joints), times_s=times, sigma=1.0,
                size=(900, 900))  # fmt: skip


def performed(track, context=None):
    config = (context or Context()).config(0.3)
    return clip_events_of(person_metrics(track, config), config, "auto")


def stance_peak(clip_events):
    """Degrees by which the knee yields on the ground, the lower of both peaks of a stride."""
    knee = clip_events.curves.flexion["left_knee"][60:-60]
    peaks = knee[find_peaks(knee, prominence=3.0)[0]]
    return float(np.median(peaks[peaks < 60]))


def test_a_sprint_is_filtered_as_a_run():
    """(F18) Six hertz of a sprint that had been recognized read 38 degrees as 32."""
    dense = cycle(KNEE, np.arange(0, STRIDE_S, 1e-4))
    true = dense[: len(dense) // 5].max()
    clip_events = performed(sprint())
    used = clip_events.metrics.points.filter
    assert (used.cutoff_hz, used.source) == (10.0, "recognized")
    assert stance_peak(clip_events) == pytest.approx(true, abs=2.5)
    smoothed = performed(sprint(), Context(cutoff_hz=6.0))
    assert smoothed.metrics.points.filter.source == "request"
    assert stance_peak(smoothed) < true - 5.0


@pytest.mark.parametrize(
    ("track", "cutoff_hz", "source"),
    [
        (filmed("jump", fps=60.0, noise_px=1.0, seed=3)[1], 10.0, "recognized"),
        (filmed("squat", fps=60.0, seed=3)[1], 6.0, "default"),
        (filmed("gait", fps=60.0, seed=3)[1], 6.0, "default"),
        (filmed("jump", fps=15.0, noise_px=1.0, seed=3)[1], 6.0, "default"),
        (filmed("jump", fps=20.0, noise_px=1.0, seed=3)[1], 8.0, "recognized"),
    ],
)
def test_the_summary_says_the_cutoff_and_why(track, cutoff_hz, source):
    """(F18)"""
    told = summarised(track)["filter"]
    assert told["cutoff_hz"] == pytest.approx(cutoff_hz, rel=0.02)
    assert told["cutoff_source"] == source


@pytest.mark.parametrize(
    ("context", "cutoff_hz", "source"),
    [
        (Context(cutoff_hz=5.0), 5.0, "request"),
        (Context("jump", cutoff_hz=6.0), 6.0, "request"),
        (Context("squat"), 6.0, "movement"),
        (Context("jump"), 10.0, "movement"),
    ],
)
def test_what_the_caller_chose_wins(context, cutoff_hz, source):
    told = summarised(filmed("jump", fps=60.0, noise_px=1.0, seed=3)[1], context)["filter"]
    assert (told["cutoff_hz"], told["cutoff_source"]) == (cutoff_hz, source)


def test_a_clip_that_is_not_filtered_has_no_cutoff_and_no_source():
    told = summarised(seen(from_the_side()[None], sigma=1.0))["filter"]
    assert (told["cutoff_hz"], told["cutoff_source"]) == (None, None)


def test_all_is_measured_again_once_and_only_where_something_was_recognized(monkeypatch):
    made = []

    def counted(*args):
        made.append(args)
        return person_metrics(*args)

    monkeypatch.setattr(biomech.events.clip_events, "person_metrics", counted)
    times = frames(6.0, 60)
    for motion, passes in (
        (squats(times, [1.0, 3.0]), 0),
        (walk(times), 0),
        (jumps(times, [2.0]), 1),
    ):
        made.clear()
        track = seen(motion.xy, times_s=times, sigma=1.0, size=(900, 900))
        clip_events_of(person_metrics(track, BiomechanicsConfig()), BiomechanicsConfig(), "auto")
        assert len(made) == passes


def test_a_jump_that_nobody_named_is_warned_of_by_the_rate_for_jumps():
    codes = {c["code"] for c in summarised(filmed("jump", noise_px=1.0, seed=3)[1])["quality"]}
    assert "low_frame_rate" in codes
    named = summarised(filmed("jump", noise_px=1.0, seed=3)[1], Context("gait"))["quality"]
    assert "low_frame_rate" not in {c["code"] for c in named}
