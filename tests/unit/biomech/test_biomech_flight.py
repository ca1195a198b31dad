"""Jumps and landings: times in the air against those of the athlete and of falling bodies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomech.events.flight import flights, with_contacts
from biomech.kinematics.curves import Curves
from biomech.preprocessing.noise import Noise
from biomech.reasons import CONTACT_UNCERTAIN, NO_FREE_FALL
from tests.support.filmed_athlete import filmed, metrics_and_curves
from tools.athlete.motion import GRAVITY, Style

PERIOD_S, TAKEOFF_S = 2.8, 0.45 * 2.8
FLIGHT_S = 2 * np.sqrt(2 * 0.16 / GRAVITY)
G = 9.81


def curves(height, *, fps=120.0, hips=None, noise=0.0):
    """Somebody whose ankles, and hips half a stature above, are at (f,) statures."""
    height = np.asarray(height, float)
    random = np.random.default_rng(3)
    ankles = {side: height + random.normal(0, noise, len(height)) for side in ("left", "right")}
    hips = height + 0.5 if hips is None else hips
    return Curves(
        times_s=np.arange(len(height)) / fps, max_gap_s=0.2, flexion={}, signed=True,
        lean=np.zeros(len(height)), sigma={}, jitter={}, hip_height=hips,
        hip_height_raw=hips + random.normal(0, noise, len(height)), ankle_height=ankles,
        ankle_ahead={}, stature_px=400.0, rate_hz=fps,
    )  # fmt: skip


def hop(t, takeoff, air_s, gravity, drop=0.0):
    """(n,) statures above the first floor of a body in free fall, then on a floor ``drop`` lower.

    ``air_s`` is the time to fall back to the height of the takeoff.
    """
    speed = gravity * air_s / 2
    fall = speed * (t - takeoff) - gravity * (t - takeoff) ** 2 / 2
    return np.where(t < takeoff, 0.0, np.maximum(fall, -drop))


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
@pytest.mark.parametrize("view", ["from the left", "from the front"])
def test_jumps_of_the_athlete_are_within_a_frame(view, fps):
    _, track, _ = filmed("jump", view=view, fps=fps, seed=1, noise_px=1.0)
    found = flights(metrics_and_curves(track, cutoff_hz=10.0)[1], None)
    true = TAKEOFF_S + PERIOD_S * np.arange(3)
    assert [f.takeoff_s for f in found] == pytest.approx(true, abs=1 / fps)
    assert [f.landing_s for f in found] == pytest.approx(true + FLIGHT_S, abs=1 / fps)
    for flight in found:
        assert track.times_s[flight.takeoff] <= flight.takeoff_s < flight.landing_s
        assert flight.landing_s <= track.times_s[flight.landing]
        assert flight.landing - flight.takeoff - 1 == pytest.approx(FLIGHT_S * fps, abs=2)


@given(
    air_s=st.floats(0.3, 0.7),
    takeoff=st.floats(0.5, 1.0),
    fps=st.sampled_from([60.0, 120.0, 240.0]),
    height_m=st.floats(1.4, 2.0),
)
def test_a_body_in_free_fall_is_in_the_air_for_as_long_as_it_falls(air_s, takeoff, fps, height_m):
    t = np.arange(round(3 * fps)) / fps
    (found,) = flights(curves(hop(t, takeoff, air_s, G / height_m), fps=fps), height_m)
    assert found.takeoff_s == pytest.approx(takeoff, abs=0.3 / fps)
    assert found.landing_s == pytest.approx(takeoff + air_s, abs=0.3 / fps)
    assert found.same_level
    assert not found.leap


def noise_of_points(level_px, correlation=0.0):
    """Noise of a clip whose points all have the same."""
    return Noise(correlation, np.full(17, level_px), 1.0, None)


@given(
    air_s=st.floats(0.3, 0.7),
    fps=st.sampled_from([30.0, 60.0, 120.0, 240.0]),
    height_m=st.floats(1.5, 2.0),
    told=st.booleans(),
)
def test_the_range_holds_the_height_of_a_body_in_free_fall(air_s, fps, height_m, told):
    t = np.arange(round(3 * fps)) / fps
    made = curves(hop(t, 1.0, air_s, G / height_m), fps=fps)
    known = height_m if told else None
    (flight,) = flights(made, known)
    found = with_contacts(made, flight, (0, len(t) - 1), noise_of_points(0.0), known).contacts
    low, high = found.height_range_m
    assert low <= G * air_s**2 / 8 <= high
    assert found.takeoff_s[0] <= 1.0 <= found.takeoff_s[1]
    assert found.landing_s[0] <= 1.0 + air_s <= found.landing_s[1]


@pytest.mark.parametrize("moved_s", [-0.12, 0.12])
def test_hips_that_are_highest_at_another_time_leave_the_height_out(moved_s):
    """The parabola of the hips' free fall cross-checks that of the ankles (F1)."""
    t = np.arange(360) / 120
    height = hop(t, 1.0, 0.5, G / 1.75)
    early = 0.5 + 0.5 * G / 1.75 * (0.5**2 / 4 - (t - 1.25 - moved_s) ** 2)
    for hips, reason in ((None, ""), (early, CONTACT_UNCERTAIN)):
        made = curves(height, hips=hips)
        (flight,) = flights(made, 1.75)
        found = with_contacts(made, flight, (0, 359), noise_of_points(0.5), 1.75).contacts
        assert found.reason == reason
        assert (found.height_m is None) == (found.flight_s is None) == bool(reason)
        low, high = found.height_range_m
        assert low < G * 0.5**2 / 8 < high


def test_ankles_that_leap_at_once_do_not_fit_a_free_fall():
    t = np.arange(360) / 120
    height = hop(t, 1.0, 0.5, G / 1.75)
    made = curves(height + 0.05 * (height > 0))
    (flight,) = flights(made, 1.75)
    found = with_contacts(made, flight, (0, 359), noise_of_points(0.0), 1.75).contacts
    assert (found.height_m, found.reason) == (None, NO_FREE_FALL)


def test_a_step_from_foot_to_foot_is_a_leap():
    t = np.arange(360) / 120
    height = hop(t, 1.0, 0.3, G / 1.75)
    made = curves(height)
    up = np.clip((t - 1.0) / 0.3, 0, 1)
    one_foot = {"left": height + 0.12 * up, "right": height + 0.12 * (1 - up)}
    assert [f.leap for f in flights(made, 1.75)] == [False]
    swapped = replace(made, ankle_height=one_foot)
    assert [f.leap for f in flights(swapped, 1.75)] == [True]


def test_noise_of_the_points_moves_a_jump_by_a_frame_at_most():
    t = np.arange(360) / 120
    for takeoff in np.linspace(0.8, 1.2, 9):
        (found,) = flights(curves(hop(t, takeoff, 0.5, G / 1.75), noise=0.003), 1.75)
        assert found.takeoff_s == pytest.approx(takeoff, abs=1 / 120)
        assert found.landing_s == pytest.approx(takeoff + 0.5, abs=1 / 120)


def test_a_drop_to_a_lower_floor_has_a_landing_and_no_height():
    t = np.arange(480) / 120
    (found,) = flights(curves(hop(t, 1.5, 0.2, G / 1.75, drop=0.2), fps=120.0), 1.75)
    fall_s = 0.1 + np.sqrt(0.1**2 + 2 * 0.2 / (G / 1.75))
    assert found.landing_s == pytest.approx(1.5 + fall_s, abs=1 / 120)
    assert not found.same_level
    contacts = with_contacts(
        curves(hop(t, 1.5, 0.2, G / 1.75, drop=0.2)), found, (0, 479), noise_of_points(0.0), 1.75
    ).contacts
    assert contacts.height_m is contacts.height_error_m is contacts.height_range_m is None
    assert contacts.landing_s[0] <= 1.5 + fall_s <= contacts.landing_s[1]


def test_a_drop_lands_where_the_body_first_meets_the_lower_floor():
    t = np.arange(480) / 120
    lower = hop(t, 1.5, 0.25, G / 1.75, drop=0.25)
    (found,) = flights(curves(lower), 1.75)
    meets = t[np.flatnonzero(lower <= -0.25)[0]]
    assert found.landing_s == pytest.approx(meets, abs=1 / 120)


@pytest.mark.parametrize(
    "height",
    [
        np.zeros(360),
        np.where(np.arange(360) < 180, 0.0, 0.2),
        0.2 * np.sin(np.arange(360) / 60) ** 2,
        np.where(np.arange(360) > 300, np.nan, 0.0),
        np.full(360, np.nan),
    ],
    ids=["standing", "onto a box", "carried up and down", "lost", "never seen"],
)
def test_where_nobody_falls_is_no_flight(height):
    assert flights(curves(height), None) == []


def test_lifted_heels_without_a_fall_of_the_hips_are_no_jump():
    t = np.arange(360) / 120
    heels = hop(t, 1.0, 0.4, G / 1.75)
    assert flights(curves(heels, hips=np.full(360, 0.5)), None) == []
    assert len(flights(curves(heels), None)) == 1


def test_a_flight_that_the_clip_does_not_show_whole_is_left_out():
    t = np.arange(120) / 120
    assert flights(curves(hop(t, 0.8, 0.5, G / 1.75)), 1.75) == []
    assert flights(curves(hop(t, -0.2, 0.5, G / 1.75)), 1.75) == []


def test_squats_have_no_flight():
    _, track, _ = filmed("squat", view="from the left", style=Style(period_s=1.2), seconds=5.0)
    assert flights(metrics_and_curves(track)[1], None) == []


@pytest.mark.parametrize(("fps", "noise"), [(60.0, 0.002), (120.0, 0.004), (240.0, 0.002)])
def test_a_drop_from_a_box_is_a_landing_at_any_frame_rate(fps, noise):
    """At 240 frames a second a person still on the box seemed to move: the landing was lost."""
    times = np.arange(0, 4, 1 / fps)
    fallen_m = np.clip(G * np.maximum(times - 1.5, 0) ** 2 / 2, 0, 0.45)
    made = curves((0.45 - fallen_m) / 1.75, fps=fps, noise=noise)
    assert len(flights(made, 1.75)) == 1
