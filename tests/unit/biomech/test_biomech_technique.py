"""Two results compared: technique and progress."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomech.applications.norms_and_limits import NEAR_FAR_BIAS, NO_LIMIT, Limit
from biomech.applications.outcome import SINGLE_VALUE
from biomech.applications.progress import progress
from biomech.applications.technique import technique
from tests.support.plain import in_json

technique = in_json(technique)
progress = in_json(progress)

S = np.linspace(0, 1, 101)
SQUAT = 10 + 80 * np.sin(np.pi * S) ** 2
LIMITS = {"knee_flexion_peak": Limit(8.0, "a study"), "cadence": Limit(5.0, "another", "higher")}


def result(curves=None, measures=(), **changed):
    """A summary of somebody who squats, with mean curves by joint (and their SD) and measures."""
    joints = {
        name: {"mean": list(curve[0]), "sd": list(curve[1]) if curve[1] is not None else None}
        for name, curve in (curves or {}).items()
    }
    return {
        "definitions": "bm-1", "view": "sagittal", "movement": "squat", "model": "A",
        "length_unit": "stature", "filter": {"cutoff_hz": 6.0},
        "phases": {"of": "repetition", "driver": "left_knee", "signed": True, "n": 3,
                   "joints": joints},
        "measures": [
            {"metric": metric, "side": side, "unit": "deg", "n": n, "mean": mean, "sd": sd}
            for metric, side, n, mean, sd in measures
        ],
    } | changed  # fmt: skip


def knee(curve, sd=None):
    return result({"left_knee": (curve, sd)})


def test_the_oracle_of_a_shallower_squat():
    shallow = 10 + 60 * np.sin(np.pi * S) ** 2
    told = technique(knee(shallow), knee(SQUAT))
    assert told["status"] == "ok"
    assert told["dtw_norm"] == 0.3944
    assert told["timing"] == pytest.approx(0.049424, abs=1e-4)
    assert told["joints"] == {
        "left_knee": {"rmsd_deg": 12.1867, "max_dev_deg": -20.0, "at_pct": 50.0}
    }
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_the_oracle_of_another_pace():
    told = technique(knee(10 + 80 * np.sin(np.pi * S**1.3) ** 2), knee(SQUAT))
    assert told["dtw_norm"] == 0.0471
    assert told["joints"]["left_knee"]["rmsd_deg"] == 12.9163


@given(st.floats(0, 90), st.floats(0, 90))
def test_one_who_moves_as_the_reference_differs_in_nothing(knee_deg, hip_deg):
    same = result({"left_knee": (knee_deg * S, None), "left_hip": (hip_deg * S, None)})
    told = technique(same, same)
    assert (told["dtw_norm"], told["timing"]) == (0.0, 0.0)
    assert {v["rmsd_deg"] for v in told["joints"].values()} == {0.0}


def test_a_reference_that_varies_is_held_to_less():
    shallow = knee(SQUAT - 5)
    strict, loose = (technique(shallow, knee(SQUAT, np.full(101, sd))) for sd in (2.0, 20.0))
    assert loose["dtw_norm"] == pytest.approx(strict["dtw_norm"] / 2, abs=1e-3)
    assert technique(shallow, knee(SQUAT), tolerance_deg=5.0)["dtw_norm"] == pytest.approx(
        2 * strict["dtw_norm"], abs=1e-3
    )


def test_only_joints_seen_in_both_are_compared():
    mine = result({"left_knee": (SQUAT, None), "left_hip": (SQUAT, None)})
    assert list(technique(mine, knee(SQUAT))["joints"]) == ["left_knee"]
    other = technique(mine, result({"right_elbow": (SQUAT, None)}))
    assert (other["status"], other["reason"]) == ("insufficient_data", "no joint is seen in both")


OTHERS = [
    ({"view": "frontal"}, "view: sagittal and frontal"),
    ({"definitions": "bm-2"}, "definitions: bm-1 and bm-2"),
    ({"movement": "auto"}, "movement: squat and auto"),
    ({"filter": {"cutoff_hz": 10.0}}, "filter.cutoff_hz: 6.0 and 10.0"),
]


@pytest.mark.parametrize(("changed", "reason"), OTHERS, ids=[next(iter(c)) for c, _ in OTHERS])
def test_what_was_made_otherwise_does_not_compare(changed, reason):
    measured = [("knee_flexion_peak", "left", 3, 90.0, 2.0)]
    other = result({"left_knee": (SQUAT, None)}, measured, **changed)
    for told in (
        technique(knee(SQUAT), other),
        progress(result(measures=measured), other, LIMITS),
    ):
        assert (told["status"], told["reason"]) == ("not_comparable", reason)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"of": "stride"}, "one has repetitions, the other strides"),
        ({"driver": "right_hip"}, "repetitions are of left_knee and of right_hip"),
        ({"signed": False}, "only one of the two has signed angles"),
    ],
    ids=["strides", "another joint", "unsigned"],
)
def test_other_phases_do_not_compare(changed, reason):
    other = knee(SQUAT)
    other["phases"] |= changed
    assert technique(knee(SQUAT), other)["reason"] == reason


def test_repetitions_may_be_told_by_either_side_of_a_joint():
    other = knee(SQUAT)
    other["phases"]["driver"] = "right_knee"
    assert technique(knee(SQUAT), other)["status"] == "ok"


def test_without_a_repetition_there_is_nothing_to_compare():
    for pair, which in (((knee(SQUAT), result(phases=None)), "reference"),
                        ((result(phases=None), knee(SQUAT)), "result")):  # fmt: skip
        told = technique(*pair)
        assert told["status"] == "insufficient_data"
        assert told["reason"] == f"the {which} has no whole repetition"


@pytest.mark.parametrize(
    ("metric", "after", "sd", "verdict"),
    [
        ("knee_flexion_peak", 99.0, 2.0, "changed"),
        ("knee_flexion_peak", 81.0, 2.0, "changed"),
        ("knee_flexion_peak", 97.0, 2.0, "no_detectable_change"),
        ("knee_flexion_peak", 99.0, 12.0, "no_detectable_change"),
        ("knee_flexion_peak", 99.0, None, None),
        ("cadence", 99.0, 2.0, "improved"),
        ("cadence", 81.0, 2.0, "worse"),
        ("duration", 99.0, 2.0, None),
    ],
    ids=[
        "more", "less", "less than can be told", "less than the scatter", "of single values",
        "better", "worse", "no limit",
    ],
)  # fmt: skip
def test_what_a_change_is_called(metric, after, sd, verdict):
    told = progress(
        result(measures=[(metric, "left", 4, 90.0, sd)]),
        result(measures=[(metric, "left", 4, after, sd)]),
        LIMITS,
    )
    (change,) = told["changes"]
    assert change["verdict"] == verdict
    assert change["delta"] == after - 90
    half = None if sd is None else 2.446912 * sd / np.sqrt(2)  # Student, 6 degrees of freedom
    assert change["ci95"] == (
        None if sd is None else pytest.approx([after - 90 - half, after - 90 + half], abs=1e-3)
    )
    assert (change["reason"] is None) == (verdict is not None)
    assert change["se"] == (None if sd is None else pytest.approx(sd / np.sqrt(2), abs=1e-4))
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize("counts", [(1, 4), (4, 1), (1, 1)])
def test_a_single_value_shows_no_progress(counts):
    sides = [
        result(measures=[("cadence", None, n, mean, None if n == 1 else 0.1)])
        for n, mean in zip(counts, (60.0, 90.0), strict=True)
    ]
    (change,) = progress(*sides, LIMITS)["changes"]
    assert [change[name] for name in ("verdict", "se", "ci95")] == [None] * 3
    assert change["reason"] == SINGLE_VALUE


def test_two_values_each_need_more_than_two_standard_errors():
    before, after = (result(measures=[("cadence", None, 2, mean, 3.0)]) for mean in (80.0, 90.0))
    (change,) = progress(before, after, LIMITS)["changes"]
    assert change["delta"] > 3 * change["se"]
    assert change["verdict"] == "no_detectable_change"


NEARER = {"rom": Limit(8.0, "a study", "higher", near_far=6.0)}


@pytest.mark.parametrize(
    ("sides", "side", "after", "verdict", "reason"),
    [
        (("left", "right"), "left", 63.0, None, NEAR_FAR_BIAS),
        (("left", "right"), "right", 37.0, None, NEAR_FAR_BIAS),
        (("left", "right"), "left", 65.0, "improved", None),
        (("left", "right"), "left", 57.0, "no_detectable_change", None),
        (("left", "right"), None, 63.0, "improved", None),
        (("left", "left"), "left", 63.0, "improved", None),
        (("left", None), "left", 63.0, "improved", None),
        ((None, None), "left", 63.0, "improved", None),
    ],
)
def test_a_side_that_was_farther_before_has_not_changed_for_that(
    sides, side, after, verdict, reason
):
    """(F14), where the athlete faced the other way."""
    before, later = (
        result(measures=[("rom", side, 4, mean, 1.0)], near_side=near)
        for mean, near in zip((50.0, after), sides, strict=True)
    )
    (change,) = progress(before, later, NEARER)["changes"]
    assert (change["verdict"], change["reason"]) == (verdict, reason)


def test_why_there_is_no_detectable_change_is_told():
    """(F14)."""
    one = result(measures=[("rom", "left", 4, 50.0, 1.0)])
    for limits, reason in (({}, NO_LIMIT), ({"rom": Limit(None, reason="unknown")}, "unknown")):
        (change,) = progress(one, one, limits)["changes"]
        assert (change["mdc"], change["verdict"], change["reason"]) == (None, None, reason)


def test_technique_says_that_another_side_was_nearer():
    """(F14)."""
    told = technique(knee(SQUAT) | {"near_side": "left"}, knee(SQUAT) | {"near_side": "right"})
    assert told["status"] == "ok"
    assert told["reason"].startswith(NEAR_FAR_BIAS)
    alike = technique(knee(SQUAT) | {"near_side": "left"}, knee(SQUAT) | {"near_side": "left"})
    assert alike["reason"] is None


def test_sides_are_told_apart():
    before, after = (
        result(measures=[("rom", "left", 3, left, 1.0), ("rom", "right", 3, 50.0, 1.0)])
        for left in (50.0, 60.0)
    )
    assert [c["delta"] for c in progress(before, after, {})["changes"]] == [10.0, 0.0]


@pytest.mark.parametrize("name", ["model", "length_unit"])
def test_other_models_and_units_show_no_progress(name):
    one = result(measures=[("rom", None, 3, 1.0, 1.0)])
    told = progress(one, one | {name: "other"}, {})
    assert told["status"] == "not_comparable"
    assert technique(knee(SQUAT), knee(SQUAT) | {name: "other"})["status"] == "ok"


def test_results_with_no_measure_in_common_show_no_progress():
    one, other = (result(measures=[(name, None, 3, 1.0, 1.0)]) for name in ("rom", "cadence"))
    assert progress(one, other, {})["status"] == "insufficient_data"
