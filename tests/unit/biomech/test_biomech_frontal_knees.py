"""The knees' projection angle where it is of load: at the lowest hips, and after a landing."""

import numpy as np
import pytest

from biomech.config import Context, Subject
from biomech.skeleton import INDEX
from deployments.biomechanics.guideline_files import load_guidelines
from serve_app.setting_types import ROOT
from tests.support.filmed_athlete import filmed, summarised
from tests.support.moving_figure import GRAVITY, GROUND, STATURE, bump, frames
from tests.support.stick_figure import seen

GUIDELINES = load_guidelines(ROOT / "config" / "rules.yaml", ROOT / "config" / "mdc.yaml")
SUBJECT = Context(subject=Subject(height_m=1.75))


def facing_camera(down, inward_deg, raised_deg, lift):
    """(f, 17, 2) of somebody from the front.

    Args:
        down: (f,) how far the hips are down, pixels. inward_deg: (f,) or pair of them by which the
            knees' projection goes inward. raised_deg: (f,) of the arms to the side. lift: (f,)
            pixels that all is above the ground.
    """
    n = len(down)
    xy = np.zeros((n, 17, 2))
    for i, (side, out) in enumerate((("left", 1.0), ("right", -1.0))):
        inward = inward_deg[i] if isinstance(inward_deg, tuple) else inward_deg
        half = (200.0 - down) / 2
        arm = np.radians(raised_deg)
        reach = np.stack([out * np.sin(arm), np.cos(arm)], -1)
        shoulder = np.stack([np.full(n, out * 50.0), -200.0 + down - 120.0], -1)
        points = {
            "hip": np.stack([np.full(n, out * 25.0), -200.0 + down], -1),
            "knee": np.stack([out * (25.0 - half * np.tan(np.radians(inward) / 2)), -half], -1),
            "ankle": np.stack([np.full(n, out * 25.0), np.zeros(n)], -1),
            "shoulder": shoulder,
            "elbow": shoulder + 75.0 * reach,
            "wrist": shoulder + 140.0 * reach,
            "ear": shoulder * [0.3, 1.0] - [0.0, 50.0],
            "eye": shoulder * [0.15, 1.0] - [0.0, 58.0],
        }
        for name, point in points.items():
            xy[:, INDEX[f"{side}_{name}"]] = point
    xy[:, 0] = (xy[:, INDEX["left_eye"]] + xy[:, INDEX["right_eye"]]) / 2 + [0.0, 6.0]
    return xy + np.stack([np.full(n, 450.0), GROUND - lift], -1)[:, None]


def told_of(xy, times_s, context=SUBJECT):
    track = seen(xy, times_s=times_s, sigma=1.0, size=(900, 900))
    return summarised(track, context, guidelines=GUIDELINES)


def values(told, metric, side):
    found = [m for m in told["measures"] if (m["metric"], m["side"]) == (metric, side)]
    return found[0]["values"] if found else []


def alerts(told):
    made = told["applications"]["monitoring"]["alerts"]
    return [(a["side"], a["value"]) for a in made if a["rule"] == "fppa_high"]


@pytest.mark.parametrize("late_s", [None, 0.0, 0.6, 1.0])
def test_knees_that_fall_in_are_found_whatever_the_arms_do(late_s):
    """(F8) Arms that moved most had the knees read at their own peaks, or not at all."""
    times = frames(16.0, 30)
    starts = 0.5 + 3.0 * np.arange(5)
    bent = sum(bump(times, s, 1.0, 1.0) for s in starts)
    arms = 5.0 + 0 * times if late_s is None else 5 + 85 * sum(
        bump(times, s + late_s, 1.0, 1.0) for s in starts
    )  # fmt: skip
    told = told_of(facing_camera(80.0 * bent, (25.0 * bent, 3.0 * bent), arms, 0 * times), times)
    arm_driven = told["driver"].endswith("_shoulder")
    assert arm_driven == (late_s is not None)
    assert values(told, "fppa_peak", "left") == pytest.approx([25.0] * 5, abs=1.5)
    assert values(told, "fppa_peak", "right") == pytest.approx([3.0] * 5, abs=1.5)
    assert [side for side, _ in alerts(told)] == ["left"] * 5


def landing(inward, *, times, takeoff=1.5, flight_s=0.5, dips=True):
    """Somebody who jumps and lands with knees that go inward by (f,) degrees."""
    air = np.clip(times - takeoff, 0, flight_s)
    lift = 0.5 * GRAVITY * STATURE / 1.75 * air * (flight_s - air)
    down = 45.0 * bump(times, takeoff - 0.7, 0.4, 0.3) * dips
    down = down + 60.0 * bump(times, takeoff + flight_s, 0.25, 0.6)
    return facing_camera(down, inward, 10.0 + 0 * times, lift)


@pytest.mark.parametrize("rate", [30.0, 60.0])
def test_knees_that_fall_in_after_a_landing_are_found(rate):
    """(F8) The rule was never held against a landing."""
    times = frames(5.0, rate)
    inward = 22.0 * bump(times, 2.0, 0.15, 0.3)  # over again when the hips are lowest
    told = told_of(landing(inward, times=times), times)
    assert len(told["landings"]) == 1
    for side in ("left", "right"):
        (value,) = values(told, "fppa_landing_peak", side)
        assert value == pytest.approx(22.0, abs=3.0)
        assert len(values(told, "fppa_peak", side)) == 1  # before the jump
    assert sorted(side for side, _ in alerts(told)) == ["left", "right"]


def test_straight_knees_give_no_alert_and_are_checked_once_a_descent():
    times = frames(5.0, 60)
    told = told_of(landing(0 * times, times=times), times)
    assert alerts(told) == []
    checked = {c["rule"]: c["checked"] for c in told["applications"]["monitoring"]["checked"]}
    assert checked["fppa_high"] == 4  # the dip before the jump and the landing, of both knees


def test_from_the_side_there_is_no_projection_angle():
    told = summarised(filmed("squat", fps=30.0, seed=2)[1], guidelines=GUIDELINES)
    assert values(told, "fppa_peak", "left") == []
