"""The summary of a clip: what the athlete did, by the numbers of the films."""

import numpy as np
import pytest

from biomech.config import Camera, Context, EnabledOutputs, Subject
from biomech.kinematics.geometry import flexion
from biomech.results.person_summary import APPLICATIONS, LIMITS
from deployments.biomechanics.guideline_files import load_guidelines
from serve_app.setting_types import ROOT
from tests.support.filmed_athlete import exact, filmed, summarised
from tests.support.stick_figure import FIGURE, seen
from tools.athlete.motion import Style

GUIDELINES = load_guidelines(ROOT / "config" / "rules.yaml", ROOT / "config" / "mdc.yaml")


def measure(told, metric, side=None):
    (found,) = [m for m in told["measures"] if (m["metric"], m["side"]) == (metric, side)]
    return found


@pytest.fixture(scope="module")
def squats():
    _, track, xy = filmed("squat", fps=60.0, seconds=16.0, seed=2)
    return summarised(track, Context("squat"), guidelines=GUIDELINES), track, xy


@pytest.fixture(scope="module")
def walk():
    track = filmed("gait", fps=60.0, seconds=7.0, seed=2)[1]
    return summarised(track, Context("gait", subject=Subject(height_m=1.75)), guidelines=GUIDELINES)


def test_squats_are_told_one_by_one(squats):
    told, track, _ = squats
    assert [rep["number"] for rep in told["reps"]] == list(range(1, 9))
    for i, rep in enumerate(told["reps"]):
        assert rep["t_peak_s"] == pytest.approx(1 + 2 * i, abs=1 / 30)
        assert rep["t_start_s"] < rep["t_peak_s"] < rep["t_end_s"]
        assert rep["duration_s"] == pytest.approx(rep["t_end_s"] - rep["t_start_s"], abs=2e-4)
        start, peak, stop = rep["frames"]
        assert abs(track.times_s[peak] - rep["t_peak_s"]) < 0.1
        assert start <= peak <= stop
    assert told["gait"] is told["gait_reason"] is None
    assert told["jumps"] == told["landings"] == []


def test_ranges_of_joints_are_those_of_the_exact_points(squats):
    told, _, xy = squats
    for name in ("left_knee", "right_knee", "left_hip", "right_hip", "left_shoulder"):
        truth = np.abs(flexion(name, xy))
        joint = told["joints"][name]
        assert joint["min"] == pytest.approx(np.percentile(truth, 1), abs=2.5), name
        assert joint["max"] == pytest.approx(np.percentile(truth, 99), abs=2.5), name
        low, high = joint["rom_ci95"]
        # The deepest tenth of a second of eight squats is where noise adds to them.
        assert low - 0.5 < np.ptp(truth) < high, name
        fastest = np.abs(np.gradient(truth, 1 / 60)).max()
        noise = joint["velocity_sigma_deg_s"]  # of the largest of a thousand frames, four of them
        assert fastest - noise < joint["peak_velocity_deg_s"] < fastest + 4 * noise, name
        assert joint["valid_fraction"] > 0.95
        assert joint["reason"] is None


def test_measures_of_repetitions_are_those_of_the_exact_points(squats):
    told, track, xy = squats
    truth = np.abs(flexion("left_knee", xy))
    peaks = [truth[(track.times_s >= 2 * i) & (track.times_s < 2 * i + 2)].max() for i in range(8)]
    found = measure(told, "knee_flexion_peak", "left")
    assert found["values"] == pytest.approx(peaks, abs=4.0)
    assert found["n"] == len(found["values"]) == len(found["t_s"]) == 8
    assert found["mean"] == pytest.approx(np.mean(found["values"]), abs=1e-3)
    assert found["sd"] == pytest.approx(np.std(found["values"], ddof=1), abs=1e-3)


def test_the_mean_curve_is_that_of_the_movement(squats):
    told, _, _ = squats
    assert told["phases"]["of"] == "repetition"
    times = np.linspace(told["reps"][0]["t_start_s"], told["reps"][0]["t_end_s"], 101)
    truth = np.abs(flexion("left_knee", exact("squat", times)[1]))
    curve = told["phases"]["joints"]["left_knee"]
    assert curve["n"] == 8
    assert np.abs(np.array(curve["mean"]) - truth).mean() < 2.0
    assert max(curve["sd"]) < 5.0


def test_a_walk_has_steps_and_measures_of_strides(walk):
    gait = walk["gait"]
    assert gait["cadence_per_min"] == pytest.approx(2 * 60 / 1.1, rel=0.01)
    assert not gait["running"]
    assert gait["steps"] >= 8
    for side in ("left", "right"):
        assert measure(walk, "stride_time", side)["mean"] == pytest.approx(1.1, rel=0.01)
        assert measure(walk, "knee_rom", side)["n"] >= 3
    assert walk["phases"]["of"] == "stride"
    assert walk["jumps"] == []


def test_a_stride_whose_knee_was_hidden_is_left_out_of_what_knees_tell():
    track = filmed("gait", fps=60.0, seconds=7.0, seed=2)[1]
    track.xy[140:265, 13] = np.nan  # left knee
    told = summarised(track, Context("gait"))
    strides = {side: measure(told, "stride_time", side)["n"] for side in ("left", "right")}
    assert measure(told, "knee_rom", "right")["n"] == strides["right"]
    assert 0 < measure(told, "knee_rom", "left")["n"] < strides["left"]


def test_lengths_are_metres_where_a_height_is_known(walk):
    track = filmed("gait", fps=60.0, seconds=7.0, seed=2)[1]
    without = summarised(track, Context("gait"))
    assert (walk["length_unit"], without["length_unit"]) == ("m", "stature")
    metres, statures = (measure(told, "step_length", "left") for told in (walk, without))
    assert (metres["unit"], statures["unit"]) == ("m", "stature")
    assert metres["values"] == pytest.approx(1.75 * np.array(statures["values"]), rel=1e-3)


def test_jumps_are_told_with_their_heights():
    track = filmed("jump", fps=60.0, seed=3, noise_px=2.0)[1]
    told = summarised(track, Context("jump"))
    assert len(told["jumps"]) == len(told["landings"]) == 3
    for jump in told["jumps"]:
        # A jump of 0.16 of the 1.75 m that the film's gravity is of.
        low, high = jump["height_range_m"]
        assert low < 0.28 < high
    known = [j["height_m"] for j in told["jumps"] if j["height_m"] is not None]
    assert known
    assert measure(told, "jump_height")["values"] == known


def test_a_single_picture_has_a_summary_without_events():
    told = summarised(seen(FIGURE, sigma=2.0), guidelines=GUIDELINES)
    assert told["reps"] == told["jumps"] == told["measures"] == []
    assert told["phases"] is told["gait"] is None
    assert {a["status"] for a in told["applications"].values()} == {"insufficient_data"}


def test_every_application_has_a_status_and_a_reason_where_it_is_not_ok(squats, walk):
    for told in (squats[0], walk):
        assert tuple(told["applications"]) == APPLICATIONS
        for outcome in told["applications"].values():
            assert (outcome["reason"] is None) == (outcome["status"] == "ok")
    given = {n for n, a in squats[0]["applications"].items() if a["status"] == "not_supplied"}
    assert given == {"technique", "progress", "norms"}


def test_limits_and_thresholds_are_in_every_result(squats):
    told, _, _ = squats
    assert told["limits"] == list(LIMITS)
    assert told["config"]["speed_zones_deg_s"] == [50.0, 150.0, 300.0]
    assert told["model"] == "Simulated"


def test_parts_that_are_off_leave_their_applications_out():
    track = filmed("squat", seconds=6.0)[1]
    told = summarised(
        track, parts=EnabledOutputs(joint_angle_analysis=False, symmetry_detection=False,
                           movement_quality=False), guidelines=GUIDELINES,
    )  # fmt: skip
    assert told["joints"] == {}
    for name in ("monitoring", "asymmetry", "efficiency"):
        assert told["applications"][name]["reason"] == "disabled"
    assert told["applications"]["load"]["repetitions"] == 3


def test_a_joint_that_is_mostly_hidden_is_null_with_the_reason():
    track = filmed("squat", seconds=6.0)[1]
    hidden = np.arange(len(track.xy)) % 45 < 30
    track.xy[hidden, 9] = np.nan  # left wrist
    told = summarised(track)
    assert told["joints"]["left_elbow"]["rom"] is None
    assert told["joints"]["left_elbow"]["reason"] == "low_coverage"
    assert told["joints"]["left_knee"]["rom"] is not None


def test_slow_motion_is_told_in_the_time_of_the_world():
    fast = filmed("squat", fps=120.0, seconds=6.0, style=Style(period_s=1.5))[1]
    slowed = seen(fast.xy, times_s=fast.times_s * 4, sigma=2.0, size=fast.size)
    told = summarised(slowed, Context(camera=Camera(slowmo_factor=4.0)))
    assert [rep["t_peak_s"] for rep in told["reps"]] == pytest.approx(
        [0.75, 2.25, 3.75, 5.25], abs=1 / 30
    )
