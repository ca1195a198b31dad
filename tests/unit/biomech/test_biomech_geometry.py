"""Angles against the oracle figure, against known kinematics, and their symmetries."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biomech.joints import JOINT_ANGLES
from biomech.kinematics.geometry import (
    ANGLES,
    LEVELS,
    SEGMENTS,
    direction,
    flexion,
    fppa,
    keypoints_of,
    segments_with,
    tilt,
    trunk_lean,
    trunk_line,
    unsigned,
    wrap,
)
from biomech.skeleton import INDEX, KEYPOINTS, MIRROR
from tests.support.stick_figure import FIGURE, from_the_side, rotated, turned_in_depth


@st.composite
def skeletons(draw):
    """Limbs of any length and direction, none so short that rounding turns it."""
    names = [*SEGMENTS, *LEVELS]
    lengths = draw(arrays(np.float64, len(names), elements=st.floats(20, 300)))
    angles = np.radians(draw(arrays(np.float64, len(names), elements=st.floats(-180, 180))))
    limbs = np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], -1)
    limb = dict(zip(names, limbs, strict=True))
    xy = draw(arrays(np.float64, (17, 2), elements=st.floats(0, 1000)))  # the head stays there
    middle = {"hip": np.array([500.0, 500.0]), "shoulder": 500.0 - limb["trunk"]}
    for side, half in (("left", -0.5), ("right", 0.5)):
        for part in LEVELS:
            xy[INDEX[f"{side}_{part}"]] = middle[part] + half * limb[part]
        for start, segment, end in (
            ("hip", "thigh", "knee"),
            ("knee", "shank", "ankle"),
            ("shoulder", "upper_arm", "elbow"),
            ("elbow", "forearm", "wrist"),
        ):
            xy[INDEX[f"{side}_{end}"]] = xy[INDEX[f"{side}_{start}"]] + limb[f"{side}_{segment}"]
    return xy


def included(a, b, c):
    """The angle at ``b``, by cross and dot product."""
    u, v = a - b, c - b
    return np.degrees(np.arctan2(abs(u[0] * v[1] - u[1] * v[0]), u @ v))


def turned_by(angle, by):
    """Difference of directions, wrapped."""
    return wrap(np.asarray(angle - by))


ORACLE_FLEXIONS = {
    "left_knee": 8.572998,
    "right_knee": -14.649087,
    "left_hip": 5.710593,
    "right_hip": -8.702224,
}
ORACLE_UNSIGNED = {
    "left_elbow": 85.236358,
    "right_elbow": 165.323607,
    "left_knee": 171.427002,
    "right_knee": 165.350913,
    "left_shoulder": 21.801409,
    "right_shoulder": 21.801409,
    "left_hip": 174.289407,
    "right_hip": 171.297776,
}


@pytest.mark.parametrize(("name", "degrees"), ORACLE_FLEXIONS.items())
def test_oracle_flexions(name, degrees):
    assert flexion(name, FIGURE) == pytest.approx(degrees, abs=5e-7)


@pytest.mark.parametrize(("name", "degrees"), ORACLE_UNSIGNED.items())
def test_oracle_unsigned_angles(name, degrees):
    assert unsigned(name, flexion(name, FIGURE)) == pytest.approx(degrees, abs=5e-7)


def test_oracle_frontal_plane():
    assert fppa("left", FIGURE) == pytest.approx(-8.572998, abs=5e-7)
    assert fppa("right", FIGURE) == pytest.approx(-14.649087, abs=5e-7)
    assert tilt("hip", FIGURE) == pytest.approx(4.573921, abs=5e-7)
    assert tilt("shoulder", FIGURE) == 0
    assert trunk_lean(FIGURE) == 0


def test_oracle_turned_clockwise():
    xy = rotated(FIGURE, 10.0)
    assert trunk_lean(xy) == pytest.approx(10, abs=1e-9)
    assert tilt("hip", xy) == pytest.approx(-5.426079, abs=5e-7)
    assert tilt("shoulder", xy) == pytest.approx(-10, abs=1e-9)


@pytest.mark.parametrize(
    ("yaw", "seen"), [(0, 60), (10, 59.243304), (20, 56.962477), (30, 53.130102), (45, 44.415309)]
)
def test_a_flexed_knee_seen_from_aside_reads_less(yaw, seen):
    side_on = from_the_side(hip=30.0, knee=60.0)
    in_space = np.concatenate([side_on, np.zeros((17, 1))], axis=1)
    assert flexion("left_knee", turned_in_depth(in_space, yaw)) == pytest.approx(seen, abs=5e-7)


def test_a_tilt_seen_from_aside_reads_more():
    xy = FIGURE.copy()
    xy[INDEX["left_hip"]] = [100 * np.cos(np.radians(5)), 0.0]
    xy[INDEX["right_hip"]] = [0.0, 100 * np.sin(np.radians(5))]
    in_space = np.concatenate([xy, np.zeros((17, 1))], axis=1)
    assert tilt("hip", turned_in_depth(in_space, 30)) == pytest.approx(5.768632, abs=5e-7)


angle_deg = st.floats(-170, 170)


@settings(deadline=None)
@given(
    facing=st.sampled_from([-1, 1]),
    lean=angle_deg,
    hip=st.tuples(angle_deg, angle_deg),
    knee=st.tuples(angle_deg, angle_deg),
    shoulder=st.tuples(angle_deg, angle_deg),
    elbow=st.tuples(angle_deg, angle_deg),
)
def test_known_angles_are_recovered_whichever_way_faced(facing, lean, hip, knee, shoulder, elbow):
    known = {"hip": hip, "knee": knee, "shoulder": shoulder, "elbow": elbow}
    xy = from_the_side(facing=facing, lean=lean, **known)
    assert facing * trunk_lean(xy) == pytest.approx(lean, abs=1e-9)
    for joint, both in known.items():
        for side, angle in zip(("left", "right"), both, strict=True):
            assert facing * flexion(f"{side}_{joint}", xy) == pytest.approx(angle, abs=1e-9)


@settings(deadline=None)
@given(
    skeletons(),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.floats(0.2, 5),
    st.floats(-180, 180),
)
def test_joint_angles_do_not_depend_on_place_size_or_turn(xy, shift, scale, turn):
    moved = rotated(xy * scale, turn) + shift
    for name in ANGLES:
        assert turned_by(flexion(name, moved), flexion(name, xy)) == pytest.approx(0, abs=1e-9)


@settings(deadline=None)
@given(skeletons())
def test_a_mirror_swaps_sides_and_negates_tilts(xy):
    mirrored = (xy * [-1, 1] + [1000, 0])[list(MIRROR)]
    for name in ANGLES:
        other = KEYPOINTS[MIRROR[INDEX[name]]]
        assert unsigned(name, flexion(name, mirrored)) == pytest.approx(
            unsigned(other, flexion(other, xy)), abs=1e-9
        )
    for part in LEVELS:
        assert tilt(part, mirrored) == pytest.approx(-tilt(part, xy), abs=1e-9)
    assert abs(trunk_lean(mirrored)) == pytest.approx(abs(trunk_lean(xy)), abs=1e-9)
    assume(np.isfinite(fppa("right", xy)))  # inward is known
    assert turned_by(fppa("left", mirrored), fppa("right", xy)) == pytest.approx(0, abs=1e-9)


@settings(deadline=None)
@given(st.floats(-60, 60))
def test_a_clockwise_turn_adds_to_lean_and_takes_from_tilts(turn):
    before, after = FIGURE, rotated(FIGURE, turn)
    assert trunk_lean(after) == pytest.approx(trunk_lean(before) + turn, abs=1e-9)
    for part in LEVELS:
        assert tilt(part, after) == pytest.approx(tilt(part, before) - turn, abs=1e-9)


@settings(deadline=None)
@given(skeletons())
def test_elbow_knee_and_hip_are_included_angles(xy):
    for side in ("left", "right"):
        for joint, ends in {"elbow": ("shoulder", "wrist"), "knee": ("hip", "ankle")}.items():
            a, b, c = (xy[INDEX[f"{side}_{n}"]] for n in (ends[0], joint, ends[1]))
            name = f"{side}_{joint}"
            assert unsigned(name, flexion(name, xy)) == pytest.approx(included(a, b, c), abs=1e-9)


@settings(deadline=None)
@given(skeletons(), st.sampled_from(KEYPOINTS))
def test_a_missing_point_is_missing_exactly_where_it_is_needed(xy, lost):
    xy = xy.copy()
    xy[INDEX[lost]] = np.nan
    for name in ANGLES:
        assert np.isnan(flexion(name, xy)) == (lost in keypoints_of(name))


def test_points_needed():
    assert set(keypoints_of("left_elbow")) == {"left_shoulder", "left_elbow", "left_wrist"}
    assert set(keypoints_of("right_shoulder")) == {
        "right_elbow",
        *(f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "hip")),
    }
    near = segments_with(trunk_line("right"))
    assert set(keypoints_of("right_shoulder", near)) == {
        "right_elbow",
        "right_shoulder",
        "right_hip",
    }
    assert set(JOINT_ANGLES) < set(ANGLES)


def test_the_near_trunk_line_replaces_the_midline():
    # From the front, the line of one side leaves the midline: an arm along it hangs at 0.
    xy = FIGURE.copy()
    shoulder, hip = xy[INDEX["left_shoulder"]], xy[INDEX["left_hip"]]
    xy[INDEX["left_elbow"]] = shoulder + 0.5 * (hip - shoulder)
    assert flexion("left_shoulder", xy, segments_with(trunk_line("left"))) == pytest.approx(0)
    assert abs(flexion("left_shoulder", xy)) > 10
    assert abs(trunk_lean(xy, trunk_line("left"))) == pytest.approx(10.92, abs=0.01)


def test_the_same_side_hip_would_read_a_hanging_arm_high():
    near = segments_with(trunk_line("left"))
    assert abs(flexion("left_shoulder", FIGURE, near)) == pytest.approx(32.72, abs=0.005)


def test_shapes_are_vectorised_over_leading_axes():
    stack = np.stack([[FIGURE, rotated(FIGURE, 30)], [FIGURE * 2, FIGURE + 5]])
    for name in ANGLES:
        assert flexion(name, stack) == pytest.approx(np.full((2, 2), flexion(name, FIGURE)))
    for values in (tilt("hip", stack), fppa("left", stack), trunk_lean(stack)):
        assert values.shape == (2, 2)


@pytest.mark.parametrize(
    ("angle", "wrapped"),
    [(0, 0), (180, 180), (-180, 180), (190, -170), (540, 180), (-190, 170), (720, 0)],
)
def test_wrap(angle, wrapped):
    assert wrap(np.array(float(angle))) == wrapped


@settings(deadline=None)
@given(st.floats(-1e4, 1e4))
def test_wrap_stays_in_range_and_keeps_the_direction(angle):
    wrapped = wrap(np.array(angle))
    assert -180 < wrapped <= 180
    assert abs((wrapped - angle + 180) % 360 - 180) == pytest.approx(0, abs=1e-9)


def test_a_vector_of_no_length_has_no_direction():
    xy = FIGURE.copy()
    xy[INDEX["left_wrist"]] = xy[INDEX["left_elbow"]]
    xy[INDEX["left_hip"]] = xy[INDEX["right_hip"]]
    assert np.isnan(direction(np.zeros(2)))
    assert np.isnan(flexion("left_elbow", xy))
    assert np.isnan(tilt("hip", xy))
    assert np.isnan(fppa("left", xy))
