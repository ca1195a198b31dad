"""Composite scores: the oracle, missing parts, bounds, and reasons."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from biomech import reasons
from biomech.config import BiomechanicsConfig
from biomech.kinematics.view import View
from biomech.scores.balance import Balance
from biomech.scores.frame_scores import (
    alignment,
    pose_quality,
    readiness,
    stability,
    symmetry,
    weighted,
)
from biomech.skeleton import INDEX

CONFIG = BiomechanicsConfig()
WEIGHTS = (0.3, 0.3, 0.2, 0.2)
JOINTS = ("elbow", "shoulder", "hip", "knee")


def one(value):
    return np.array([float(value)])


def view_seen(kind, facing=0.0):
    up, seen = np.array([[0.0, -1.0]]), np.array([False])
    return View(one(np.nan), one(np.nan), np.array([kind]), one(facing), one(0), up, seen)


def balance(**changed):
    """Someone who stands still in the middle of their base."""
    usual = {
        "margin": one(1), "sway": one(1), "omega0": one(3.2), "travel": one(0), "mass": one(1),
    }  # fmt: skip
    flags = {name: np.array([True]) for name in ("ankles", "known", "grounded")}
    return Balance(**{"omega0_source": "default", "static": False, **usual, **flags, **changed})


def pairs(*both):
    return {joint: (one(a), one(b)) for joint, (a, b) in zip(JOINTS, both, strict=False)}


def test_oracle_pose_quality():
    score = np.full((1, 17), 0.9)
    score[0, INDEX["left_wrist"]] = 0.2
    score[0, INDEX["nose"]] = 1.05
    quality = pose_quality(score, 0.3)
    assert quality.value == pytest.approx(83.230769, abs=5e-7)
    assert quality.components["visible_share"] == pytest.approx(0.923077, abs=5e-7)
    assert quality.components["mean_visible_score"] == pytest.approx(0.901667, abs=5e-7)
    assert quality.reason.tolist() == [""]


@pytest.mark.parametrize(
    ("score", "value"),
    [(1.0, 100.0), (3.0, 100.0), (0.3, 30.0), (0.29, 0.0), (-1.0, 0.0), (np.nan, 0.0)],
)
def test_pose_quality_of_equal_scores_is_the_score(score, value):
    assert pose_quality(np.full((1, 17), score), 0.3).value == pytest.approx(value)


def test_a_face_point_weighs_a_fifth_of_a_body_point():
    scores = np.ones((2, 17))
    scores[0, INDEX["nose"]] = 0
    scores[1, INDEX["left_knee"]] = 0
    lost = 100 - pose_quality(scores, 0.3).value
    assert lost == pytest.approx([0.2 / 13 * 100, 1 / 13 * 100])


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1.2), min_size=17, max_size=17),
    st.integers(0, 16),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_pose_quality_rises_with_every_score(scores, which, more, min_score):
    before = np.array([scores])
    after = before.copy()
    after[0, which] += more
    values = pose_quality(np.concatenate([before, after]), min_score).value
    assert 0 <= values[0] <= values[1] + 1e-9 <= 100 + 2e-9


def test_oracle_symmetry_of_the_specification():
    # Its sample response: elbows 142.5 / 145.8, knees 165.2 / 162.7, shoulders 78.3 / 82.1.
    angles = {
        "elbow": (one(142.5), one(145.8)),
        "knee": (one(165.2), one(162.7)),
        "shoulder": (one(78.3), one(82.1)),
    }
    assert symmetry(angles, CONFIG).value == pytest.approx(0.946667, abs=5e-7)


def test_oracle_symmetry_of_the_figure():
    angles = pairs(
        (85.236358, 165.323607), (21.801409, 21.801409), (174.289407, 171.297776),
        (171.427002, 165.350913),
    )  # fmt: skip
    score = symmetry(angles, CONFIG)
    assert score.value == pytest.approx(0.712218, abs=5e-7)
    assert score.components["elbow"] == 0


@pytest.mark.parametrize(
    ("missing", "value", "word"),
    [(1, 0.9, ""), (2, 0.9, ""), (3, np.nan, "low_coverage"), (4, np.nan, "low_coverage")],
)
def test_symmetry_needs_two_joints(missing, value, word):
    score = symmetry(pairs(*[(np.nan, 1)] * missing, *[(6, 12)] * (4 - missing)), CONFIG)
    assert score.value == pytest.approx(value, nan_ok=True)
    assert score.reason.tolist() == [word]
    assert score.coverage == pytest.approx(1 - missing / 4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 180), st.floats(0, 180)), min_size=4, max_size=4))
def test_symmetry_does_not_know_left_from_right(both):
    score = symmetry(pairs(*both), CONFIG)
    swapped = symmetry(pairs(*[(b, a) for a, b in both]), CONFIG)
    assert score.value == pytest.approx(swapped.value)
    assert 0 <= score.value[0] <= 1
    assert symmetry(pairs(*[(a, a) for a, _ in both]), CONFIG).value == pytest.approx(1)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1) | st.just(np.nan), min_size=4, max_size=4),
    st.integers(0, 3),
    st.floats(0, 1),
)
def test_a_weighted_score_rises_with_each_of_its_parts(parts, which, more):
    assume(np.isfinite(parts[which]))
    raised = list(parts)
    raised[which] = min(raised[which] + more, 1.0)
    rows = np.stack([parts, raised], -1)
    names = dict(zip("abcd", rows, strict=True))
    score = weighted(names, WEIGHTS, CONFIG, 100.0)
    present = np.array(WEIGHTS)[np.isfinite(parts)]
    assert score.coverage == pytest.approx([present.sum()] * 2)
    if present.sum() >= 0.5 - 1e-9:
        low, high = score.value
        assert 0 <= low <= high + 1e-9 <= 100 + 2e-9
        there = np.isfinite(parts)
        assert low == pytest.approx(100 * np.average(np.array(parts)[there], weights=present))
    else:
        assert np.isnan(score.value).all()
        assert score.reason.tolist() == ["low_coverage"] * 2


@pytest.mark.parametrize(
    ("sway", "value"), [(0.0, 99.837435), (0.1, 79.837435)], ids=["still", "a tenth H a second"]
)
def test_oracle_stability(sway, value):
    balanced = balance(margin=one(0.99729058), sway=one(1 / (1 + (sway / 0.1) ** 2)))
    score = stability(balanced, view_seen("frontal"), reasons.none(1), CONFIG)
    assert score.value == pytest.approx(value, abs=5e-6)


@pytest.mark.parametrize(
    ("changed", "view", "word"),
    [
        ({}, view_seen("frontal"), ""),
        ({}, view_seen("sagittal", 1), ""),
        ({}, view_seen("sagittal", 0), "facing_unknown"),
        ({}, view_seen("oblique"), "view_mismatch"),
        ({}, view_seen(""), "low_confidence"),
        ({"travel": one(0.31)}, view_seen("sagittal", 1), "locomotion"),
        ({"travel": one(0.29)}, view_seen("sagittal", 1), ""),
        ({"travel": one(0.31)}, view_seen("frontal"), ""),
        ({"known": np.array([False])}, view_seen("frontal"), "insufficient_history"),
        ({"grounded": np.array([False])}, view_seen("frontal"), "no_support"),
        ({"mass": one(0.84)}, view_seen("frontal"), "out_of_frame"),
        ({"mass": one(0.86)}, view_seen("frontal"), ""),
        ({"ankles": np.array([False])}, view_seen("frontal"), "out_of_frame"),
        # A component that is missing does not give its weight to the other (F19).
        ({"sway": one(np.nan)}, view_seen("frontal"), "insufficient_history"),
        ({"sway": one(np.nan), "noisy": True}, view_seen("frontal"), "noise"),
        ({"sway": one(np.nan), "static": True}, view_seen("frontal"), ""),
        ({"margin": one(np.nan)}, view_seen("frontal"), "no_support"),
    ],
    ids=str,
)
def test_stability_is_null_with_the_reason(changed, view, word):
    missing = np.array(["out_of_frame"])
    score = stability(balance(**changed), view, missing, CONFIG)
    assert score.reason.tolist() == [word]
    assert np.isfinite(score.value[0]) == (word == "")


def test_what_is_not_seen_comes_before_what_follows_from_it():
    unseen = balance(ankles=np.array([False]), known=np.array([False]), grounded=np.array([False]))
    score = stability(unseen, view_seen("oblique"), np.array(["low_confidence"]), CONFIG)
    assert score.reason.tolist() == ["low_confidence"]


@pytest.mark.parametrize(
    ("lean", "shoulder", "hip", "value"),
    [
        (0, 0, 0, 1.0),
        (20, 10, 10, 0.0),
        (-10, 0, 0, 1 - 0.5 / 3),
        (0, -5, 0, 1 - 0.5 / 3),
        (90, 0, 0, 2 / 3),
        (0, 0, 4.573921, 0.847536),
        (np.nan, 0, 0, np.nan),
        (0, np.nan, 0, np.nan),
    ],
)
def test_alignment_is_of_trunk_shoulders_and_hips(lean, shoulder, hip, value):
    aligned = alignment(one(lean), (one(shoulder), one(hip)), view_seen("frontal"), CONFIG)
    assert aligned == pytest.approx(value, abs=5e-7, nan_ok=True)


@pytest.mark.parametrize("kind", ["sagittal", "oblique", ""])
def test_alignment_is_of_frontal_views(kind):
    assert np.isnan(alignment(one(0), (one(0), one(0)), view_seen(kind), CONFIG)).all()


def test_oracle_readiness():
    stable = weighted({"m": one(0.99837435)}, (1.0,), CONFIG, 100.0)
    alike = weighted({"s": one(0.712218)}, (1.0,), CONFIG, 1.0)
    ready = readiness(stable, alike, one(0.84753596), CONFIG)
    assert ready.value == pytest.approx(85.335612, abs=2e-5)
    assert ready.coverage == pytest.approx(0.64)
    assert np.isnan(ready.components["smoothness"]).all()


@pytest.mark.parametrize(
    ("present", "word"),
    [
        (("stability", "symmetry", "alignment"), ""),
        (("symmetry", "smoothness", "pace"), ""),
        (("alignment", "smoothness", "pace"), ""),
        (("stability", "symmetry"), "low_coverage"),
        (("stability", "alignment"), "low_coverage"),
        (("symmetry",), "low_coverage"),
        (("alignment",), "low_coverage"),
        ((), "low_coverage"),
    ],
    ids=str,
)
def test_readiness_needs_three_components(present, word):
    """(F7)."""

    def scored(name, maximum):
        return weighted({name: one(0.5 if name in present else np.nan)}, (1.0,), CONFIG, maximum)

    aligned = one(0.5 if "alignment" in present else np.nan)
    smooth, pace = (one(0.5 if name in present else np.nan) for name in ("smoothness", "pace"))
    stable, alike = scored("stability", 100.0), scored("symmetry", 1.0)
    ready = readiness(stable, alike, aligned, CONFIG, smooth, pace)
    assert ready.reason.tolist() == [word]
    assert ready.value == pytest.approx(np.nan if word else 50.0, nan_ok=True)


def test_a_null_keeps_its_parts_and_takes_the_first_reason():
    score = symmetry(pairs((1, 1), (1, 1), (1, 1), (1, 1)), CONFIG)
    null = score.only_where(np.array(["low_confidence"]))
    assert np.isnan(null.value).all()
    assert null.reason.tolist() == ["low_confidence"]
    assert null.components == score.components
    assert score.only_where(np.array([""])).value == score.value
    again = null.only_where(np.array(["view_mismatch"]))
    assert again.reason.tolist() == ["view_mismatch"]


def test_a_disabled_score_says_only_that():
    off = symmetry(pairs((1, 1), (1, 1), (1, 1), (1, 1)), CONFIG).disabled()
    assert np.isnan(off.value).all()
    assert off.reason.tolist() == ["disabled"]
    assert off.components == {}
