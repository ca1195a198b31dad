"""Gait: contacts and toe-offs by the oracle of the definitions and of the athlete."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import find_peaks

from biomech import reasons
from biomech.config import Context, Subject
from biomech.events.flight import flights
from biomech.events.gait import Gait, GaitEvent, gait_of
from biomech.skeleton import INDEX, SIDES
from tests.support.filmed_athlete import ankle_ahead, exact, filmed, metrics_and_curves, summarised
from tests.support.moving_figure import walk
from tests.support.rolling_foot import HEIGHT_M, locomotion
from tests.support.stick_figure import from_the_side, seen

FRAME_S = 1 / 30


def walked(track, *, runner=False, **config):
    metrics, curves = metrics_and_curves(track, **config)
    flown = flights(curves, None)
    return gait_of(curves, metrics.view.of_clip(), track.present, flown, runner=runner)


def oracle_angles(t, shift):
    """Hip and knee flexion of the analytic gait of the definitions."""
    u = 2 * np.pi * 0.9 * t + shift
    hip = 10 + 22 * np.cos(u)
    knee = 8 + 52 * np.exp(3 * (np.cos(u - 1.5 * np.pi) - 1))
    return hip, knee + 10 * np.exp(6 * (np.cos(u - np.pi / 4) - 1))


def oracle_track(fps=60.0, seconds=8.0, **options):
    """The walk of the definitions: stature 400 pixels, thigh and shank 0.245 and 0.246 of it."""
    t = np.arange(round(fps * seconds)) / fps
    (left_hip, left_knee), (right_hip, right_knee) = (
        oracle_angles(t, shift) for shift in (np.pi, 0.0)
    )
    xy = from_the_side(
        hip=(left_hip, right_hip), knee=(left_knee, right_knee), legs=(98.0, 98.4), **options
    )
    return seen(xy, times_s=t, sigma=1.0)


def test_the_angles_of_the_oracle():
    t = np.arange(480) / 60
    hip, knee = oracle_angles(t, 0.0)
    assert (hip[30], knee[30]) == pytest.approx((-10.923243, 9.026114), abs=1e-6)
    assert np.ptp(knee) == pytest.approx(51.708395, abs=1e-6)


@pytest.mark.parametrize("facing", [1, -1])
def test_the_walk_of_the_definitions(facing):
    gait, why = walked(oracle_track(facing=facing))
    assert why == ""
    for side, expected in (("right", [1.112083, 2.223167]), ("left", [0.5565, 1.667656])):
        assert np.isclose(gait.times("contact", side)[:, None], expected, atol=0.004).any(0).all()
    assert gait.cadence() == pytest.approx(107.997, abs=0.15)
    assert not gait.running
    assert not gait.stance_known  # its ankles are 8 cm above the ground at the contacts


def test_contacts_alternate_and_toe_offs_lie_between_contacts_of_a_side():
    gait, _ = walked(oracle_track())
    sides = [e.side for e in gait.events if e.kind == "contact"]
    assert all(a != b for a, b in pairwise(sides))
    for side in ("left", "right"):
        contacts, offs = gait.times("contact", side), gait.times("toe_off", side)
        between = np.searchsorted(offs, contacts[1:]) - np.searchsorted(offs, contacts[:-1])
        assert between.tolist() == [1] * (len(contacts) - 1)
    assert len(gait.strides("left")) == len(gait.times("contact", "left")) - 1


@pytest.mark.parametrize("fps", [30.0, 60.0])
@pytest.mark.parametrize("view", ["from the left", "from the right"])
@pytest.mark.parametrize("movement", ["gait", "run"])
def test_contacts_of_the_athlete_are_within_a_frame(movement, view, fps):
    treadmill = movement == "run"
    _, track, _ = filmed(movement, view=view, fps=fps, seed=1, treadmill=treadmill)
    gait, _ = walked(track)
    dense = np.arange(8001) / 1000
    points = exact(movement, dense, treadmill=treadmill)[2]
    for side in ("left", "right"):
        true = dense[find_peaks(ankle_ahead(points, side), prominence=0.1)[0]]
        made = gait.times("contact", side)
        assert len(made) >= len(true) - 1  # the walk may begin or end outside the picture
        assert np.abs(made[:, None] - true).min(1).max() <= FRAME_S


def test_somebody_seen_from_the_front_has_no_gait_for_that_reason():
    _, track, _ = filmed("gait", view="from the front", treadmill=True, seconds=4.0)
    assert walked(track) == (None, reasons.VIEW_MISMATCH)


def test_squats_are_no_gait():
    assert walked(filmed("squat", seconds=5.0)[1]) == (None, "")


def test_hidden_ankles_leave_the_gait_unknown_for_that_reason():
    track = oracle_track()
    track.xy[np.arange(len(track.xy)) % 50 < 30, 15:] = np.nan
    assert walked(track) == (None, reasons.LOW_CONFIDENCE)


def test_steps_are_not_counted_across_a_stretch_without_the_person():
    t = np.arange(480) / 60
    whole = oracle_track()
    absent = (t > 3.2) & (t < 4.8)
    track = seen(whole.xy, times_s=t, sigma=1.0, present=~absent)
    track.xy[absent] = np.nan
    gait, _ = walked(track)
    assert len(gait.bouts) == 2
    longest = max(b.t_s - a.t_s for a, b in gait.steps())
    assert longest == pytest.approx(1 / 1.8, abs=0.02)
    assert gait.cadence() == pytest.approx(108, abs=0.3)


# Speed, seconds a stride, share on the ground: what figures.py and textbooks have of each gait.
RUNS = [(2.2, 0.75, 0.42), (3.3, 0.72, 0.34), (6.0, 0.50, 0.25)]
WALKS = [(0.8, 1.3, 0.66), (1.3, 1.1, 0.62), (2.0, 0.9, 0.57), (3.0, 0.70, 0.51)]


def gone(figure, movement):
    """The summary of a walker or runner on a treadmill, or over ground."""
    track = seen(figure.xy, times_s=figure.times_s, sigma=1.0, size=(4000, 1280))
    return summarised(track, Context(movement, subject=Subject(height_m=HEIGHT_M)))


def means(told, metric):
    return [m["mean"] for m in told["measures"] if m["metric"] == metric]


@pytest.mark.parametrize("fps", [30.0, 120.0])
@pytest.mark.parametrize("treadmill", [True, False])
@pytest.mark.parametrize("speed", RUNS)
def test_stance_and_step_length_of_a_runner_are_not_given(speed, treadmill, fps):
    """A stance of 0.245 s was given as 0.432, a step of 1.19 m as 0.91, as known (F6)."""
    speed_m_s, stride_s, duty = speed
    figure = locomotion(
        run=True, speed_m_s=speed_m_s, stride_s=stride_s, duty=duty, fps=fps,
        seconds=3.0 if not treadmill else 5.0, treadmill=treadmill,
    )  # fmt: skip
    for movement in ("run", "auto"):
        told = gone(figure, movement)
        gait = told["gait"]
        assert gait["stance_known"] is False
        assert gait["stance_reason"] == reasons.NO_FOOT_POINTS
        assert means(told, "stance_time") == means(told, "step_length") == []
        assert told["jumps"] == told["landings"] == []
        for time, seconds in (("stride_time", stride_s), ("step_time", stride_s / 2)):
            assert means(told, time) == pytest.approx([seconds, seconds], rel=0.02)
        assert gait["cadence_per_min"] == pytest.approx(120 / stride_s, rel=0.02)
    assert gone(figure, "run")["gait"]["running"]


@pytest.mark.parametrize("speed", RUNS)
def test_running_is_recognized_by_feet_in_the_air(speed):
    speed_m_s, stride_s, duty = speed
    figure = locomotion(run=True, speed_m_s=speed_m_s, stride_s=stride_s, duty=duty, fps=60.0)
    assert gone(figure, "auto")["gait"]["running"]


@pytest.mark.parametrize("speed", WALKS)
def test_walkers_are_no_runners_and_what_is_given_of_them_holds(speed):
    """Fast walkers set their feet down long after their ankles are farthest ahead (F6)."""
    speed_m_s, stride_s, duty = speed
    figure = locomotion(run=False, speed_m_s=speed_m_s, stride_s=stride_s, duty=duty)
    told = gone(figure, "gait")
    gait = told["gait"]
    assert not gait["running"]
    assert gait["stance_known"] == (speed_m_s < 1.0)
    assert (gait["stance_reason"] is None) == gait["stance_known"]
    for measure in told["measures"]:
        if measure["metric"] == "stance_time":
            assert abs(measure["mean"] - figure.stance_s) <= 1.96 * measure["sigma"][0]
        if measure["metric"] == "step_length":
            assert abs(measure["mean"] - figure.step_m) <= 1.96 * measure["sigma"][0]


@pytest.mark.parametrize(
    ("run", "speed"), [*((True, s) for s in RUNS), *((False, s) for s in WALKS)]
)
def test_events_are_off_by_what_is_said_at_most(run, speed):
    speed_m_s, stride_s, duty = speed
    figure = locomotion(run=run, speed_m_s=speed_m_s, stride_s=stride_s, duty=duty)
    gait = gone(figure, "run" if run else "gait")["gait"]
    for event in gait["events"]:
        true = figure.contact_s if event["kind"] == "contact" else figure.toe_off_s
        off = np.abs(true[event["side"]] - event["t_s"]).min()
        assert off <= gait["event_error_s"] + 0.006


def test_a_runner_from_the_front_makes_no_jumps():
    figure = locomotion(run=True, speed_m_s=3.3, stride_s=0.8, duty=0.2)
    xy = figure.xy.copy()
    xy[..., 0] = 640 + 0.1 * (xy[..., 0] - 640)
    for name, index in INDEX.items():
        side = name.startswith("left_") - name.startswith("right_")
        xy[:, index, 0] += side * (45 if name.endswith("shoulder") else 24)
    track = seen(xy, times_s=figure.times_s, sigma=1.0, size=(1280, 1280))
    told = summarised(track, Context("run"))
    assert told["gait"] is None
    assert told["jumps"] == told["landings"] == []


def paused(seconds):
    """A walk, a pause of ``seconds``, and the same walk again, 60 frames a second."""
    one = walk(np.arange(0, 4, 1 / 60), stride_hz=0.9).xy
    xy = np.concatenate([one, np.repeat(one[-1:], round(seconds * 60), axis=0), one])
    track = seen(xy, times_s=np.arange(len(xy)) / 60, sigma=0.5, size=(2000, 2000))
    return walked(track)[0]


def test_a_pause_between_two_walks_is_no_step():
    gait = paused(10.0)
    assert len(gait.bouts) == 2
    assert max(b.t_s - a.t_s for a, b in gait.steps()) < 0.7


def test_cadence_of_a_limp_is_that_of_both_sides():
    """Steps of 0.6 and 0.5 s: the median step was that of one side."""
    contacts = np.cumsum([0.5, 0.6] * 5)
    events = [
        GaitEvent("contact", SIDES[i % 2], float(t), round(60 * t)) for i, t in enumerate(contacts)
    ]
    gait = Gait(events, [(0, 1000)], running=False, landed=True)
    assert gait.cadence() == pytest.approx(120 / 1.1)
