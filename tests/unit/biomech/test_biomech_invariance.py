"""One movement gives the same numbers whatever the stillness, rate, size or direction of time."""

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import clip_events_of
from biomech.events.repetitions import repetitions
from biomech.kinematics.person_metrics import person_metrics
from biomech.results.person_summary import SummaryInputs, summary
from biomech.skeleton import INDEX
from tests.support.autoregression import autoregressive
from tests.support.moving_figure import GROUND, arm_raises, bump, frames, squats, standing_on, walk
from tests.support.plain import in_json
from tests.support.stick_figure import from_the_side, seen
from tests.unit.biomech.test_biomech_repetitions import bends

summary = in_json(summary)

WIDE = (2000, 2000)


def summed(xy, times_s=None, *, noise=0.0, seed=0, rate=30.0):
    """The summary of points with noise that lasts from frame to frame."""
    times = np.arange(len(xy)) / rate if times_s is None else times_s
    made = autoregressive(np.random.default_rng(seed), 0.5, xy.shape)
    track = seen(xy + noise * made, times_s=times, sigma=max(noise, 0.5), size=WIDE)
    metrics = person_metrics(track, BiomechanicsConfig())
    clip_events = clip_events_of(metrics, BiomechanicsConfig(), "auto")
    return summary(1, clip_events.metrics, clip_events, SummaryInputs(BiomechanicsConfig()))


def still(xy, before, after, rate=30.0):
    """The points with seconds of stillness before and after."""
    first, last = round(before * rate), round(after * rate)
    return np.concatenate([np.repeat(xy[:1], first, 0), xy, np.repeat(xy[-1:], last, 0)])


def alike(told, other, within=1.5):
    """Whether two summaries tell of one movement."""
    assert told["driver"].partition("_")[2] == other["driver"].partition("_")[2]
    assert len(told["reps"]) == len(other["reps"])
    for name, joint in other["joints"].items():
        for key in ("min", "max", "rom"):
            assert told["joints"][name][key] == pytest.approx(joint[key], abs=within), (name, key)


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("seconds", [10.0, 60.0, 120.0, 600.0])
def test_one_squat_is_found_in_a_clip_of_any_length(seconds, noise):
    """(F3) Percentiles of the clip made of 100 degrees 79 in a minute, 34 in two."""
    xy = squats(frames(2.4, 30), [0.4]).xy
    told = summed(still(xy, seconds / 3, 2 * seconds / 3), noise=noise)
    assert told["driver"] in {"left_knee", "right_knee"}
    assert len(told["reps"]) == 1
    assert told["joints"][told["driver"]]["max"] == pytest.approx(100.0, abs=2.5)
    low, high = told["joints"][told["driver"]]["rom_ci95"]
    assert low < 95.0 < high


@pytest.mark.parametrize(("before", "after"), [(60.0, 0.0), (0.0, 60.0), (200.0, 100.0)])
@pytest.mark.parametrize("movement", ["squats", "arms"])
def test_stillness_before_and_after_changes_nothing(movement, before, after):
    """(F3)"""
    times = frames(12.0, 30)
    starts = [0.6, 3.0, 5.4, 7.8]
    xy = squats(times, starts).xy if movement == "squats" else arm_raises(times, starts).xy
    alike(summed(still(xy, before, after)), summed(xy), within=0.1)
    alike(summed(still(xy, before, after), noise=1.0, seed=1), summed(xy, noise=1.0, seed=2), 3.0)


def test_a_deep_squat_among_many_shallow_ones_is_the_deepest():
    """(F3) A hundredth of a long clip may be all of one movement."""
    depths = [40.0] * 60
    depths[30] = 110.0
    told = summed(squats(frames(182.0, 30), 1.0 + 3.0 * np.arange(60), depth=depths).xy)
    assert told["joints"]["left_knee"]["max"] == pytest.approx(110.0, abs=2.5)
    assert len(told["reps"]) == 60


def test_a_stray_frame_is_no_extreme():
    xy = squats(frames(8.0, 30), [1.0, 4.0]).xy
    stray = xy.copy()
    stray[120, 9] += [0.0, -40.0]  # left wrist, sure of itself
    joint, told = (summed(points)["joints"]["left_elbow"] for points in (xy, stray))
    assert told["max"] == pytest.approx(joint["max"], abs=1.0)


def test_what_is_played_backwards_faster_or_smaller_is_the_same_movement():
    """(F3)"""
    motion = squats(frames(10.0, 60), [1.0, 4.0, 7.0], depth=[100.0, 80.0, 100.0])
    told = summed(motion.xy, rate=60.0)
    back = summed(motion.xy[::-1], rate=60.0)
    alike(back, told, within=0.1)
    turned = [10.0 - 1 / 60 - rep["t_peak_s"] for rep in back["reps"]]
    assert turned[::-1] == pytest.approx([rep["t_peak_s"] for rep in told["reps"]], abs=0.01)
    alike(summed(motion.xy / 2, rate=60.0), told, within=0.1)
    alike(summed(motion.xy[::2], rate=30.0), told, within=1.0)
    dense = squats(frames(10.0, 120), [1.0, 4.0, 7.0], depth=[100.0, 80.0, 100.0])
    alike(summed(dense.xy, rate=120.0), told, within=1.0)


def seated(cycles, *, seat=90.0, lead=1.0, rise=1.0, stand=0.6, pause=0.4, tail=1.0):
    """Somebody who gets up from a seat so many times, and sits down again."""
    length = 2 * rise + stand + pause
    times = frames(lead + cycles * length + tail, 30)
    up = sum(
        bump(times, lead + i * length, rise, 1e-9)
        + (times > lead + i * length + rise) * 1.0
        - np.clip(0.5 - 0.5 * np.cos(np.pi * np.clip(
            (times - lead - i * length - rise - stand) / rise, 0, 1)), 0, 1)
        for i in range(cycles)
    )  # fmt: skip
    knee = seat * (1 - np.clip(up, 0, 1))
    xy = from_the_side(knee=knee, hip=0.95 * knee, lean=0.4 * knee, elbow=5.0)
    return standing_on(GROUND, xy)


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("cycles", [1, 3, 5])
def test_who_begins_and_ends_in_a_seat_is_counted_by_standing_up(cycles, noise):
    """(F17) Of five, four were counted."""
    told = summed(seated(cycles), noise=noise)
    assert len(told["reps"]) == cycles
    assert told["direction"] == told["phases"]["direction"] == "extension"
    assert told["reps_cut"] == []
    assert {rep["depth_class"] for rep in told["reps"]} == {"full"}
    assert told["reps"][0]["depth"] == pytest.approx(90.0, abs=6.0)


def test_movements_that_the_clip_cuts_are_listed_not_counted():
    """(F17)"""
    xy = squats(frames(12.0, 30), [0.5, 3.5, 6.5, 9.5]).xy
    whole = summed(xy)
    assert (len(whole["reps"]), whole["reps_cut"]) == (4, [])
    ups = summed(xy[round(1.3 * 30) : round(10.3 * 30)])  # from bottom to bottom
    assert (len(ups["reps"]), ups["direction"], ups["reps_cut"]) == (3, "extension", [])
    late = summed(xy[round(1.3 * 30) :])
    assert (len(late["reps"]), late["direction"]) == (3, "flexion")
    (half,) = late["reps_cut"]
    assert half["t_s"] == 0.0
    assert half["depth"] == pytest.approx(95.0, abs=3.0)


def bounced(dip, times=2, depth=90.0):
    """(f,) degrees of three bends with a bounce at the bottom, of a part of the way back."""
    t = np.arange(0, 3.0, 1 / 30)
    one = depth * bump(t, 0.3, 0.8, 0.8)
    for i in range(1, times):
        at = 1.1 + 0.5 * (i - 1)
        t = np.arange(0, 3.0 + 0.5 * i, 1 / 30)
        held = depth * np.clip(bump(t, 0.3, 0.8, 1e-9) + (t > 1.1), 0, 1)
        down = depth * bump(t, 1.1 + 0.5 * i - 0.8 + 0.8, 1e-9, 0.8)
        one = np.where(t <= at + 0.5, held, np.where(t > at + 0.5, down, 0.0))
        for j in range(i):
            one = one - dip * depth * bump(t, 1.1 + 0.5 * j, 0.25, 0.25)
    return 5.0 + np.concatenate([one, one, one])


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("dip", [0.2, 0.33, 0.42])
def test_a_bounce_at_the_bottom_is_one_repetition(dip, times):
    """(F17) A double peak counted twice."""
    knee = bounced(dip, times)
    assert len(repetitions(bends(knee), np.ones(len(knee), bool)).items) == 3
    noisy = knee + np.random.default_rng(3).normal(0, 0.5, len(knee))
    assert len(repetitions(bends(noisy), np.ones(len(knee), bool)).items) == 3


def test_small_movements_that_are_most_of_all_are_no_bounces():
    t = np.arange(0, 14.0, 1 / 30)
    pulses = sum(bump(t, 2.0 + i, 0.5, 0.5) for i in range(10))
    inside = np.clip((t - 1) / 1, 0, 1) * np.clip((13 - t) / 1, 0, 1)
    knee = 5 + 60 * inside + 38 * pulses
    assert len(repetitions(bends(knee), np.ones(len(knee), bool)).items) == 10


def test_repetitions_are_full_or_partial_by_the_typical_depth():
    """(F17)"""
    depths = [100.0, 60.0, 98.0, 85.0, 70.0, 100.0]
    told = summed(squats(frames(19.0, 30), 1.0 + 3.0 * np.arange(6), depth=depths).xy)
    assert [rep["depth_class"] for rep in told["reps"]] == [
        "full", "partial", "full", "full", "partial", "full",
    ]  # fmt: skip
    shares = [(d - 5) / 95 for d in depths]
    assert [rep["depth_share"] for rep in told["reps"]] == pytest.approx(shares, abs=0.04)


@pytest.mark.parametrize("seconds", [5.0, 10.0, 20.0])
def test_strides_are_no_repetitions(seconds):
    told = summed(walk(frames(seconds, 60)).xy, rate=60.0)
    assert told["gait"]["steps"] > 4
    assert (told["reps"], told["reps_cut"], told["driver"]) == ([], [], None)
    assert told["reps_reason"] == "locomotion"
    assert told["applications"]["load"]["repetitions"] == 0
    assert told["phases"]["of"] == "stride"


def test_squats_after_a_walk_are_repetitions():
    steps = walk(frames(6.0, 30)).xy
    rest = squats(frames(9.0, 30), [2.0, 4.5]).xy
    rest = rest + (steps[-1, 11] - rest[0, 11])
    told = summed(np.concatenate([steps, rest]))
    assert told["gait"] is not None
    assert [rep["t_peak_s"] for rep in told["reps"]] == pytest.approx([8.8, 11.3], abs=0.1)
    assert told["reps_reason"] is None


def test_who_stands_has_no_repetitions_and_the_reason():
    told = summed(from_the_side(knee=np.full(120, 5.0)), noise=1.0)
    assert (told["reps"], told["reps_reason"], told["direction"]) == ([], "no_repetition", None)


def test_a_leg_that_is_badly_seen_keeps_the_range_of_its_strides():
    """A knee of a walk turned by 68 degrees and was given as 20, since noise might reach as far."""
    made = walk(frames(8.0, 30), stride_hz=0.9)
    noise = np.zeros_like(made.xy)
    random = np.random.default_rng(3)
    for side, level in (("left", 1.0), ("right", 6.0)):
        points = [INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")]
        noise[:, points] = level * autoregressive(random, 0.9, (len(made.xy), 3, 2))
    told = summed(made.xy + noise)["joints"]
    assert told["left_knee"]["rom"] == pytest.approx(52.0, abs=8.0)
    assert told["right_knee"]["rom"] > 45.0


@pytest.mark.parametrize("seed", range(4))
def test_scattered_lost_points_lose_no_repetition(seed):
    """Of four squats one to three were counted, since a lost frame split a peak."""
    made = squats(frames(14.0, 30), [1.0, 4.0, 7.0, 10.0])
    lost = np.random.default_rng(seed).random(made.xy.shape[:2]) < 0.15
    assert len(summed(np.where(lost[..., None], np.nan, made.xy), noise=1.0)["reps"]) == 4
