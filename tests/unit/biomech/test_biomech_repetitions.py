"""Repetitions: counted, and when they begin, turn and end."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import find_peaks

from biomech.events.peaks import crest_s, peaks_of, vertex_s
from biomech.events.repetitions import HIP_HEIGHT, REST_SHARE, repetitions
from biomech.kinematics.curves import Curves
from biomech.kinematics.geometry import flexion
from tests.support.filmed_athlete import exact, filmed, metrics_and_curves
from tests.support.stick_figure import from_the_side, seen
from tools.athlete.motion import Style

FRAME_S = 1 / 30


def found(track, **config):
    _, curves = metrics_and_curves(track, **config)
    return repetitions(curves, track.present)


def bent(knee, **options):
    """Somebody seen from the side whose knees bend by (f,) degrees."""
    return seen(from_the_side(knee=knee, hip=0.4 * np.asarray(knee), **options), sigma=1.0)


def bends(knee, sigma=1.0):
    """Curves of a left knee that bends by (f,) degrees, and of nothing else."""
    frames = len(knee)
    still = np.zeros(frames)
    return Curves(
        times_s=np.arange(frames) / 30.0, max_gap_s=0.2, flexion={"left_knee": knee}, signed=True,
        lean=still, sigma={"left_knee": np.full(frames, sigma)}, jitter={"left_knee": 1.0},
        hip_height=still, hip_height_raw=still, ankle_height={}, ankle_ahead={},
        stature_px=400.0, rate_hz=30.0,
    )  # fmt: skip


def waves(count, rest_s, *, depth=80.0, wave_s=1.5, fps=30.0):
    """(f,) degrees: so many smooth bends with rests between, and their middles in seconds."""
    period = wave_s + rest_s
    t = np.arange(round((count * period + rest_s) * fps) + 1) / fps
    phase = (t - rest_s) % period
    inside = (phase < wave_s) & (t >= rest_s) & (t < rest_s + count * period)
    bend = np.where(inside, 0.5 - 0.5 * np.cos(2 * np.pi * phase / wave_s), 0.0)
    return 5 + depth * bend, rest_s + wave_s / 2 + period * np.arange(count)


@pytest.mark.parametrize("view", ["from the left", "from the right", "from the front"])
@pytest.mark.parametrize("movement", ["squat", "lunge"])
def test_repetitions_of_the_athlete_are_counted(movement, view):
    made, track, _ = filmed(movement, view=view, seed=3, style=Style(period_s=1.6))
    assert len(found(track).items) == made.repetitions == 5


def test_raised_arms_are_counted_from_the_front():
    made, track, _ = filmed("arm_raise", view="from the front", seed=4)
    reps = found(track)
    assert reps.driver in {"left_shoulder", "right_shoulder"}
    assert len(reps.items) == made.repetitions == 4


def test_knees_bent_toward_the_camera_are_counted_by_the_hips():
    assert found(filmed("squat", view="from the front", seed=1)[1]).driver == HIP_HEIGHT


@pytest.fixture(scope="module")
def true_squats():
    """Peaks, and where a tenth of the way is passed, of the exact points of four squats."""
    t = np.arange(8001) / 1000
    signal = np.abs(flexion("left_hip", exact("squat", t)[1]))
    level = signal.min() + REST_SHARE * np.ptp(signal)
    above = signal >= level
    crossings = t[1:][above[1:] != above[:-1]]
    return t[find_peaks(signal, prominence=30)[0]], crossings[::2], crossings[1::2]


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0, 120.0])
def test_times_of_repetitions_are_within_a_frame(fps, true_squats):
    reps = found(filmed("squat", fps=fps, seed=3)[1])
    assert reps.driver in {"left_hip", "right_hip"}
    # Above 30 frames a second the noise of the points, not the frames, limits the times.
    within = max(1 / fps, FRAME_S)
    for name, true in zip(("peak_s", "start_s", "stop_s"), true_squats, strict=True):
        assert [getattr(rep, name) for rep in reps.items] == pytest.approx(true, abs=within), name


@given(count=st.integers(1, 6), rest_s=st.floats(0.1, 2.0), wave_s=st.floats(0.8, 2.5))
def test_rests_of_any_length_change_neither_number_nor_length(count, rest_s, wave_s):
    knee, middles = waves(count, rest_s, wave_s=wave_s)
    reps = repetitions(bends(knee), np.ones(len(knee), bool)).items
    assert [rep.peak_s for rep in reps] == pytest.approx(middles, abs=FRAME_S)
    # A raised cosine is above a tenth of its height for 79.5 % of its length.
    inside = 1 - np.arccos(1 - 2 * REST_SHARE) / np.pi
    assert [rep.stop_s - rep.start_s for rep in reps] == pytest.approx(
        np.full(count, inside * wave_s), abs=2 * FRAME_S
    )


def test_a_movement_within_the_doubt_of_the_angle_is_no_repetition():
    for sigma, expected in ((3.0, 4), (7.0, 0)):  # three deviations: 9, 21 degrees
        knee, _ = waves(4, 0.5, depth=20.0)
        reps = repetitions(bends(knee, sigma), np.ones(len(knee), bool))
        assert len(reps.items) == expected


def test_a_shallow_repetition_among_deep_ones_counts_from_three_tenths_of_the_way():
    deep, _ = waves(3, 0.3, depth=80.0)
    for share, expected in ((0.4, 4), (0.15, 3)):
        shallow, _ = waves(1, 0.3, depth=80.0 * share)
        assert len(found(bent(np.concatenate([deep, shallow]))).items) == expected


def test_what_no_joint_can_do_is_not_counted_by():
    knee, _ = waves(3, 0.5, depth=70.0)
    for depth, expected in ((150.0, "left_elbow"), (200.0, "left_knee")):
        # An arm that points at the camera seems to bend any way, and more often.
        elbow, _ = waves(6, 0.25, depth=depth, wave_s=0.75)
        curves = bends(knee)
        still = dict.fromkeys(("left_knee", "left_elbow"), np.ones(len(knee)))
        both = {"left_knee": knee, "left_elbow": np.resize(elbow, len(knee))}
        found = repetitions(replace(curves, flexion=both, sigma=still), np.ones(len(knee), bool))
        assert found.driver == expected


def test_nothing_moves_in_somebody_who_stands():
    random = np.random.default_rng(6)
    xy = from_the_side(knee=np.full(90, 10.0)) + random.normal(0, 1, (90, 17, 2))
    reps = found(seen(xy, sigma=1.0))
    assert reps.driver is None
    assert reps.items == []


def test_a_repetition_seen_in_part_only_is_not_counted_where_it_is_missing():
    knee, _ = waves(3, 0.5)
    track = bent(knee)
    middle = slice(len(knee) // 2 - 20, len(knee) // 2 + 20)
    track.xy[middle] = np.nan
    assert len(found(track).items) == 2


def test_repetitions_are_in_the_time_of_the_frames_whatever_their_rate():
    knee, middles = waves(3, 0.5, fps=100.0)
    random = np.random.default_rng(8)
    kept = np.sort(random.choice(len(knee), len(knee) * 2 // 5, replace=False))
    track = seen(
        from_the_side(knee=knee[kept], hip=0.4 * knee[kept]), times_s=kept / 100, sigma=1.0
    )
    assert [rep.peak_s for rep in found(track).items] == pytest.approx(middles, abs=FRAME_S)


@given(
    offset=st.floats(-0.4, 0.4), height=st.floats(0.5, 100), width=st.floats(0.5, 4),
    early=st.floats(0.6, 1.0),
)  # fmt: skip
def test_the_vertex_of_a_parabola_is_found_between_uneven_frames(offset, height, width, early):
    t = np.array([-early, 0.0, 1.0]) + 5.0
    values = height - ((t - 5.0 - offset) / width) ** 2
    assert vertex_s(t, values, np.array([1]))[0] == pytest.approx(5.0 + offset, abs=1e-6)


def test_a_peak_at_the_end_is_where_it_is():
    t = np.arange(4.0)
    assert vertex_s(t, t, np.array([3])).tolist() == [3.0]
    assert vertex_s(t, np.ones(4), np.array([2])).tolist() == [2.0]


def test_the_crest_of_a_round_peak_is_told_by_all_of_it():
    t = np.arange(41) / 30
    noise = np.random.default_rng(2).normal(0, 0.02, (200, 41))
    wave = np.cos(2 * np.pi * 0.5 * (t - 0.66))
    apart = [
        (crest_s(t, row, int(row.argmax()), 0.3) - 0.66, t[row.argmax()] - 0.66)
        for row in wave + noise
    ]
    by_crest, by_frame = np.sqrt(np.mean(np.square(apart), axis=0))
    assert by_crest < 0.01
    assert by_frame > 2 * by_crest


def test_of_two_peaks_near_each_other_the_higher_is_kept():
    t = np.arange(100) / 10
    values = np.sin(2 * np.pi * t) + 0.1 * t
    assert peaks_of(t, values, 0.5).tolist() == find_peaks(values, prominence=0.5)[0].tolist()
    kept = peaks_of(t, values, 0.5, apart_s=1.5)
    assert np.diff(t[kept]).min() >= 1.5
    assert kept[-1] == peaks_of(t, values, 0.5)[-1]
