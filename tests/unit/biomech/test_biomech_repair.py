"""Repair before smoothing: exchanged sides, stray points, short gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from biomech.preprocessing.repair import (
    LIMB_PAIRS,
    Swap,
    SwapCosts,
    bone_length_outliers,
    exchange,
    fill_gaps,
    find_swaps,
    hampel_outliers,
)
from biomech.skeleton import INDEX
from tests.support.moving_figure import STATURE, frames, walk
from tests.support.stick_figure import FIGURE, without

COSTS = SwapCosts(switch=9.0, tolerance_px=0.02 * STATURE, longest_s=0.5, least_gain=0.5)


def swaps(motion, xy, sigma=2.0):
    return find_swaps(motion.times_s, xy, np.full(xy.shape, sigma), COSTS)


@pytest.mark.parametrize("fps", [24, 30, 60])
@pytest.mark.parametrize("noise", [0.0, 3.0])
@pytest.mark.parametrize("speed", [0.0, 150.0], ids=["treadmill", "overground"])
@pytest.mark.parametrize("limbs", LIMB_PAIRS)
def test_exchanged_limbs_of_a_walker_are_found_to_the_frame(fps, noise, speed, limbs):
    motion = walk(frames(6, fps), speed=speed).noisy(noise, seed=fps)
    first = int(2.3 * fps)
    for length in (1, 2, int(0.45 * fps)):
        wrong = [Swap(limbs, first, first + length)]
        found = swaps(motion, exchange(motion.xy, wrong))
        assert found == wrong
        assert np.array_equal(exchange(exchange(motion.xy, wrong), found), motion.xy)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 1.4), st.floats(0, 4), st.floats(0, 200))
def test_legs_that_cross_are_not_taken_for_an_exchange(seed, stride_hz, noise, speed):
    motion = walk(frames(4, 30), stride_hz=stride_hz, speed=speed).noisy(noise, seed)
    assert swaps(motion, motion.xy) == []


def test_several_exchanges_and_both_limbs_are_told_apart():
    motion = walk(frames(6, 30)).noisy(2.0)
    wrong = [Swap("legs", 40, 44), Swap("legs", 120, 131), Swap("arms", 46, 54)]
    assert swaps(motion, exchange(motion.xy, wrong)) == wrong


def test_an_exchange_seen_through_a_gap_is_found():
    motion = walk(frames(6, 30)).noisy(1.0)
    xy = exchange(motion.xy, [Swap("legs", 70, 80)])
    xy[73:75] = np.nan
    assert swaps(motion, xy) == [Swap("legs", 70, 80)]


@pytest.mark.parametrize(
    ("start", "stop"), [(100, 180), (60, 77), (0, 10), (170, 180)],
    ids=["for good", "over half a second", "at the beginning", "at the end"],
)  # fmt: skip
def test_where_it_cannot_be_said_which_side_is_right_nothing_is_exchanged(start, stop):
    motion = walk(frames(6, 30)).noisy(1.0)
    assert swaps(motion, exchange(motion.xy, [Swap("legs", start, stop)])) == []


def test_a_pair_of_which_one_is_missing_tells_nothing():
    motion = walk(frames(6, 30)).noisy(1.0)
    one_hip = without(motion.xy, "left_hip")
    assert swaps(motion, one_hip) == []
    wrong = [Swap("legs", 50, 56)]
    assert swaps(motion, exchange(one_hip, wrong)) == wrong
    assert swaps(motion, without(motion.xy, "left_ankle")) == []


def test_without_a_size_or_without_frames_nothing_is_exchanged():
    motion = walk(frames(6, 30))
    xy = exchange(motion.xy, [Swap("legs", 50, 56)])
    sizeless = SwapCosts(9.0, float("nan"), 0.5, 0.5)
    assert find_swaps(motion.times_s, xy, np.ones(xy.shape), sizeless) == []
    for count in range(4):
        part = motion.xy[:count]
        assert find_swaps(motion.times_s[:count], part, np.ones(part.shape), COSTS) == []


def test_exchanging_moves_whole_limbs_of_any_array():
    names = np.arange(17)[None].repeat(5, 0)
    made = exchange(names, [Swap("arms", 1, 3)])
    assert made[0].tolist() == made[3].tolist() == list(range(17))
    for joint in LIMB_PAIRS["arms"]:
        left, right = INDEX[f"left_{joint}"], INDEX[f"right_{joint}"]
        assert (made[1, left], made[1, right]) == (right, left)
    assert made[1, INDEX["left_knee"]] == INDEX["left_knee"]
    assert names[1].tolist() == list(range(17))


def stray(xy, suspect=True, times=None):
    """Where the points of the left wrist stray, of (f, 2) pixels of it."""
    whole = np.repeat(FIGURE[None], len(xy), 0)
    whole[:, INDEX["left_wrist"]] = xy
    times = np.arange(len(xy)) / 30.0 if times is None else times
    tested = np.broadcast_to(suspect, whole.shape[:2])
    found = hampel_outliers(times, whole, tested, 0.117, 3.0, 0.5)
    assert not np.delete(found, INDEX["left_wrist"], axis=1).any()
    return np.flatnonzero(found[:, INDEX["left_wrist"]]).tolist()


def test_a_stray_point_is_found_and_its_neighbours_are_not():
    xy = np.stack([np.linspace(0, 60, 31), np.zeros(31)], -1)
    for axis in range(2):
        wrong = xy.copy()
        wrong[15, axis] += 40
        assert stray(wrong) == [15]
        assert stray(wrong, suspect=False) == []


def test_two_stray_points_in_a_row_are_found():
    xy = np.zeros((31, 2))
    xy[14:16] = [25.0, -30.0]
    assert stray(xy) == [14, 15]


def test_a_wrist_that_swings_fast_is_not_stray():
    times = np.arange(60) / 30.0
    swing = 80 * np.sin(2 * np.pi * 1.5 * times)
    assert stray(np.stack([swing, np.zeros(60)], -1)) == []


def test_the_floor_lets_tremble_pass():
    xy = np.zeros((31, 2))
    xy[15, 0] = 1.49
    assert stray(xy) == []
    xy[15, 0] = 1.51
    assert stray(xy) == [15]


def test_too_few_neighbours_have_no_median():
    xy = np.zeros((9, 2))
    xy[4, 0] = 50
    assert stray(xy, times=np.arange(9) / 15.0) == []  # three points in a window
    xy[[2, 6]] = np.nan
    assert stray(xy) == [4]  # five of seven
    xy[[1, 7]] = np.nan
    assert stray(xy) == []


def test_limbs_off_their_length_are_suspect_at_both_ends():
    xy = np.repeat(FIGURE[None], 40, 0)
    elbow, wrist = INDEX["left_elbow"], INDEX["left_wrist"]
    xy[7, wrist] = xy[7, elbow] + 1.4 * (xy[7, wrist] - xy[7, elbow])
    off = bone_length_outliers(xy, 0.30)
    assert {(f, p) for f, p in np.argwhere(off).tolist()} == {(7, elbow), (7, wrist)}
    assert not bone_length_outliers(xy, 0.45).any()


def test_lengths_follow_the_distance_from_the_camera():
    nearer = FIGURE * np.linspace(1, 4, 40)[:, None, None]
    assert not bone_length_outliers(nearer, 0.30).any()


def filled(there, times=None, longest=0.2):
    """Frames filled of a curve known where ``there``."""
    there = np.asarray(there, bool)
    times = np.arange(len(there)) / 30.0 if times is None else times
    xy = np.full((len(there), 17, 2), np.nan)
    curve = np.stack([np.sin(3 * times), times**2], -1)
    xy[there, 4] = curve[there]
    made, marked = fill_gaps(times, xy, longest, 3)
    assert np.array_equal(made[there, 4], xy[there, 4])
    assert not marked[:, np.arange(17) != 4].any()
    frames_filled = np.flatnonzero(marked[:, 4]).tolist()
    assert np.array_equal(np.flatnonzero(np.isfinite(made[:, 4, 0]) & ~there), frames_filled)
    return frames_filled, made[:, 4]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([1] * 6 + [0] + [1] * 6, [6]),
        ([1] * 6 + [0] * 5 + [1] * 6, [6, 7, 8, 9, 10]),
        ([1] * 6 + [0] * 6 + [1] * 6, []),
        ([1] * 3 + [0] * 2 + [1] * 3, [3, 4]),
        ([1] * 2 + [0] * 2 + [1] * 6, []),
        ([1] * 6 + [0] * 2 + [1] * 2, []),
        ([0] * 2 + [1] * 6 + [0] * 2, []),
        ([1] * 6 + [0] + [1] * 2 + [0] + [1] * 6, [6, 9]),
        ([1] * 6 + [0] + [1] * 2 + [0] * 3 + [1] * 6, []),
        ([1] * 4 + [0] * 2 + [1] * 4 + [0] * 9 + [1] * 4 + [0] + [1] * 4, [4, 5, 23]),
        ([0] * 8, []),
        ([1] * 8, []),
    ],
    ids=[
        "one", "as long as allowed", "too long", "just enough about it", "too few before",
        "too few after", "ends", "an island", "too long with its island", "two of three", "nothing",
        "no gap",
    ],
)  # fmt: skip
def test_only_short_gaps_between_enough_points_are_filled(there, expected):
    assert filled(there)[0] == expected


def test_the_length_of_a_gap_is_in_time_not_in_frames():
    there = [1] * 6 + [0] * 3 + [1] * 6
    assert filled(there, np.arange(15) / 30.0)[0] == [6, 7, 8]
    assert filled(there, np.arange(15) / 15.0)[0] == []


def test_a_gap_is_filled_by_the_monotone_cubic_of_its_surroundings():
    there = np.array([1] * 6 + [0] * 3 + [1] * 6, bool)
    times = np.arange(15) / 30.0
    _, made = filled(there)
    for axis, curve in enumerate((np.sin(3 * times), times**2)):
        reference = PchipInterpolator(times[there], curve[there])
        assert made[:, axis] == pytest.approx(reference(times), abs=1e-12)
        assert made[:, axis] == pytest.approx(curve, abs=4e-3)


def test_what_lies_beyond_a_long_gap_does_not_bend_a_filled_one():
    there = np.array([1] * 4 + [0] + [1] * 4 + [0] * 9 + [1] * 6, bool)
    times = np.arange(len(there)) / 30.0
    xy = np.full((len(there), 17, 2), np.nan)
    xy[there] = 1.0
    changed = xy.copy()
    changed[18:] *= 500
    assert np.array_equal(
        fill_gaps(times, xy, 0.2, 3)[0][4], fill_gaps(times, changed, 0.2, 3)[0][4]
    )
