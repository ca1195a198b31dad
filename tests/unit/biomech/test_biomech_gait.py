"""Gait: contacts and toe-offs by the oracle of the definitions and of the athlete."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import find_peaks

from biomech import reasons
from biomech.flight import flights
from biomech.gait import gait_of
from tests.filmed_athlete import ankle_ahead, exact, filmed, metrics_and_curves
from tests.stick_figure import from_the_side, seen

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
    assert gait.stance_known


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


@pytest.mark.parametrize(("fps", "known"), [(30.0, False), (120.0, True)])
def test_a_runner_is_too_quick_for_contact_times_at_low_rates(fps, known):
    _, track, _ = filmed("run", fps=fps, seconds=3.0, treadmill=True)
    gait, _ = walked(track, runner=True)
    assert gait.running
    assert gait.stance_known is known
