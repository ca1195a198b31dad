"""Angles of what Sports2D saw, against the angles that Sports2D made of the same points."""

import numpy as np
import pytest

from biomech.geometry import ANGLES, LEVELS, flexion, tilt, trunk_lean
from biomech.skeleton import INDEX

PEOPLE = ("person00", "person01", "person02")
MINIMUM_COMPARED = 1900
"""Of the 1,960 angles of joints that the files of the three people hold."""


def read_points(path):
    """(f, 17, 2) pixels of a .trc file, NaN where blank or of another skeleton."""
    lines = path.read_text().splitlines()
    names = [name for name in lines[3].split("\t")[2:] if name]
    table = [line.split("\t") for line in lines[5:] if line.strip()]
    xy = np.full((len(table), 17, 2), np.nan)
    for i, name in enumerate(names):
        sided = {"R": "right_", "L": "left_"}.get(name[0], "") + name[1:].lower()
        keypoint = sided if sided in INDEX else name.lower()
        if keypoint in INDEX:
            cells = [(row + [""] * 99)[2 + 3 * i : 4 + 3 * i] for row in table]
            xy[:, INDEX[keypoint]] = [[float(c) if c else np.nan for c in pair] for pair in cells]
    return xy


def read_angles(path):
    """Columns of a .mot file by name, degrees."""
    lines = path.read_text().splitlines()
    header = lines.index("endheader")
    rows = [line.split("\t") for line in lines[header + 2 :] if line.strip()]
    values = np.array([[float(c) if c else np.nan for c in row] for row in rows])
    return dict(zip(lines[header + 1].split("\t"), values.T, strict=True))


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
