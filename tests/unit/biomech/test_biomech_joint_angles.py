"""Angles over a clip: values and deviations of the oracle, reasons of nulls, views, flags."""

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig
from biomech.kinematics.geometry import ANGLES, TRUNK, keypoints_of, trunk_line
from biomech.kinematics.joint_angles import AngleMaker, magnitude
from biomech.kinematics.uncertainty import oks_sigma
from biomech.kinematics.view import view_of
from biomech.preprocessing.visibility import gate
from biomech.skeleton import INDEX, JOINT_ANGLES, KEYPOINTS
from tests.support.stick_figure import FIGURE, from_the_side, mirrored, rotated, seen, without

CONFIG = BiomechanicsConfig()


def angles(xy, *, sigma=3.0, trunk=TRUNK, **track):
    """What the angles of points are made from; a ``sigma`` of None is the prior alone."""
    track = seen(xy, **track)
    gated = gate(track.xy, track.score, track.size, CONFIG.min_score)
    known = np.full(track.xy.shape, 0.0 if sigma is None else sigma)
    return AngleMaker(
        gated=gated,
        sigma=oks_sigma(track.box) if sigma is None else known,
        model_sigma=known,
        view=view_of(track.times_s, gated.xy, CONFIG),
        trunk=trunk,
        config=CONFIG,
    )


def all_angles(maker):
    flexions = {f"{name} flexion": angle for name, angle in maker.flexions.items()}
    tilts = {f"{part} tilt": angle for part, angle in maker.tilts().items()}
    return flexions | tilts | maker.sagittal() | maker.frontal() | {"lean": maker.lean()}


def test_oracle_joint_angles_and_their_deviations():
    made = angles(FIGURE).joint_angles()
    values = [made[name].value[0] for name in JOINT_ANGLES]
    deviations = [made[name].sigma[0] for name in JOINT_ANGLES]
    assert values == pytest.approx(
        [85.236358, 165.323607, 171.427002, 165.350913, 21.801409, 21.801409], abs=5e-7
    )
    assert deviations == pytest.approx(
        [4.749408, 5.375045, 4.189467, 4.281260, 3.049395, 3.049395], abs=5e-7
    )
    assert all(made[name].reason.tolist() == [""] for name in JOINT_ANGLES)


def test_orientations_share_the_uncertainty_of_the_cameras_roll():
    made = angles(FIGURE)
    tilts = made.tilts()
    assert made.lean().sigma == pytest.approx(np.hypot(1.210474, 2), abs=1e-6)
    assert tilts["hip"].sigma == pytest.approx(np.hypot(4.846225, 2), abs=1e-6)
    assert tilts["shoulder"].sigma == pytest.approx(np.hypot(2.337360, 2), abs=1e-6)


@pytest.mark.parametrize("lost", KEYPOINTS)
def test_an_angle_is_null_exactly_where_a_point_of_it_is_missing(lost):
    score = np.where(np.arange(17) == INDEX[lost], 0.1, 0.9)
    made = angles(FIGURE, score=score)
    for name, angle in made.flexions.items():
        assert (lost in keypoints_of(name)) == np.isnan(angle.value[0])
        assert angle.reason.tolist() == ["low_confidence" if lost in keypoints_of(name) else ""]
    assert (lost in TRUNK) == np.isnan(made.lean().value[0])
    for part, angle in made.tilts().items():
        gone = lost in (f"left_{part}", f"right_{part}")
        assert gone == np.isnan(angle.value[0]) or "shoulder" in lost


def test_a_point_outside_the_picture_is_another_reason():
    made = angles(FIGURE, size=(640, 490)).joint_angles()
    assert made["left_knee"].reason.tolist() == ["out_of_frame"]
    assert made["left_elbow"].reason.tolist() == [""]


def test_value_reason_and_deviation_agree_everywhere():
    rng = np.random.default_rng(5)
    xy = np.stack([FIGURE, from_the_side(knee=40.0, hip=20.0)] * 30)
    xy[rng.uniform(size=(60, 17)) < 0.15] = np.nan
    xy[rng.uniform(size=(60, 17)) < 0.05] *= 3
    for name, angle in all_angles(angles(xy)).items():
        null = np.isnan(angle.value)
        assert np.array_equal(null, angle.reason != ""), name
        assert 0 < null.sum() <= 60, name
        shown = angle.value[~null]
        assert ((angle.low <= shown) & (shown <= angle.high)).all(), name


@pytest.mark.parametrize(
    ("length_px", "sigma", "null", "interval"),
    [
        (100.0, 3.0, False, True),
        (14.9, 0.0, True, False),  # less than 0.15 of what it is elsewhere in the clip
        (15.1, 0.0, False, True),
        (29.9, 10.0, True, False),  # less than three deviations of its ends
        (30.1, 10.0, False, False),  # less than four
        (40.1, 10.0, False, True),
        (0.0, 0.0, True, False),
    ],
)
def test_a_short_segment_has_no_direction(length_px, sigma, null, interval):
    xy = np.stack([FIGURE] * 40)
    xy[:, INDEX["left_ankle"]] = xy[:, INDEX["left_knee"]]
    xy[:, INDEX["left_ankle"], 1] += np.where(np.arange(40) == 20, length_px, 100.0)
    made = angles(xy, sigma=sigma).joint_angles()["left_knee"]
    assert np.isnan(made.value[20]) == null
    assert made.reason[20] == ("degenerate_geometry" if null else "")
    assert np.isfinite(made.sigma[20]) == interval
    assert np.isfinite(made.value[[0, 39]]).all()


def test_the_prior_is_too_wide_to_make_an_angle_null():
    # A hip of 24 px deviation at segments of 100 px: no interval, but an angle.
    made = angles(FIGURE, sigma=None).joint_angles()
    assert np.isfinite([made[name].value[0] for name in JOINT_ANGLES]).all()
    assert np.isfinite(made["left_elbow"].sigma).all()
    narrow = FIGURE.copy()
    narrow[[INDEX["left_knee"], INDEX["right_knee"]], 1] = 360
    assert np.isnan(angles(narrow, sigma=None).joint_angles()["left_knee"].sigma).all()


@pytest.mark.parametrize("facing", [1, -1])
def test_seen_from_the_side_flexions_are_positive_whichever_way_faced(facing):
    xy = from_the_side(facing=facing, lean=20, hip=30, knee=50, shoulder=40, elbow=60)
    signed = angles(xy, size=(1000, 1000)).sagittal()
    for joint, angle in {"hip": 30, "knee": 50, "shoulder": 40, "elbow": 60}.items():
        for side in ("left", "right"):
            assert signed[f"{side}_{joint}_flexion"].value == pytest.approx(angle, abs=1e-9)
    assert signed["trunk_lean"].value == pytest.approx(20, abs=1e-9)


def test_hyperextension_is_negative():
    signed = angles(from_the_side(facing=-1, hip=10, knee=(-8, 40))).sagittal()
    assert signed["left_knee_flexion"].value == pytest.approx(-8, abs=1e-9)


@pytest.mark.parametrize("name", [*(f"{n}_flexion" for n in ANGLES), "trunk_lean"])
def test_sagittal_angles_are_null_from_the_front_and_without_a_facing(name):
    assert angles(FIGURE).sagittal()[name].reason.tolist() == ["view_mismatch"]
    face = ("nose", "left_ear", "right_ear")
    hidden = without(from_the_side(), *face)
    known = "elbow" in name  # its size needs no facing
    assert angles(hidden).sagittal()[name].reason.tolist() == ["" if known else "facing_unknown"]
    assert np.isfinite(angles(hidden).sagittal()[name].value).all() == known


def test_oracle_frontal_angles():
    frontal = angles(FIGURE).frontal()
    assert frontal["left_fppa"].value == pytest.approx(-8.572998, abs=5e-7)
    assert frontal["right_fppa"].value == pytest.approx(-14.649087, abs=5e-7)
    assert frontal["left_fppa"].sigma == pytest.approx(4.189467, abs=5e-7)
    assert frontal["trunk_lateral_lean"].value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("away", [False, True], ids=["facing the camera", "facing away"])
def test_lateral_lean_and_tilts_are_by_the_persons_sides(away):
    # Turned clockwise on the screen the figure leans to image right, where its left is.
    xy = rotated(FIGURE, 10.0)
    if away:  # the same points, of the other side
        xy = mirrored(xy) * [-1.0, 1.0] + [640.0, 0.0]
    made = angles(xy)
    sign = 1 if away else -1
    assert made.frontal()["trunk_lateral_lean"].value == pytest.approx(10 * sign, abs=1e-9)
    assert made.tilts()["shoulder"].value == pytest.approx(10 * sign, abs=1e-9)


def test_frontal_angles_are_null_from_the_side():
    frontal = angles(from_the_side(knee=20.0)).frontal()
    assert {angle.reason[0] for angle in frontal.values()} == {"view_mismatch"}


def test_inward_needs_both_hips_and_a_width_between_them():
    assert angles(without(FIGURE, "right_hip")).frontal()["left_fppa"].reason.tolist() == [
        "low_confidence"
    ]
    stacked = FIGURE.copy()
    stacked[INDEX["right_hip"], 0] = stacked[INDEX["left_hip"], 0]
    frontal = angles(stacked, sigma=0.5).frontal()
    assert frontal["left_fppa"].reason.tolist() == ["degenerate_geometry"]


@pytest.mark.parametrize(
    ("ratio", "word"), [(0.71, ""), (0.69, "view_mismatch"), (0.4, "view_mismatch")]
)
def test_level_differences_are_of_views_from_about_the_front(ratio, word):
    half = 0.5 * ratio * 0.76 * 142
    xy = FIGURE.copy()
    xy[INDEX["left_shoulder"], 0], xy[INDEX["right_shoulder"], 0] = 320 + half, 320 - half
    tilts = angles(xy, sigma=0.5).tilts()
    assert tilts["shoulder"].reason.tolist() == tilts["hip"].reason.tolist() == [word]


def test_levels_of_an_unknown_view_are_null():
    tilts = angles(without(FIGURE, "left_shoulder")).tilts()
    assert tilts["hip"].reason.tolist() == ["low_confidence"]


def test_the_near_trunk_line_needs_the_near_side_only():
    xy = without(from_the_side(knee=20.0, shoulder=35.0), "left_shoulder", "left_hip")
    midline, near = angles(xy), angles(xy, trunk=trunk_line("right"))
    assert midline.joint_angles()["right_shoulder"].reason.tolist() == ["low_confidence"]
    assert near.joint_angles()["right_shoulder"].value == pytest.approx(35.0, abs=1e-9)
    assert near.lean().value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("knee", "flagged"),
    [(0.0, True), (8.0, True), (9.0, False), (90.0, False), (160.0, False)],
)
def test_near_an_end_of_its_range_an_angle_is_flagged(knee, flagged):
    # Two segments of 100 px and points of 3 px deviation: twice the deviation is 8.4 degrees
    # where the leg is straight.
    maker = angles(from_the_side(knee=knee, hip=knee / 2), sigma=3.0)
    assert maker.joint_flags()["left_knee"]["near_fold"].tolist() == [flagged]


def test_an_arm_overhead_is_near_the_other_end():
    maker = angles(from_the_side(shoulder=(178.0, 160.0)), sigma=3.0)
    assert maker.joint_flags()["left_shoulder"]["near_fold"].tolist() == [True]
    assert maker.joint_flags()["right_shoulder"]["near_fold"].tolist() == [False]


def test_a_segment_that_appears_short_is_flagged_as_out_of_plane():
    xy = np.stack([FIGURE] * 40)
    xy[30:, INDEX["left_ankle"]] = FIGURE[INDEX["left_knee"]] + [0, 80]
    flags = angles(xy).joint_flags()
    assert flags["left_knee"]["out_of_plane"].tolist() == [False] * 30 + [True] * 10
    assert not flags["right_knee"]["out_of_plane"].any()
    xy[35:, INDEX["left_hip"]] = np.nan
    assert angles(xy).joint_flags()["left_knee"]["out_of_plane"].sum() == 5


def test_a_magnitude_loses_the_sign_only():
    lean = angles(rotated(FIGURE, -10.0)).lean()
    unsigned = magnitude(lean)
    assert lean.value == pytest.approx(-10, abs=1e-9)
    assert unsigned.value == pytest.approx(10, abs=1e-9)
    assert (unsigned.low, unsigned.high) == (0.0, 180.0)
    assert unsigned.sigma == lean.sigma


def test_a_disabled_angle_says_only_that():
    off = angles(FIGURE).joint_angles()["left_knee"].disabled()
    assert np.isnan(off.value).all()
    assert off.reason.tolist() == ["disabled"]
