"""Which way a picture is to be turned, by its display matrix."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.decode.orientation import Orientation, orientation


def frame_with(matrix):
    """A frame with the display matrix of nine numbers, in fixed point as containers have it."""
    scale = [65536, 65536, 1 << 30] * 3
    data = struct.pack("=9i", *(round(v * s) for v, s in zip(matrix, scale, strict=True)))
    return SimpleNamespace(side_data={"DISPLAYMATRIX": data})


def turned(degrees, *, mirrored=False):
    """The matrix of a clockwise turn of what is then mirrored left for right."""
    t = np.radians(degrees)
    a, b, c, d = np.cos(t), np.sin(t), -np.sin(t), np.cos(t)
    if mirrored:
        a, c = -a, -c
    return [a, b, 0, c, d, 0, 0, 0, 1]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90, 450])
def test_quarter_turns(degrees, mirrored):
    found = orientation(frame_with(turned(degrees, mirrored=mirrored)))

    assert found == Orientation(degrees % 360, 0.0, mirrored)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        # As phones write them: ISO/IEC 14496-12, 8.3.2, with the translation of the picture.
        pytest.param([0, 1, 0, -1, 0, 0, 1080, 0, 1], Orientation(90), id="phone held upright"),
        pytest.param([0, -1, 0, 1, 0, 0, 0, 1920, 1], Orientation(270), id="held upside down"),
        pytest.param([-1, 0, 0, 0, -1, 0, 1920, 1080, 1], Orientation(180), id="on its head"),
        pytest.param([-1, 0, 0, 0, 1, 0, 1920, 0, 1], Orientation(0, 0.0, True), id="mirror"),
        pytest.param([1, 0, 0, 0, -1, 0, 0, 1080, 1], Orientation(180, 0.0, True), id="flip"),
        pytest.param([2, 0, 0, 0, 2, 0, 0, 0, 1], Orientation(0), id="scaled"),
        pytest.param([0, 0, 0, 0, 0, 0, 0, 0, 0], Orientation(0), id="nothing"),
        pytest.param([1, 1, 0, 1, 1, 0, 0, 0, 1], Orientation(0), id="degenerate"),
    ],
)
def test_matrices_of_recorders(matrix, expected):
    assert orientation(frame_with(matrix)) == expected


def test_without_a_matrix_it_is_upright():
    assert orientation(SimpleNamespace(side_data={})) == Orientation()


@given(quarter=st.integers(0, 3), off=st.floats(-0.95, 0.95), mirrored=st.booleans())
def test_measured_angles_near_a_quarter_count_as_it(quarter, off, mirrored):
    found = orientation(frame_with(turned(90 * quarter + off, mirrored=mirrored)))

    assert found == Orientation(90 * quarter, 0.0, mirrored)


@given(quarter=st.integers(0, 3), off=st.floats(1.05, 88.95))
def test_other_angles_are_told_and_not_applied(quarter, off):
    found = orientation(frame_with(turned(90 * quarter + off)))

    assert found.rotation_deg == 0
    assert not found.mirrored
    assert (found.ignored_deg - 90 * quarter - off) % 360 == pytest.approx(0, abs=0.01) or (
        found.ignored_deg - 90 * quarter - off
    ) % 360 == pytest.approx(360, abs=0.01)


@given(st.binary(min_size=36, max_size=36))
def test_any_matrix_is_some_orientation(data):
    found = orientation(SimpleNamespace(side_data={"DISPLAYMATRIX": data}))

    assert found.rotation_deg in (0, 90, 180, 270)
    assert np.isfinite(found.ignored_deg)
