"""The response's objects: every field there, null with a reason, plain JSON."""

import json
import math
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biomech.config import BiomechanicsConfig, EnabledOutputs, Subject
from biomech.joints import JOINT_ANGLES
from biomech.kinematics.person_metrics import person_metrics
from biomech.records.frame_fields import FIELDS
from biomech.results.frame_blocks import disabled_block, frame_blocks
from biomech.results.person_summary import SummaryInputs, summary
from biomech.skeleton import INDEX
from tests.support.plain import in_json, plain
from tests.support.stick_figure import FIGURE, from_the_side, mirrored, rotated, seen, without

summary = in_json(summary)

CONFIG = BiomechanicsConfig()


def blocks(xy, *, subject=None, parts=EnabledOutputs(), **track):  # noqa: B008  frozen
    track = seen(xy, **track)
    made = person_metrics(track, CONFIG, subject).only(parts)
    return frame_blocks(made, track.present)


def objects(xy, **options):
    """The same as plain JSON values."""
    return plain(list(blocks(xy, **options)))


def block(xy, **options):
    """Of one picture."""
    (only,) = objects(xy, **options)
    return only


def leaves(value):
    """Every plain value within nested objects."""
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return [value]
    return [leaf for item in value for leaf in leaves(item)]


def nulls(obj):
    """Names of the response's null fields."""
    return {n for name in FIELDS for n, value in obj[name].items() if value is None}


def test_fields_are_the_specifications():
    assert {name: set(fields) for name, fields in FIELDS.items()} == {
        "joint_angles": {
            *("left_elbow", "right_elbow", "left_knee"),
            *("right_knee", "left_shoulder", "right_shoulder"),
        },
        "movement_analysis": {
            *("pose_quality", "stability_score", "symmetry_index", "athletic_readiness")
        },
        "body_alignment": {"spine_angle", "hip_level_difference", "shoulder_level_difference"},
    }


def test_what_is_kept_of_the_objects_is_an_eighth_of_them():
    kept = pickle.dumps(blocks(np.tile(FIGURE, (200, 1, 1))))
    tracemalloc.start()
    copy = pickle.loads(kept)
    small = tracemalloc.get_traced_memory()[0]
    whole = list(copy)
    large = tracemalloc.get_traced_memory()[0] - small
    tracemalloc.stop()
    assert len(whole) == 200
    assert small < large / 8


def test_objects_are_those_of_the_frames_that_show_the_person_wherever_they_are_in_the_clip():
    track = seen(np.tile(FIGURE, (4, 1, 1)), present=np.array([True, False, True, True]))
    metrics = person_metrics(track, CONFIG, None)
    alone = frame_blocks(metrics, track.present)
    assert [obj is not None for obj in alone] == track.present.tolist()
    longer = frame_blocks(metrics, track.present, 3, 9)
    assert len(longer) == 9
    assert list(longer) == [None] * 3 + list(alone) + [None] * 2
    assert longer[2:5] == [None, alone[0], None]
    assert longer[-3] == alone[-1]
    assert longer[3] is not longer[3]
    for outside in (9, -10):
        with pytest.raises(IndexError):
            longer[outside]


def test_oracle_object():
    score = np.full(17, 0.9)
    score[INDEX["left_wrist"]], score[INDEX["nose"]] = 0.2, 1.05
    obj = block(FIGURE, score=score, sigma=3.0)
    assert {name: obj[name] for name in FIELDS} == {
        "joint_angles": {
            "left_elbow": None,
            "right_elbow": 165.324,
            "left_knee": 171.427,
            "right_knee": 165.351,
            "left_shoulder": 21.801,
            "right_shoulder": 21.801,
        },
        "movement_analysis": {
            "pose_quality": 83.231,
            "stability_score": 97.323,
            "symmetry_index": 0.95,
            "athletic_readiness": 93.295,
        },
        "body_alignment": {
            "spine_angle": 0.0,
            "hip_level_difference": 4.574,
            "shoulder_level_difference": 0.0,
        },
    }
    detail = obj["detail"]
    assert detail["nulls"] == {"left_elbow": "low_confidence"}
    assert detail["signed"]["left_fppa"] == -8.573
    assert detail["signed"]["hip_tilt"] == 4.574
    assert detail["included"] == {"left_hip": 174.289, "right_hip": 171.298}
    assert detail["ci95"]["left_knee"] == [163.216, 179.638]
    assert detail["components"]["stability_score"] == {
        "margin": 0.973,
        "sway": None,
        "coverage": 1.0,
        "mode": "static",
        "omega0_rad_s": 3.2,
        "omega0_source": "default",
    }
    assert detail["components"]["athletic_readiness"]["smoothness"] is None
    assert detail["definitions"] == {"stability_score": "static", "symmetry_index": "posture"}
    assert detail["view"] == {
        "class": "frontal", "yaw_deg": 15, "ratio": 0.964, "facing": "camera",
    }  # fmt: skip
    assert detail["flags"] == ["roll_assumed_level", "unsmoothed"]
    assert detail["sigma_source"] == "model"
    assert detail["sigma_calibrated"] is False


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from([FIGURE, from_the_side(hip=20.0, knee=40.0), FIGURE * [0.7, 1.0], FIGURE * 3]),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.6),
    st.floats(0, 40),
    st.booleans(),
)
def test_every_field_is_there_and_every_null_has_its_reason(base, seed, hidden, moved, model_sigma):
    rng = np.random.default_rng(seed)
    xy = base + rng.normal(0, moved, (4, 17, 2))
    score = np.where(rng.uniform(size=(4, 17)) < hidden, 0.1, 0.8)
    xy[rng.uniform(size=(4, 17)) < hidden / 4] = np.nan
    made = objects(xy, score=score, sigma=2.0 if model_sigma else np.nan)
    for obj in made:
        assert json.loads(json.dumps(obj, allow_nan=False)) == obj
        reasons = obj["detail"]["nulls"]
        for name, fields in FIELDS.items():
            assert tuple(obj[name]) == fields
        assert nulls(obj) <= set(reasons)
        given_nulls = nulls(obj)
        for name in ("signed", "included"):
            given_nulls |= {n for n, value in obj["detail"][name].items() if value is None}
        assert given_nulls == set(reasons)
        assert all(reasons.values())
        for leaf in leaves(obj):
            assert leaf is None or isinstance(leaf, bool | int | float | str)
            assert not isinstance(leaf, float) or math.copysign(1, leaf) == 1 or leaf < 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([FIGURE, from_the_side(hip=20.0, knee=40.0)]))
def test_intervals_hold_their_value_within_the_range(seed, base):
    xy = base + np.random.default_rng(seed).normal(0, 20, (4, 17, 2))
    for obj in objects(xy, sigma=3.0):
        values = obj["joint_angles"] | obj["body_alignment"]
        assert set(obj["detail"]["ci95"]) == {n for n, value in values.items() if value is not None}
        for name, interval in obj["detail"]["ci95"].items():
            if interval is not None:
                assert 0 <= interval[0] <= values[name] <= interval[1] <= 180


def test_an_interval_without_deviation_is_null_not_missing():
    # By the prior a hip is known to 24 px: too little for a thigh of 80 px, enough for the arms.
    crouched = FIGURE.copy()
    crouched[[INDEX["left_knee"], INDEX["right_knee"]], 1] -= 20
    obj = block(crouched)
    assert obj["joint_angles"]["right_knee"] is not None
    assert obj["detail"]["ci95"]["right_knee"] is None
    assert obj["detail"]["ci95"]["left_elbow"] is not None


def test_who_is_absent_has_no_object():
    xy = np.stack([FIGURE] * 4)
    xy[1] = np.nan
    present = np.array([True, False, True, True])
    assert [obj is None for obj in blocks(xy, present=present)] == [False, True, False, False]


def test_angles_of_the_plane_not_shown_are_absent_rather_than_null():
    front, side = block(FIGURE)["detail"], block(from_the_side(knee=20.0))["detail"]
    assert {"left_fppa", "trunk_lateral_lean"} <= set(front["signed"])
    assert not {"left_knee_flexion", "trunk_lean"} & set(front["signed"])
    assert {"left_knee_flexion", "trunk_lean"} <= set(side["signed"])
    assert not {"left_fppa", "trunk_lateral_lean"} & set(side["signed"])
    assert side["nulls"]["hip_level_difference"] == "view_mismatch"


@pytest.mark.parametrize(
    ("xy", "facing"),
    [
        (FIGURE, "camera"),
        (mirrored(FIGURE) * [-1.0, 1.0] + [640.0, 0.0], "away"),
        (from_the_side(facing=1, knee=20.0), "image_right"),
        (from_the_side(facing=-1, knee=20.0), "image_left"),
        (FIGURE * [0.7, 1.0], None),
    ],
    ids=["camera", "away", "right", "left", "oblique"],
)
def test_the_side_faced_in_words(xy, facing):
    assert block(xy)["detail"]["view"]["facing"] == facing


def test_level_differences_in_pixels_stature_and_centimetres():
    plain = block(FIGURE)["detail"]["levels"]
    assert plain["hip"] == {"px": 4.0, "pct_stature": 0.916}
    tall = block(FIGURE, subject=Subject(height_m=1.75))["detail"]["levels"]
    assert tall["hip"] == {"px": 4.0, "pct_stature": 0.916, "cm": 1.603}
    unseen = block(without(FIGURE, "left_hip"))["detail"]["levels"]["hip"]
    assert unseen == {"px": None, "pct_stature": None}


def test_numbers_have_three_decimals_and_no_negative_zero():
    obj = block(rotated(FIGURE, 3.21), sigma=2.0)
    for leaf in leaves(obj):
        if isinstance(leaf, float):
            assert round(leaf, 3) == leaf
    lean = block(FIGURE)["detail"]["signed"]["trunk_lateral_lean"]
    assert math.copysign(1.0, lean) == 1.0


def test_flags_and_joints_marked_are_of_the_frame():
    xy = np.stack([FIGURE] * 40)
    xy[39, INDEX["left_ankle"]] = xy[39, INDEX["left_knee"]] + [0, 60]
    made = objects(xy, sigma=1.0)
    assert made[0]["detail"]["joint_flags"] == {}
    assert made[39]["detail"]["joint_flags"] == {"left_knee": ["out_of_plane"]}
    oblique = block(FIGURE * [0.7, 1.0])["detail"]["flags"]
    assert oblique == ["roll_assumed_level", "projected", "unsmoothed"]


def test_what_was_done_to_points_is_told_where_it_was_done():
    score = np.full((60, 17), 0.9)
    score[20:26, INDEX["left_ankle"]] = score[30:, INDEX["left_ankle"]] = 0.1
    score[36:40, INDEX["left_ankle"]] = 0.9
    xy = np.stack([FIGURE] * 60)
    xy[50, INDEX["right_wrist"]] = xy[50, INDEX["right_elbow"]] + [60.0, 110.0]
    made = objects(xy, sigma=1.0, score=score)
    marked = {f: obj["detail"]["flags"][1:] for f, obj in enumerate(made)}
    assert {f: names for f, names in marked.items() if names} == {
        **{f: ["unsmoothed"] for f in (26, 27, 28, 29, 36, 37, 38, 39)},
        50: ["outlier_removed"],
    }
    assert made[38]["detail"]["joint_flags"] == {"left_knee": ["unsmoothed"]}
    assert made[50]["detail"]["nulls"]["right_elbow"] == "outlier"


def test_the_trunk_in_use_is_named_where_it_is_not_the_midline():
    xy = np.stack([from_the_side(knee=20.0)] * 40)
    xy[10:] = without(xy[10:], "left_shoulder", "left_hip")
    assert objects(xy)[0]["detail"]["shoulder_reference"] == "ipsilateral"
    assert "shoulder_reference" not in block(FIGURE)["detail"]


def test_a_disabled_object_is_null_throughout():
    obj = plain(disabled_block())
    assert nulls(obj) == {name for fields in FIELDS.values() for name in fields}
    assert obj["detail"] == {"nulls": dict.fromkeys(nulls(obj), "disabled")}


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("joint_angle_analysis", {*JOINT_ANGLES, *FIELDS["body_alignment"]}),
        ("symmetry_detection", {"symmetry_index"}),
        ("stability_assessment", {"stability_score"}),
        ("movement_quality", {"athletic_readiness"}),
    ],
)
def test_a_part_left_out_is_null_with_the_reason_and_has_no_details(part, fields):
    whole, obj = (
        block(FIGURE, sigma=2.0),
        block(FIGURE, sigma=2.0, parts=EnabledOutputs(**{part: False})),
    )
    assert nulls(obj) == fields
    assert obj["detail"]["nulls"] == dict.fromkeys(fields, "disabled")
    for name in FIELDS:
        kept = {n: value for n, value in whole[name].items() if n not in fields}
        assert {n: v for n, v in obj[name].items() if n not in fields} == kept
    assert set(obj["detail"]["components"]) == set(FIELDS["movement_analysis"]) - fields
    of_angles = ("signed", "included", "levels", "ci95", "joint_flags")
    for name in of_angles:
        assert obj["detail"][name] == ({} if "left_knee" in fields else whole["detail"][name])


def test_the_summary_of_a_clip():
    track = seen(np.stack([FIGURE] * 5), sigma=2.0)
    made = person_metrics(track, CONFIG, Subject(height_m=1.75))
    told = summary(7, made, None, SummaryInputs(CONFIG))
    assert json.loads(json.dumps(told, allow_nan=False))["config"]["min_score"] == 0.3
    assert told["person_id"] == 7
    assert told["definitions"] == "bm-2"
    assert told["view"] == "frontal"
    assert (told["stature_px"], told["height_m"]) == (436.6396, 1.75)
    assert told["sigma_source"] == "model"
    assert told["flags"] == ["roll_assumed_level"]
    assert told["filter"] == {
        "type": "none",
        "order": None,
        "cutoff_hz": None,
        "cutoff_source": None,
        "fs_hz": 30.0,
        "resampled": False,
        "cutoff_limited": False,
        "suggested_cutoff_hz": None,
        "swaps_fixed": [],
        "points": {"measured": 85, "outliers": 0, "filled": 0, "unsmoothed": 85},
        "sigma_inflation": 1.0,
    }


def test_the_summary_of_someone_hardly_seen():
    told = summary(1, person_metrics(seen(FIGURE, score=0.1), CONFIG), None, SummaryInputs(CONFIG))
    assert (told["view"], told["stature_px"], told["sigma_source"]) == (None, None, None)


def test_the_summary_says_that_the_scale_drifts():
    nearer = FIGURE * np.linspace(1, 3, 40)[:, None, None]
    track = seen(nearer, size=(4000, 4000))
    told = summary(
        1, person_metrics(track, CONFIG, Subject(height_m=1.75)), None, SummaryInputs(CONFIG)
    )
    assert told["flags"] == ["roll_assumed_level", "scale_drift"]
    assert told["height_m"] is None
    assert told["sigma_source"] == "oks_prior"
