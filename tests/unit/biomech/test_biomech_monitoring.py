"""Rules held against angles of known size and doubt."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from biomech.applications.monitoring import _exceeds, monitoring
from biomech.applications.norms_and_limits import Rule
from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.person_metrics import person_metrics
from deployments.biomechanics.guideline_files import load_guidelines
from serve_app.settings import ROOT
from tests.support.filmed_athlete import filmed
from tests.support.plain import in_json
from tests.support.stick_figure import from_the_side, seen

monitoring = in_json(monitoring)

RULE = Rule(
    id="bent", metric="knee_flexion", side=None, phase="any", view="sagittal", op=">",
    threshold={"any": 60.0}, min_duration_s=0.0, p_min=0.95, source="a study", note=None,
)  # fmt: skip
SHIPPED = load_guidelines(ROOT / "config" / "rules.yaml").rules


def performed(track):
    return clip_events_of(person_metrics(track, BiomechanicsConfig()), BiomechanicsConfig(), "auto")


def kneeling(knee, sigma=1.0):
    """Somebody from the side whose left knee bends by (f,) degrees; the right by 10."""
    knee = np.asarray(knee, float)
    xy = from_the_side(knee=(knee, np.full(len(knee), 10.0)), hip=0.3 * knee, scale=1.5)
    return performed(seen(xy, sigma=sigma))


def held(frames_bent, degrees=80.0, frames=120):
    """(f,) degrees: bent for so many frames in the middle, with smooth ways there and back."""
    at = np.arange(frames) - frames / 2
    way = np.clip((frames_bent / 2 + 8 - np.abs(at)) / 8, 0, 1)
    return 10 + (degrees - 10) * (0.5 - 0.5 * np.cos(np.pi * way))


def alerts(clip_events, *rules, sex=None):
    return monitoring(clip_events, rules, sex)["alerts"]


def test_the_oracle_of_the_probability():
    assert _exceeds(RULE, 14.0, 1.5, 13.0) == pytest.approx(0.747507, abs=1e-6)


@given(value=st.floats(-90, 90), sigma=st.floats(0.1, 20), threshold=st.floats(-90, 90))
def test_above_and_below_share_the_whole_probability(value, sigma, threshold):
    above = _exceeds(RULE, value, sigma, threshold)
    below = _exceeds(replace(RULE, op="<"), value, sigma, threshold)
    assert above + below == pytest.approx(1.0)
    assert above == pytest.approx(norm.sf(threshold, value, sigma), abs=1e-12)


def test_an_alert_says_what_when_and_how_surely():
    knee = held(30)
    (alert,) = alerts(kneeling(knee), RULE)
    assert (alert["rule"], alert["side"], alert["source"]) == ("bent", "left", "a study")
    outside = np.flatnonzero(knee > 60) / 30
    assert alert["t_start_s"] == pytest.approx(outside[0], abs=2 / 30)
    assert alert["t_end_s"] == pytest.approx(outside[-1], abs=2 / 30)
    assert alert["value"] == pytest.approx(80.0, abs=1.5)
    low, high = alert["ci95"]
    assert low < alert["value"] < high
    assert alert["p_exceed"] > 0.99
    assert alert["text"] == "knee_flexion outside the configured range (> 60)"


def test_nothing_in_an_alert_speaks_of_risk_or_injury():
    (alert,) = alerts(kneeling(held(30)), RULE)
    assert [word for word in ("risk", "injur", "danger") if word in str(alert).lower()] == []


def test_what_may_be_within_the_range_gives_no_alert():
    knee = held(30, degrees=62.0)
    assert len(alerts(kneeling(knee, sigma=0.2), RULE)) == 1
    assert alerts(kneeling(knee, sigma=6.0), RULE) == []
    assert len(alerts(kneeling(knee, sigma=6.0), replace(RULE, p_min=0.5))) == 1


@pytest.mark.parametrize(("least_s", "expected"), [(0.5, 1), (2.0, 0)])
def test_what_is_over_soon_gives_no_alert(least_s, expected):
    assert len(alerts(kneeling(held(30)), replace(RULE, min_duration_s=least_s))) == expected


@pytest.mark.parametrize(("side", "expected"), [("left", 1), ("right", 0), (None, 1)])
def test_a_rule_can_be_of_one_side(side, expected):
    assert len(alerts(kneeling(held(30)), replace(RULE, side=side))) == expected


def test_a_rule_of_another_view_is_not_held_against_anything():
    told = monitoring(kneeling(held(30)), (replace(RULE, view="frontal"),), None)
    assert told["status"] == "insufficient_data"
    assert told["checked"] == [{"rule": "bent", "threshold": 60.0, "checked": 0}]


@pytest.mark.parametrize(("sex", "expected"), [("male", 1), ("female", 0), (None, 0)])
def test_thresholds_may_differ_by_sex(sex, expected):
    rule = replace(RULE, threshold={"male": 60.0, "female": 100.0, "any": 100.0})
    assert len(alerts(kneeling(held(30)), rule, sex=sex)) == expected


def test_without_rules_nothing_is_supplied():
    assert monitoring(kneeling(held(30)), (), None)["status"] == "not_supplied"


def test_a_rule_of_the_peak_is_held_against_every_repetition():
    clip_events = performed(filmed("squat", fps=60.0, seed=2)[1])
    told = monitoring(clip_events, (replace(RULE, phase="peak"),), None)
    assert told["checked"][0]["checked"] == 8  # four squats, two knees
    assert len(told["alerts"]) == 8


def test_stiff_landings_are_told_by_the_shipped_rules():
    clip_events = performed(filmed("jump", fps=60.0, seed=3, noise_px=1.0)[1])
    told = monitoring(clip_events, SHIPPED, None)
    checked = {item["rule"]: item["checked"] for item in told["checked"]}
    assert checked["landing_knee_stiff"] == 6  # three landings, two knees
    stiff = [a for a in told["alerts"] if a["rule"] == "landing_knee_stiff"]
    assert len(stiff) == 6  # the athlete of the films lands with knees all but straight
    for alert in stiff:
        assert alert["value"] < 20
    excursion = [a for a in told["alerts"] if a["rule"] == "landing_knee_excursion"]
    assert excursion == []  # and then bends them by some 60 degrees


def test_a_knee_bent_backward_is_told_where_the_side_faced_is_known():
    knee = np.where(np.abs(np.arange(120) - 60) < 25, -16.0, 30.0)
    (rule,) = [r for r in SHIPPED if r.id == "knee_hyperextension"]
    (alert,) = alerts(kneeling(knee, sigma=0.5), rule)
    assert alert["side"] == "left"
    assert alert["value"] == pytest.approx(-16, abs=3)
