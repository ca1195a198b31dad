"""Jumps and landings: times in the air against those of the athlete and of falling bodies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomech.curves import Curves
from biomech.flight import flights
from tests.filmed_athlete import filmed, metrics_and_curves
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
    assert found.height_m == pytest.approx(G * air_s**2 / 8, abs=G * air_s / 4 * 0.6 / fps)


@pytest.mark.parametrize(("fps", "centimetres"), [(30.0, 4.1), (120.0, 1.0)])
def test_what_a_frame_makes_of_the_height(fps, centimetres):
    t = np.arange(round(3 * fps)) / fps
    (found,) = flights(curves(hop(t, 1.0, 0.5, G / 1.75), fps=fps), 1.75)
    assert 100 * found.height_error_m == pytest.approx(centimetres, abs=0.1)


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
    assert found.height_m is found.height_error_m is None


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
