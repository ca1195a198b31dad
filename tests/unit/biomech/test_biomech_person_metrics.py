"""All metrics of one person: the oracle, symmetries, time, and which parts are given."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biomech.config import BiomechanicsConfig, EnabledOutputs, Subject
from biomech.kinematics.person_metrics import person_metrics
from biomech.skeleton import INDEX, JOINT_ANGLES
from tests.support.stick_figure import FIGURE, from_the_side, mirrored, seen, without

CONFIG = BiomechanicsConfig()
SCORES = ("pose_quality", "stability_score", "symmetry_index", "athletic_readiness")


def metrics(xy, *, subject=None, **track):
    return person_metrics(seen(xy, **track), CONFIG, subject)


def scores(xy, **track):
    """The four scores of one picture."""
    return [float(score.value[0]) for score in metrics(xy, **track).movement.values()]


def movement(made):
    return {name: score.value for name, score in made.movement.items()}


def test_oracle_of_a_single_picture():
    # Stability is the margin alone: a picture shows no sway, and none is made up (F19).
    # The oracle's readiness is of a symmetry rounded to six digits.
    assert scores(FIGURE)[:3] == pytest.approx([90.0, 99.729058, 0.712218], abs=5e-7)
    assert scores(FIGURE)[3] == pytest.approx(85.294971, abs=1e-5)


def test_oracle_without_the_left_wrist():
    score = np.full(17, 0.9)
    score[INDEX["left_wrist"]], score[INDEX["nose"]] = 0.2, 1.05
    values = scores(FIGURE, score=score)
    assert values[:3] == pytest.approx([83.230769, 97.322655, 0.949624], abs=5e-7)
    assert values[3] == pytest.approx(93.295287, abs=1e-5)


def test_oracle_alignment_of_the_body():
    made = metrics(FIGURE).body_alignment
    assert {name: float(angle.value[0]) for name, angle in made.items()} == pytest.approx(
        {"spine_angle": 0.0, "hip_level_difference": 4.573921, "shoulder_level_difference": 0.0},
        abs=5e-7,
    )
    assert metrics(FIGURE).levels_px["hip"] == pytest.approx(4.0)
    assert [metrics(FIGURE).hips[f"{s}_hip"].value[0] for s in ("left", "right")] == pytest.approx(
        [174.289407, 171.297776], abs=5e-7
    )


def test_standing_still_scores_as_a_picture_of_it_with_no_sway():
    still = movement(metrics(np.stack([FIGURE] * 31)))
    picture = movement(metrics(FIGURE))
    assert still.pop("stability_score") == pytest.approx(
        np.full(31, 0.6 * picture.pop("stability_score")[0] + 40.0)
    )
    assert still.pop("athletic_readiness") == pytest.approx(np.full(31, 85.335612), abs=1e-5)
    del picture["athletic_readiness"]
    for name, value in picture.items():
        assert still[name] == pytest.approx(np.full(31, value[0])), name


def test_a_poor_measurement_leaves_no_other_score():
    score = np.where(np.arange(17) < 11, 0.1, 0.95)
    made = metrics(FIGURE, score=score)
    assert made.movement["pose_quality"].value < 50
    for name in SCORES[1:]:
        assert made.movement[name].reason.tolist() == ["low_confidence"]
        assert np.isnan(made.movement[name].value).all()
    assert np.isfinite(made.joint_angles["left_knee"].value).all()


@st.composite
def people(draw):
    """The figure or its side, with points moved, some not seen, in three pictures."""
    base = draw(st.sampled_from([FIGURE, from_the_side(hip=20.0, knee=40.0, shoulder=30.0)]))
    moved = draw(arrays(np.float64, (3, 17, 2), elements=st.floats(-25, 25)))
    hidden = draw(arrays(np.bool_, (3, 17), elements=st.sampled_from([False] * 9 + [True])))
    return np.where(hidden[..., None], np.nan, base + moved)


def seen_once():
    """Both sides of the trunk, and one elbow, in one of three pictures."""
    xy = np.full((3, 17, 2), np.nan)
    for name, place in {
        "left_shoulder": (324, 180),
        "right_shoulder": (320, 180),
        "left_elbow": (361.5, 244.95),
        "left_hip": (324, 300),
        "right_hip": (320, 300),
    }.items():
        xy[1, INDEX[name]] = place
    return xy


@settings(deadline=None, max_examples=30)
@given(people())
@example(seen_once())
def test_a_mirror_swaps_left_and_right_and_keeps_the_scores(xy):
    sigma = np.full(xy.shape, 1.0)
    made, other = metrics(xy, sigma=sigma), metrics(mirrored(xy), sigma=sigma)
    for name in JOINT_ANGLES:
        side, joint = name.split("_")
        twin = other.joint_angles[f"{'left' if side == 'right' else 'right'}_{joint}"]
        assert made.joint_angles[name].value == pytest.approx(twin.value, nan_ok=True)
        assert made.joint_angles[name].sigma == pytest.approx(twin.sigma, nan_ok=True)
    for part, tilt in made.tilts.items():
        assert tilt.value == pytest.approx(-other.tilts[part].value, nan_ok=True)
    for name in SCORES:
        assert movement(made)[name] == pytest.approx(movement(other)[name], nan_ok=True), name
    assert (made.view.kind == other.view.kind).all()


@settings(deadline=None, max_examples=30)
@given(people(), st.floats(0.25, 4), st.tuples(st.floats(-200, 200), st.floats(-200, 200)))
def test_nothing_depends_on_place_and_size_in_the_picture(xy, scale, shift):
    sigma = np.full(xy.shape, 1.0)
    wide = (100_000, 100_000)
    made = metrics(xy + 5000, sigma=sigma, size=wide)
    moved = metrics((xy + 5000) * scale + shift, sigma=sigma * scale, size=wide)
    for block in ("joint_angles", "body_alignment", "movement", "sagittal", "frontal"):
        for name, quantity in getattr(made, block).items():
            twin = getattr(moved, block)[name]
            assert quantity.value == pytest.approx(twin.value, abs=1e-6, nan_ok=True), name
            assert np.array_equal(quantity.reason, twin.reason), name


@settings(deadline=None, max_examples=30)
@given(people())
def test_scores_stay_in_their_range_and_nulls_have_their_reason(xy):
    made = metrics(xy)
    for block in ("joint_angles", "body_alignment", "movement", "hips", "sagittal", "frontal"):
        for name, quantity in getattr(made, block).items():
            assert np.array_equal(np.isnan(quantity.value), quantity.reason != ""), name
    for score in made.movement.values():
        value = score.value[np.isfinite(score.value)]
        assert ((value >= 0) & (value <= score.maximum)).all()
        assert ((score.coverage >= 0) & (score.coverage <= 1 + 1e-9)).all()


def test_variable_frame_rate_gives_the_values_of_the_same_instants():
    knees = 60 + 50 * np.sin(np.linspace(0, 4 * np.pi, 121))
    times = np.arange(121) / 60.0
    xy = from_the_side(hip=knees / 2, knee=knees)
    kept = np.flatnonzero(np.random.default_rng(4).uniform(size=121) < 0.6)
    whole, thinned = metrics(xy, times_s=times), metrics(xy[kept], times_s=times[kept])
    inner = slice(5, -5)  # filters know less at the ends
    for name, angle in whole.sagittal.items():
        value = thinned.sagittal[name].value
        assert value[inner] == pytest.approx(angle.value[kept][inner], abs=0.3), name


def test_variable_frame_rate_keeps_the_balance():
    times = np.arange(181) / 60.0
    xy = FIGURE + np.stack([8 * np.sin(2 * np.pi * times), np.zeros(181)], -1)[:, None]
    kept = np.flatnonzero(np.random.default_rng(4).uniform(size=181) < 0.6)
    whole = metrics(xy, times_s=times).movement["stability_score"]
    thinned = metrics(xy[kept], times_s=times[kept]).movement["stability_score"]
    # Its velocities are differences over longer steps: near, not equal.
    assert np.ptp(whole.value) > 8
    assert thinned.value == pytest.approx(whole.value[kept], abs=3)


def test_an_absent_person_has_no_numbers_but_keeps_the_others_frames():
    xy = np.stack([FIGURE] * 20)
    xy[5:10] = np.nan
    present = np.isfinite(xy).all((1, 2))
    made = metrics(
        np.where(np.isnan(xy), np.nan, xy),
        present=present,
        score=np.where(present, 0.9, 0)[:, None],
    )
    assert np.array_equal(np.isfinite(made.joint_angles["left_knee"].value), present)
    assert made.movement["pose_quality"].value[5:10] == pytest.approx(np.zeros(5))
    assert made.flags["roll_assumed_level"].tolist() == present.tolist()


def test_a_hidden_far_side_moves_the_trunk_to_the_near_one_for_the_whole_track():
    xy = np.stack([from_the_side(knee=20.0, shoulder=35.0)] * 40)
    xy[10:] = without(xy[10:], "left_shoulder", "left_hip")
    made = metrics(xy)
    assert made.near_side == "right"
    assert made.joint_angles["right_shoulder"].value == pytest.approx(np.full(40, 35.0))
    assert made.joint_angles["left_shoulder"].reason.tolist()[10:] == ["low_confidence"] * 30
    assert np.isfinite(made.body_alignment["spine_angle"].value).all()


def test_views_raise_their_flags():
    assert not metrics(FIGURE).flags["projected"].any()
    oblique = FIGURE * [0.7, 1.0]
    assert metrics(oblique).flags["projected"].all()
    assert metrics(from_the_side(knee=20.0)).flags["far_side_unreliable"].all()


def test_a_known_height_sets_the_pendulum_and_drifting_scale_unsets_it():
    subject = Subject(height_m=1.75)
    known = metrics(np.stack([FIGURE] * 10), subject=subject)
    assert known.balance.omega0 == pytest.approx(np.full(10, 3.284676), abs=5e-7)
    assert known.balance.omega0_source == "height"
    nearer = FIGURE * np.linspace(1, 3, 40)[:, None, None]
    drifting = metrics(nearer, subject=subject, size=(4000, 4000))
    assert drifting.scale_drifts
    assert drifting.size.height_m is None
    assert drifting.balance.omega0_source == "default"


def test_the_sex_moves_the_center_of_mass():
    both = [metrics(FIGURE, subject=Subject(sex=sex)).balance.margin for sex in ("male", "female")]
    assert both[0] != pytest.approx(both[1], abs=1e-6)


@pytest.mark.parametrize(
    ("known", "word"),
    [(17, "model"), (0, "oks_prior"), (9, "mixed")],
)
def test_where_the_deviations_come_from(known, word):
    sigma = np.full((17, 2), np.nan)
    sigma[:known] = 2.0
    made = metrics(FIGURE, sigma=sigma)
    assert made.sigma_source.tolist() == [word]
    unseen = metrics(FIGURE, sigma=sigma, score=0.1)
    assert unseen.sigma_source.tolist() == [""]


def test_only_points_that_are_seen_decide_where_deviations_come_from():
    sigma = np.where(np.arange(17)[:, None] < 9, 2.0, np.nan)
    score = np.where(np.arange(17) < 9, 0.9, 0.1)
    assert metrics(FIGURE, sigma=sigma, score=score).sigma_source.tolist() == ["model"]


GOVERNED = {
    "joint_angle_analysis": {
        *JOINT_ANGLES, "spine_angle", "hip_level_difference", "shoulder_level_difference",
    },
    "symmetry_detection": {"symmetry_index"},
    "stability_assessment": {"stability_score"},
    "movement_quality": {"athletic_readiness"},
}  # fmt: skip


@pytest.mark.parametrize("part", GOVERNED)
def test_a_part_left_out_nulls_its_own_fields_and_no_other(part):
    whole = metrics(FIGURE)
    rest = whole.only(EnabledOutputs(**{part: False}))
    for block in ("joint_angles", "body_alignment", "movement"):
        before, after = getattr(whole, block), getattr(rest, block)
        assert before.keys() == after.keys()
        for name, quantity in after.items():
            if name in GOVERNED[part]:
                assert np.isnan(quantity.value).all(), name
                assert quantity.reason.tolist() == ["disabled"], name
            else:
                assert quantity.value == before[name].value, name
                assert quantity.reason.tolist() == [""], name


def test_all_parts_are_the_metrics_themselves():
    whole = metrics(FIGURE)
    assert movement(whole.only(EnabledOutputs())) == movement(whole)
    assert whole.only(EnabledOutputs()).joint_angles is whole.joint_angles
