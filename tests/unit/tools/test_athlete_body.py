"""The kinematic body: lengths, angles, sides, and where it stands."""

import numpy as np
import pytest

from biomech.kinematics.geometry import flexion, unsigned
from biomech.skeleton import INDEX, KEYPOINTS
from tools.athlete.body import ANGLES, SIDES, Shape, pose, stand
from tools.athlete.camera import PinholeCamera

SHAPE = Shape()
LENGTHS = {
    ("shoulder", "elbow"): SHAPE.upper_arm,
    ("elbow", "wrist"): SHAPE.forearm,
    ("hip", "knee"): SHAPE.thigh,
    ("knee", "ankle"): SHAPE.shank,
}


def seen_from_the_left(body):
    """(T,17,2) pixels of a camera far away on the athlete's left, level."""
    return PinholeCamera((600, 600), azimuth=90, elevation=0, distance=1e4).project(body.keypoints)[
        0
    ]


def anywhere(frames, seed=0):
    random = np.random.default_rng(seed)
    return pose(frames, **{name: random.uniform(-60, 120, frames) for name in ANGLES})


def test_segments_keep_their_lengths_in_any_pose():
    body = stand(anywhere(200), SHAPE)
    for side in SIDES:
        for (a, b), length in LENGTHS.items():
            apart = body.points[f"{side}_{a}"] - body.points[f"{side}_{b}"]
            assert np.linalg.norm(apart, axis=1) == pytest.approx(length, abs=1e-12)


def test_the_lowest_foot_is_on_the_ground_or_as_high_as_told():
    lift = np.linspace(0, 0.3, 50)
    body = stand(anywhere(50), SHAPE, lift=lift, at=np.full((50, 2), 3.0))
    soles = [body.points[f"{s}_{end}"][:, 2] for s in SIDES for end in ("heel", "toe")]
    assert np.min(soles, axis=0) == pytest.approx(lift, abs=1e-12)
    assert np.allclose(body.points["pelvis"][:, :2], 3.0)


def test_someone_who_stands_is_about_a_stature_tall_and_has_the_left_at_the_left():
    body = stand(pose(1), SHAPE)
    heights = {name: body.points[name][0, 2] for name in KEYPOINTS}
    assert 0.88 < heights["nose"] < 0.95
    assert heights["left_shoulder"] == pytest.approx(0.818, abs=1e-3)
    assert heights["left_hip"] == pytest.approx(0.530, abs=1e-3)
    assert body.points["nose"][0, 0] > body.points["left_ear"][0, 0]
    for name in KEYPOINTS:
        if name.startswith("left_"):
            assert body.points[name][0, 1] == -body.points["right" + name[4:]][0, 1] > 0


@pytest.mark.parametrize("angle", [0.0, 15.0, 60.0, 110.0])
@pytest.mark.parametrize("joint", ["knee", "elbow"])
def test_a_flexion_is_seen_as_it_was_set_from_the_side(joint, angle):
    body = stand(pose(1, **{f"{side}_{joint}_flexion": angle for side in SIDES}), SHAPE)
    xy = seen_from_the_left(body)
    for side in SIDES:
        name = f"{side}_{joint}"
        assert unsigned(name, flexion(name, xy)) == pytest.approx(180 - angle, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "moved", "axis", "sign"),
    [
        ("hip_flexion", "knee", 0, 1),
        ("knee_flexion", "ankle", 0, -1),
        ("shoulder_flexion", "elbow", 0, 1),
        ("elbow_flexion", "wrist", 0, 1),
        ("hip_abduction", "knee", 1, 1),
        ("shoulder_abduction", "elbow", 1, 1),
        ("ankle_flexion", "toe", 2, 1),
    ],
)
def test_each_angle_moves_what_it_should_the_right_way(name, moved, axis, sign):
    rest = stand(pose(1), SHAPE)
    bent = stand(pose(1, **{f"left_{name}": 30.0}), SHAPE)
    step = (bent.points[f"left_{moved}"] - bent.points["pelvis"]) - (
        rest.points[f"left_{moved}"] - rest.points["pelvis"]
    )
    assert step[0, axis] * sign > 0.01


def test_left_and_right_are_mirror_images():
    angles = anywhere(30)
    swapped = {
        name: angles[
            name.replace("left", "right") if "left" in name else name.replace("right", "left")
        ]
        for name in angles
    }
    for name in ("heading", "trunk_side", "trunk_twist", "head_yaw"):
        swapped[name] = -swapped[name]
    here, there = stand(angles, SHAPE), stand(swapped, SHAPE)
    for name in KEYPOINTS:
        other = name.replace("left", "right") if "left" in name else name.replace("right", "left")
        assert np.allclose(here.points[name] * [1, -1, 1], there.points[other], atol=1e-12)


def test_an_angle_of_no_joint_is_refused():
    with pytest.raises(KeyError, match="left_knee"):
        pose(1, left_knee=3.0)


def test_bodies_differ_within_reason():
    shapes = [Shape.sample(np.random.default_rng(i)) for i in range(50)]
    thighs = [shape.thigh for shape in shapes]
    assert 0.22 < min(thighs) < 0.24 < 0.25 < max(thighs) < 0.27


def test_the_camera_sees_the_target_in_the_middle_and_the_athletes_left_at_the_right():
    body = stand(pose(1), SHAPE)
    front = PinholeCamera((401, 401), azimuth=0, elevation=0, target=(0, 0, 0.53), distance=5)
    xy, depth = front.project(body.keypoints)
    hips = xy[0, [INDEX["left_hip"], INDEX["right_hip"]]]
    assert hips.mean(0) == pytest.approx([200, 200], abs=0.2)
    assert hips[0, 0] > hips[1, 0]
    assert depth[0, INDEX["nose"]] < depth[0, INDEX["left_ear"]]
    behind = PinholeCamera((401, 401), azimuth=180, elevation=0, target=(0, 0, 0.53), distance=5)
    assert behind.project(body.keypoints)[0][0, INDEX["left_hip"], 0] < 200


def test_rolling_the_camera_turns_the_picture_clockwise():
    point = np.array([0.0, 0.0, 0.8])  # above the middle
    level = PinholeCamera((201, 201), elevation=0).project(point)[0]
    turned = PinholeCamera((201, 201), elevation=0, roll=20).project(point)[0]
    assert turned[0] > level[0]
    assert np.hypot(*(turned - 100)) == pytest.approx(np.hypot(*(level - 100)))
