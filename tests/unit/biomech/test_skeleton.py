"""The skeleton: another one than COCO's follows from its names alone."""

import numpy as np
import pytest

from biomech.joints import INCLUDED_ANGLES, JOINT_ANGLES, JOINTS, joint_of, point_of
from biomech.kinematics.geometry import SEGMENTS
from biomech.skeleton import COCO_17, SIDES, SKELETON, Skeleton, split_side

HALPE_26 = Skeleton(
    face=COCO_17.face,
    body=(
        *COCO_17.body,
        *("head", "neck", "hip"),
        *(f"{side}_{part}" for part in ("big_toe", "small_toe", "heel") for side in SIDES),
    ),
    drawn=(*COCO_17.drawn, ("head", "neck"), ("left_ankle", "left_heel")),
    bones={**COCO_17.bones, "foot": ("heel", "big_toe")},
    mass_points={"head": "ear", "hand": "wrist", "foot": "ankle"},
    oks_sigma={
        **COCO_17.oks_sigma,
        **dict.fromkeys(("head", "neck"), 0.026),
        **dict.fromkeys(("big_toe", "small_toe", "heel"), 0.07),
    },
)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("left_knee", ("left", "knee")),
        ("right_big_toe", ("right", "big_toe")),
        ("nose", (None, "nose")),
        ("trunk_lean", (None, "trunk_lean")),
        ("left", (None, "left")),
    ],
)
def test_a_side_is_split_off_where_there_is_one(name, parts):
    assert split_side(name) == parts


@pytest.mark.parametrize(("skeleton", "points"), [(COCO_17, 17), (HALPE_26, 26)])
def test_left_and_right_mirror_each_other(skeleton, points):
    assert len(skeleton.points) == len(set(skeleton.points)) == points
    mirror = np.array(skeleton.mirror)
    assert (mirror[mirror] == np.arange(points)).all()
    for left, right in skeleton.pairs:
        assert skeleton.points[left].removeprefix("left") == skeleton.points[right].removeprefix(
            "right"
        )
    own = [name for i, name in enumerate(skeleton.points) if mirror[i] == i]
    assert len(own) + 2 * len(skeleton.pairs) == points
    assert all(split_side(name)[0] is None for name in own)


@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26], ids=["COCO_17", "HALPE_26"])
def test_all_parts_are_points_of_the_skeleton(skeleton):
    assert skeleton.points[skeleton.body_slice] == skeleton.body
    assert len(skeleton.oks_sigmas) == len(skeleton.points)
    parts = {part for ends in skeleton.bones.values() for part in ends}
    for part in parts | set(skeleton.mass_points.values()):
        assert {f"{side}_{part}" for side in SIDES} <= skeleton.index.keys()
    for drawn, places in zip(skeleton.drawn, skeleton.limbs, strict=True):
        assert tuple(skeleton.points[place] for place in places) == drawn


@pytest.mark.parametrize("joint", JOINTS, ids=lambda joint: joint.name)
def test_a_row_of_the_table_agrees_with_the_skeleton_and_itself(joint):
    for side, angle in zip(SIDES, joint.angles, strict=True):
        assert joint_of(angle) is joint
        assert point_of(angle) in SKELETON.index
        assert {name.format(side) for _, name in joint.terms} <= SEGMENTS.keys()
        assert (angle in JOINT_ANGLES) == joint.in_response == (angle not in INCLUDED_ANGLES)
    assert sum(sign for sign, _ in joint.terms) == 0
    assert joint.possible_deg[0] <= joint.motion_deg[0] < joint.motion_deg[1]
    assert joint.motion_deg[1] <= joint.possible_deg[1]
    assert joint.signed or joint.possible_deg[0] == 0
