"""Angles of what Sports2D saw, against the angles that Sports2D made of the same points."""

import numpy as np
import pytest

from biomech.geometry import ANGLES, LEVELS, flexion, tilt, trunk_lean
from tests.sports2d_files import PEOPLE, read_angles, read_points

MINIMUM_COMPARED = 1900
"""Of the 1,960 angles of joints that the files of the three people hold."""


def disagreement(ours, theirs):
    """Degrees between angles that may differ in sign and by half turns, where both are there."""
    both = np.isfinite(ours) & np.isfinite(theirs)
    apart = [np.abs((ours[both] - sign * theirs[both] + 90) % 180 - 90) for sign in (1, -1)]
    return np.minimum(*apart)


@pytest.fixture(scope="module")
def people(shared):
    folder = shared / "reference" / "sports2d"
    if not folder.is_dir():
        pytest.skip("needs ../shared/reference/sports2d, which is absent")
    return [
        (read_points(folder / f"px_{who}.trc"), read_angles(folder / f"angles_{who}.mot"))
        for who in PEOPLE
    ]


def test_joint_angles_equal_sports2d(people):
    compared = 0
    for xy, theirs in people:
        assert len(xy) == len(theirs["time"]) == 230
        for name in ANGLES:
            apart = disagreement(flexion(name, xy), theirs[name.replace("_", " ")])
            assert len(apart), f"no frame holds {name} of this person"
            assert apart.max() < 1e-9, name
            compared += len(apart)
    assert compared >= MINIMUM_COMPARED


def test_the_same_joints_are_missing(people):
    for xy, theirs in people:
        for name in ANGLES:
            assert np.array_equal(
                np.isnan(flexion(name, xy)), np.isnan(theirs[name.replace("_", " ")])
            )


def test_segment_angles_equal_sports2d(people):
    for xy, theirs in people:
        columns = {"trunk": 90 - trunk_lean(xy)}
        columns |= {
            {"hip": "pelvis", "shoulder": "shoulders"}[part]: tilt(part, xy) for part in LEVELS
        }
        for name, ours in columns.items():
            apart = disagreement(ours, theirs[name])
            assert len(apart) >= 30, name
            assert apart.max() < 1e-9, name
