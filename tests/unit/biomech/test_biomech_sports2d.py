"""Angles of what Sports2D saw, against its own of the same points, by the documented table."""

import re

import numpy as np
import pytest

from biomech.kinematics.geometry import (
    ANGLES,
    LEVELS,
    SEGMENTS,
    combine,
    direction,
    flexion,
    tilt,
    trunk_lean,
)
from serve_app.setting_types import ROOT
from tests.support.sports2d_tracks import read_tracks

MINIMUM_COMPARED = 1900
"""Of the 1,960 angles of joints that the files of the three people hold."""

_PAGE = (ROOT / "docs" / "biomechanics" / "definitions.md").read_text("utf-8")
ROWS = [
    (theirs, ours, int(sign), float(offset))
    for theirs, ours, sign, offset in re.findall(
        r"^\| ([a-z ]+) \| (\S.*) \| (-?1) \| (\d+) \|$", _PAGE, flags=re.MULTILINE
    )
]


def ours_of(name, xy):
    """(f,) degrees, as the column `ours` of the table calls it."""
    subject, kind = name.split()[:2]
    if kind == "flexion":
        return flexion(subject, xy)
    if kind == "direction":
        return direction(combine(SEGMENTS[subject], xy))
    if kind == "lean":
        return trunk_lean(xy)
    across = combine(LEVELS[subject], xy)[:, 0]  # from the left to the right
    return tilt(subject, xy) * np.where(across < 0, -1, 1)


@pytest.fixture(scope="module")
def people():
    return read_tracks()


def test_the_table_has_every_angle_of_theirs_once(people):
    for _, theirs in people:
        assert sorted(row[0] for row in ROWS) == sorted(theirs)


@pytest.mark.parametrize(("theirs", "ours", "sign", "offset"), ROWS, ids=[row[0] for row in ROWS])
def test_angles_are_sports2ds_by_the_sign_and_offset_of_the_table(
    people, theirs, ours, sign, offset
):
    for xy, columns in people:
        mine, other = sign * ours_of(ours, xy) + offset, columns[theirs]
        both = np.isfinite(mine) & np.isfinite(other)
        assert both.sum() >= 10
        apart = (mine[both] - other[both] + 90) % 180 - 90
        assert np.abs(apart).max() < 1e-9


def test_the_same_joints_are_missing(people):
    compared = 0
    for xy, theirs in people:
        assert len(xy) == 230
        for name in ANGLES:
            missing = np.isnan(flexion(name, xy))
            assert np.array_equal(missing, np.isnan(theirs[name.replace("_", " ")]))
            compared += int((~missing).sum())
    assert compared >= MINIMUM_COMPARED
