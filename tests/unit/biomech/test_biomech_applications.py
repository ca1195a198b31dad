"""Asymmetry, fatigue, load, efficiency and norms, from measures of known values."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid

from biomech.applications.asymmetry import asymmetry
from biomech.applications.efficiency import efficiency
from biomech.applications.external_load import load
from biomech.applications.fatigue import MOST_VALUES, fatigue
from biomech.applications.norms import against_norms, percentile_of
from biomech.applications.norms_and_limits import NEAR_FAR_BIAS, NO_LIMIT, Limit, Norm
from biomech.applications.outcome import SINGLE_VALUE
from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import clip_events_of
from biomech.events.measures import Measure, measures_of
from biomech.kinematics.person_metrics import person_metrics
from biomech.records.event_records import MeanCurve, MeanMovement
from biomech.statistics.inference import mann_kendall, theil_sen
from deployments.biomechanics.guideline_files import load_guidelines
from serve_app.settings import ROOT
from tests.support.filmed_athlete import HEADING, filmed
from tests.support.plain import in_json

asymmetry = in_json(asymmetry)
efficiency = in_json(efficiency)
load = in_json(load)
fatigue = in_json(fatigue)
against_norms = in_json(against_norms)

LIMITS = {"rom": Limit(5.0, "a study"), "angle": Limit(5.0, "a study")}
FATIGUE = [92.1, 91.4, 91.9, 90.2, 90.8, 89.5, 89.9, 88.7, 88.1, 88.4]
TWENTY = [*FATIGUE, *(value - 4.2 for value in FATIGUE)]

EVEN = [92, 88, 91, 89, 90, 92, 88, 90, 91, 89]


def measure(values, metric="rom", side=None, ratio=True, every_s=3.0):
    values = np.asarray(values, float)
    times = every_s * np.arange(len(values))
    return Measure(metric, side, "deg", times, values, ratio)


def sides(left, right, metric="rom", ratio=True):
    return [measure(left, metric, "left", ratio), measure(right, metric, "right", ratio)]


def difference(left, right, **options):
    limits, involved = options.pop("limits", LIMITS), options.pop("involved", None)
    view = options.pop("view", "frontal")
    told = asymmetry(sides(left, right, **options), None, limits, involved, view)
    (found,) = told["differences"]
    return found


def performed(movement, **options):
    track = filmed(movement, **options)[1]
    return clip_events_of(person_metrics(track, BiomechanicsConfig()), BiomechanicsConfig(), "auto")


def test_the_oracle_of_the_sides():
    told = difference([57, 58, 59], [51, 52, 53], involved="right")
    assert (told["left"], told["right"], told["diff"]) == (58.0, 52.0, -6.0)
    assert (told["si"], told["sa"], told["lsi"]) == (-10.9091, -3.469, 89.6552)
    half = 2.776445 * math.sqrt(2 / 3)  # Student, 4 degrees of freedom
    assert told["ci95"] == pytest.approx([-6 - half, -6 + half], abs=1e-3)
    assert told["band"] == "10_to_15"
    assert told["real"] is True


@pytest.mark.parametrize(
    ("left", "right", "ratio", "real"),
    [
        ([57, 58, 59], [51, 52, 53], True, True),
        ([57, 58, 59], [53, 54, 55], True, False),
        ([40, 58, 76], [34, 52, 70], True, False),
        ([57, 58, 59, 40, 76] * 30, [51, 52, 53, 34, 70] * 30, True, False),
        ([57, 58, 59, 40, 76] * 30, [51, 52, 53, 34, 70] * 30, False, True),
    ],
    ids=["real", "less than can be told", "less than its error", "less than the scatter",
         "an angle has no coefficient of variation"],
)  # fmt: skip
def test_a_difference_is_real_beyond_error_change_and_scatter(left, right, ratio, real):
    assert difference(left, right, ratio=ratio)["real"] is real


def test_without_a_detectable_change_there_is_no_verdict():
    told = difference([57, 58, 59], [51, 52, 53], limits={})
    assert (told["real"], told["mdc"]) == (None, None)
    assert told["reason"] == NO_LIMIT
    unknown = {"rom": Limit(None, reason="never measured twice")}
    told = difference([57, 58, 59], [51, 52, 53], limits=unknown)
    assert (told["real"], told["reason"]) == (None, "never measured twice")


NEARER = Limit(5.0, "a study", near_far=6.0)


@pytest.mark.parametrize(
    ("right", "limit", "view", "real", "reason"),
    [
        (50, NEARER, "frontal", True, None),
        (50, NEARER, "sagittal", None, NEAR_FAR_BIAS),
        (50, NEARER, "oblique", None, NEAR_FAR_BIAS),
        (50, NEARER, None, None, NEAR_FAR_BIAS),
        (47.1, NEARER, "sagittal", None, NEAR_FAR_BIAS),
        (46.9, NEARER, "sagittal", True, None),
        (69.1, NEARER, "sagittal", True, None),
        (68.9, NEARER, "sagittal", None, NEAR_FAR_BIAS),
        (20, Limit(5.0, "a study"), "sagittal", None, NEAR_FAR_BIAS),
        (20, Limit(5.0, "a study"), "frontal", True, None),
        (54, NEARER, "sagittal", False, None),
        (20, Limit(None, reason="never measured"), "sagittal", None, "never measured"),
    ],
)
@pytest.mark.parametrize("ratio", [True, False])
def test_a_nearer_side_is_no_real_asymmetry(right, limit, view, real, reason, ratio):
    """A bias of one camera is never told as real: (F14)."""
    told = difference(
        [57, 58, 59], [right - 1, right, right + 1], ratio=ratio, limits={"rom": limit}, view=view
    )
    assert (told["real"], told["reason"]) == (real, reason)
    assert told["near_far"] == (0.0 if view == "frontal" else limit.near_far)


@pytest.mark.parametrize("view", ["from the left", "from the right"])
@pytest.mark.parametrize("off_deg", [-25.0, 25.0])
@pytest.mark.parametrize("movement", ["squat", "jump"])
def test_a_symmetric_movement_beside_the_camera_is_not_asymmetric(movement, off_deg, view):
    """Sides that perspective alone puts apart by more than can be detected: (F14)."""
    straight = HEADING[view]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(HEADING, view, straight + off_deg)
        track = filmed(movement, view=view, fps=60.0, noise_px=0.2)[1]
    clip_events = clip_events_of(
        person_metrics(track, BiomechanicsConfig()), BiomechanicsConfig(), "auto"
    )
    limits = load_guidelines(mdc=ROOT / "config" / "mdc.yaml").limits
    strict = {name: replace(limit, mdc=limit.mdc and 0.5) for name, limit in limits.items()}
    told = asymmetry(measures_of(clip_events), None, strict, None, clip_events.view)
    assert any(abs(item["diff"]) > 2.0 for item in told["differences"])
    assert [item["metric"] for item in told["differences"] if item["real"]] == []
    for item in told["differences"]:
        assert (item["reason"] is None) == (item["real"] is not None)


def test_every_measure_has_a_detectable_change_or_the_reason_why_not():
    """(F14)."""
    limits = load_guidelines(mdc=ROOT / "config" / "mdc.yaml").limits
    metrics = {
        found.metric
        for movement in ("squat", "jump", "gait", "run", "lunge", "arm_raise")
        for view in HEADING
        for found in measures_of(performed(movement, view=view, fps=60.0, noise_px=0.5))
    }
    assert {"knee_rom", "fppa_peak", "stride_time", "peak_speed"} <= metrics
    metrics |= {"jump_height", "flight_time"}  # which only feet that hardly roll have
    assert metrics <= limits.keys()
    assert all((limits[name].mdc is None) == bool(limits[name].reason) for name in metrics)


def test_a_trend_without_a_detectable_change_says_so():
    """(F14)."""
    for limits, reason in (({}, NO_LIMIT), ({"rom": Limit(None, reason="unknown")}, "unknown")):
        (trend,) = fatigue([measure(TWENTY)], limits)["trends"]
        assert (trend["mdc"], trend["drift"], trend["reason"]) == (None, None, reason)


def test_angles_have_no_quotients():
    told = difference([57, 58, 59], [51, 52, 53], metric="angle", ratio=False, involved="left")
    assert [told[name] for name in ("si", "sa", "lsi", "band")] == [None] * 4
    assert told["diff"] == -6.0


@pytest.mark.parametrize(
    "measures",
    [sides([1, 2], [1, 2, 3]), [measure([1, 2, 3], side="left")], [measure([1, 2, 3])], []],
    ids=["twice", "one side", "no side", "nothing"],
)
def test_sides_need_three_values_each(measures):
    assert asymmetry(measures, None, LIMITS, None)["status"] == "insufficient_data"


def test_curves_of_the_sides_are_compared_at_their_own_contacts():
    means = {"left_knee": [10.0, 20.0], "right_knee": [13.0, 16.0], "left_hip": [1.0, 1.0],
             "trunk_lean": [0.0, 0.0]}  # fmt: skip
    phases = MeanMovement(
        of="repetition", driver=None, direction=None, signed=True,
        joints={name: MeanCurve(n=3, mean=mean, sd=None) for name, mean in means.items()},
    )  # fmt: skip
    for view, reason in (("frontal", None), ("sagittal", NEAR_FAR_BIAS)):
        told = asymmetry(sides([1, 2, 3], [1, 2, 3]), phases, LIMITS, None, view)
        assert told["curves"] == [{"joint": "knee", "rmsd_deg": 3.5355, "reason": reason}]


def test_the_oracle_of_the_trend():
    (trend,) = fatigue([measure(TWENTY)], {"rom": Limit(4.0, "a study")})["trends"]
    line, test = theil_sen(3.0 * np.arange(20), np.array(TWENTY)), mann_kendall(np.array(TWENTY))
    assert trend["slope_per_min"] == pytest.approx(60 * line.slope, abs=1e-3)
    assert trend["ci95"][0] < 60 * line.low < 60 * line.high < trend["ci95"][1]
    assert trend["mk_z"] == pytest.approx(test.z, abs=1e-4)
    assert trend["p_holm"] == pytest.approx(test.p, abs=1e-4)
    assert trend["total_change"] == pytest.approx(line.slope * 57, abs=1e-4)
    assert (trend["drift"], trend["reason"]) == (True, None)


@pytest.mark.parametrize(
    ("values", "mdc", "drift"),
    [(TWENTY, 9.0, False), (TWENTY[::-1], 4.0, True), (EVEN * 2, 0.1, False), (TWENTY, None, None)],
    ids=["less than can be told", "upward", "no trend", "no detectable change"],
)  # fmt: skip
def test_a_drift_is_a_trend_and_more_than_can_be_told(values, mdc, drift):
    limits = {} if mdc is None else {"rom": Limit(mdc, "a study")}
    assert fatigue([measure(values)], limits)["trends"][0]["drift"] is drift


def test_trends_are_tested_together():
    noise = np.random.default_rng(5).normal(0, 1, (7, 20))
    weak = np.array(TWENTY) + np.random.default_rng(2).normal(0, 3, 20)
    alone = fatigue([measure(weak)], {})["trends"][0]["p_holm"]
    among = fatigue([measure(weak), *(measure(row) for row in noise)], {})["trends"][0]
    assert alone < 0.05
    assert among["p_holm"] == pytest.approx(8 * alone, rel=0.05)


@pytest.mark.parametrize("count", [8, 19])
def test_fewer_than_twenty_values_are_too_few_for_a_test(count):
    told = fatigue([measure(TWENTY[:count])], LIMITS)
    assert told["status"] == "insufficient_data"
    assert told["reason"] == f"too few: {count} values, a test for a trend needs 20"
    (trend,) = told["trends"]
    nulls = ("ci95", "mk_z", "variance_factor", "p_holm", "drift")
    assert [trend[name] for name in nulls] == [None] * 5
    assert trend["slope_per_min"] < 0
    assert trend["reason"] == told["reason"]


def test_a_measure_with_too_few_values_does_not_count_among_the_tests():
    trends = fatigue([measure(TWENTY), measure(TWENTY[:19], "angle")], LIMITS)["trends"]
    alone = fatigue([measure(TWENTY)], LIMITS)["trends"]
    assert trends[0] == alone[0]
    assert trends[1]["drift"] is None


def test_fewer_than_eight_values_have_no_slope():
    told = fatigue([measure(TWENTY[:7])], LIMITS)
    assert (told["status"], told["trends"]) == ("insufficient_data", [])


def test_the_trend_of_very_many_values_is_that_of_their_means():
    values = 100 - 0.001 * np.arange(5000) + np.random.default_rng(1).normal(0, 1, 5000)
    (trend,) = fatigue([measure(values, every_s=1.0)], LIMITS)["trends"]
    assert trend["n"] == MOST_VALUES
    assert trend["slope_per_min"] == pytest.approx(-0.06, rel=0.1)
    assert trend["p_holm"] < 1e-6


def test_load_counts_and_adds_up():
    clip_events = performed("squat", fps=60.0, seconds=8.0, noise_px=0.5)
    told = load(clip_events, BiomechanicsConfig())
    assert (told["repetitions"], told["steps"], told["jumps"]) == (4, 0, 0)
    knee = told["joints"]["left_knee"]
    signal, times = clip_events.curves.flexion["left_knee"], clip_events.curves.times_s
    speed = np.abs(np.gradient(signal, times))
    assert knee["travel_deg"] == pytest.approx(trapezoid(speed, times), rel=0.01)
    assert knee["travel_deg"] == pytest.approx(4 * 2 * 100, rel=0.1)
    assert sum(knee["zones_s"]) == pytest.approx(8.0, abs=0.05)
    fast = (speed >= 50) & (speed < 150)
    assert knee["zones_s"][1] == pytest.approx(fast.mean() * 8, abs=0.1)
    assert 0 < told["active_s"] <= 8.0


def test_time_without_the_person_is_no_load():
    track = filmed("squat", fps=60.0, seconds=8.0, noise_px=0.5)[1]
    track.xy[(track.times_s > 3) & (track.times_s < 5)] = np.nan
    clip_events = clip_events_of(
        person_metrics(track, BiomechanicsConfig()), BiomechanicsConfig(), "auto"
    )
    told = load(clip_events, BiomechanicsConfig())
    assert sum(told["joints"]["left_knee"]["zones_s"]) == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize(("fps", "jerk"), [(30.0, False), (60.0, True)])
def test_the_smoothness_of_each_way_is_told(fps, jerk):
    told = efficiency(performed("squat", fps=fps, noise_px=0.5))
    assert told["of"] in {"left_hip", "right_hip"}
    assert [(p["phase"], p["number"]) for p in told["phases"]] == [
        (way, i) for i in (1, 2, 3, 4) for way in ("out", "back")
    ]
    known = [p["sparc"] for p in told["phases"]]
    assert told["sparc"] == pytest.approx(np.mean(known), abs=1e-3)
    assert all(-2.5 < value < -1.3 for value in known)
    assert (told["ldlj"] is not None) is jerk


def test_strides_have_the_smoothness_of_their_knees():
    told = efficiency(performed("gait", fps=60.0, seconds=6.0))
    assert told["of"] == "knee"
    assert {p["side"] for p in told["phases"]} == {"left", "right"}
    assert {p["phase"] for p in told["phases"]} == {"stride"}


def test_somebody_who_stands_has_no_smoothness():
    track = filmed("squat", seconds=4.0)[1]
    track.xy[:] = track.xy[0] + np.random.default_rng(2).normal(0, 2, track.xy.shape)
    clip_events = clip_events_of(
        person_metrics(track, BiomechanicsConfig()), BiomechanicsConfig(), "auto"
    )
    assert efficiency(clip_events)["status"] == "insufficient_data"


NORMAL = Norm("rom", None, 65.0, 5.0, None, 120, "runners", None, "a study")
LISTED = Norm("rom", None, None, None, {5: 50.0, 50: 65.0, 95: 80.0}, 80, "all", None, "a file")


def test_the_oracle_of_the_norms():
    (told,) = against_norms([measure([58.0])], (NORMAL,), "sagittal")["comparisons"]
    assert (told["z"], told["percentile"]) == (-1.4, 8.0757)
    assert (told["percentile_ci95"], told["reason"]) == (None, SINGLE_VALUE)
    assert (told["n"], told["population"], told["source"]) == (120, "runners", "a study")


@pytest.mark.parametrize(
    ("value", "percentile"), [(50, 5), (57.5, 27.5), (65, 50), (80, 95), (99, 95), (1, 5)]
)
def test_percentiles_are_read_between_those_listed(value, percentile):
    assert percentile_of(value, LISTED) == pytest.approx(percentile)


def test_the_scatter_of_the_athlete_widens_the_percentile():
    (told,) = against_norms([measure([56, 58, 60])], (NORMAL,), None)["comparisons"]
    half = 4.302653 * 2 / math.sqrt(3)  # Student, 2 degrees of freedom
    ends = [percentile_of(58 + s * half, NORMAL) for s in (-1, 1)]
    assert told["percentile_ci95"] == pytest.approx(ends, abs=1e-3)
    assert told["reason"] is None


def test_no_norms_ship():
    assert against_norms([measure([58.0])], None, "sagittal")["status"] == "not_supplied"


def test_norms_of_another_view_or_measure_do_not_compare():
    frontal = Norm("rom", None, 65.0, 5.0, None, 9, "all", "frontal", "a study")
    told = against_norms([measure([58.0])], (frontal,), "sagittal")
    assert told["status"] == "not_comparable"
    assert against_norms([measure([1.0], "speed")], (NORMAL,), None)["status"] == (
        "insufficient_data"
    )


def test_norms_can_be_of_one_side():
    left = Norm("rom", "left", 65.0, 5.0, None, 9, "all", None, "a study")
    told = against_norms(sides([58.0], [70.0]), (left,), None)["comparisons"]
    assert [c["side"] for c in told] == ["left"]
