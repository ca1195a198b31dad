"""Standard deviations of angles: the oracle's, Monte Carlo's, and those of the prior."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biomech.kinematics.geometry import (
    ANGLES,
    LEVELS,
    SEGMENTS,
    TRUNK,
    between,
    flexion,
    keypoints_of,
    segments_with,
    tilt,
    trunk_lean,
    trunk_line,
    wrap,
)
from biomech.kinematics.uncertainty import (
    end_sigma,
    flexion_sigma,
    lean_sigma,
    oks_sigma,
    tilt_sigma,
)
from biomech.skeleton import INDEX, KEYPOINTS
from tests.support.stick_figure import FIGURE, from_the_side, without

QUANTITIES = {
    **{
        name: (
            lambda xy, name=name: flexion(name, xy),
            lambda xy, sigma, name=name: flexion_sigma(name, xy, sigma),
        )
        for name in ANGLES
    },
    "lean": (trunk_lean, lean_sigma),
    **{
        f"{part}_tilt": (
            lambda xy, part=part: tilt(part, xy),
            lambda xy, sigma, part=part: tilt_sigma(part, xy, sigma),
        )
        for part in LEVELS
    },
}
"""Angle and its standard deviation, by name."""

ISOTROPIC = np.full((17, 2), 3.0)
ANISOTROPIC = np.tile([4.0, 2.0], (17, 1))

ORACLE = {
    "left_elbow": (ISOTROPIC, 4.749408),
    "right_elbow": (ISOTROPIC, 5.375045),
    "left_knee": (ISOTROPIC, 4.189467),
    "right_knee": (ISOTROPIC, 4.281260),
    "left_hip": (ISOTROPIC, 3.062000),
    "right_hip": (ISOTROPIC, 3.090569),
    "left_shoulder": (ISOTROPIC, 3.049395),
    "right_shoulder": (ISOTROPIC, 3.049395),
    "lean": (ISOTROPIC, 1.210474),
    "hip_tilt": (ISOTROPIC, 4.846225),
    "shoulder_tilt": (ISOTROPIC, 2.337360),
}
ORACLE_ANISOTROPIC = {
    "left_elbow": 4.359783,
    "left_knee": 5.580769,
    "left_hip": 4.073197,
    "left_shoulder": 3.823521,
}


@pytest.mark.parametrize(
    ("name", "sigma", "degrees"),
    [(name, sigma, degrees) for name, (sigma, degrees) in ORACLE.items()]
    + [(name, ANISOTROPIC, degrees) for name, degrees in ORACLE_ANISOTROPIC.items()],
    ids=[*ORACLE, *(f"{name}_anisotropic" for name in ORACLE_ANISOTROPIC)],
)
def test_oracle_standard_deviations(name, sigma, degrees):
    assert QUANTITIES[name][1](FIGURE, sigma) == pytest.approx(degrees, abs=5e-7)


@pytest.fixture(scope="module", params=["isotropic", "by point and axis"])
def drawn(request):
    """Standard deviations of the points, and so many draws of the figure."""
    rng = np.random.default_rng(20)
    sigma = np.full((17, 2), 1.5) if request.param == "isotropic" else rng.uniform(0.5, 2, (17, 2))
    return sigma, FIGURE + rng.normal(0, 1, (100_000, 17, 2)) * sigma


@pytest.mark.parametrize("name", QUANTITIES)
def test_draws_spread_as_the_formula_says(drawn, name):
    sigma, draws = drawn
    value, deviation = QUANTITIES[name]
    apart = wrap(value(draws) - value(FIGURE))
    assert apart.std() == pytest.approx(deviation(FIGURE, sigma), rel=0.02)


bends = st.tuples(*[st.floats(-150, 150)] * 2)


@settings(deadline=None, max_examples=40)
@given(bends, bends, bends, bends, arrays(np.float64, (17, 2), elements=st.floats(0.125, 10)))
def test_the_variance_is_the_sum_over_points_of_what_each_moves_the_angle(hip, knee, arm, elbow, s):
    xy = from_the_side(hip=hip, knee=knee, shoulder=arm, elbow=elbow)
    xy[INDEX["right_shoulder"]] += [9.0, 5.0]  # shoulders and hips that have a tilt
    xy[INDEX["left_hip"]] += [7.0, -6.0]
    step = 1e-4
    moves = step * np.eye(34).reshape(34, 17, 2)
    for value, deviation in QUANTITIES.values():
        slopes = wrap(value(xy + moves) - value(xy - moves)) / (2 * step)
        assert deviation(xy, s) == pytest.approx(
            np.sqrt(((slopes * s.ravel()) ** 2).sum()), rel=1e-4
        )


@settings(deadline=None, max_examples=30)
@given(st.floats(0.5, 20), st.floats(0.1, 10))
def test_a_standard_deviation_is_relative_to_the_size(size, sigma):
    s = np.full((17, 2), sigma)
    for _, deviation in QUANTITIES.values():
        assert deviation(FIGURE * size, s * size) == pytest.approx(deviation(FIGURE, s), rel=1e-9)


def textbook(a, b, c, sigma):
    """Of the angle at ``b``: sigma^2 (1/a^2 + 1/c^2 + 1/a^2 + 1/c^2 - 2 cos(angle)/(a c))."""
    u, v = a - b, c - b
    ends = 1 / (u @ u) + 1 / (v @ v)
    return np.degrees(sigma * np.sqrt(2 * ends - 2 * (u @ v) / (u @ u * (v @ v))))


def test_the_included_angle_has_the_textbook_variance():
    points = (FIGURE[INDEX[f"left_{n}"]] for n in ("shoulder", "elbow", "wrist"))
    assert flexion_sigma("left_elbow", FIGURE, ISOTROPIC) == pytest.approx(textbook(*points, 3.0))


def test_points_that_an_angle_does_not_need_do_not_matter():
    for name in ANGLES:
        others = [kp for kp in KEYPOINTS if kp not in keypoints_of(name)]
        xy = without(FIGURE, *others)
        sigma = without(ISOTROPIC, *others)
        assert flexion_sigma(name, xy, sigma) == flexion_sigma(name, FIGURE, ISOTROPIC)


def test_an_unknown_point_or_deviation_makes_it_unknown():
    assert np.isnan(flexion_sigma("left_knee", without(FIGURE, "left_ankle"), ISOTROPIC))
    assert np.isnan(flexion_sigma("left_knee", FIGURE, without(ISOTROPIC, "left_ankle")))
    assert np.isnan(lean_sigma(without(FIGURE, "left_hip"), ISOTROPIC))


def test_a_segment_of_no_length_has_no_deviation():
    xy = FIGURE.copy()
    xy[INDEX["left_ankle"]] = xy[INDEX["left_knee"]]
    assert np.isnan(flexion_sigma("left_knee", xy, ISOTROPIC))


def test_the_near_trunk_line_has_its_own_deviation():
    near = trunk_line("left")
    assert lean_sigma(FIGURE, ISOTROPIC, near) == pytest.approx(
        np.degrees(3 * np.sqrt(2) / np.hypot(27, 140))
    )
    points = (FIGURE[INDEX[f"left_{n}"]] for n in ("hip", "shoulder", "elbow"))
    of_shoulder = flexion_sigma("left_shoulder", FIGURE, ISOTROPIC, segments_with(near))
    assert of_shoulder == pytest.approx(textbook(*points, 3.0))


@pytest.mark.parametrize(
    ("vector", "worst"),
    [
        (SEGMENTS["left_thigh"], 5.0),
        (between("left_knee", "left_ankle"), np.sqrt((4**2 + 2**2) / 2)),
        (TRUNK, np.hypot(5, 1) / 2),  # mid-hip, the less certain of both midpoints
    ],
    ids=["isotropic end", "anisotropic end", "midpoints"],
)
def test_the_less_certain_end_of_a_segment(vector, worst):
    sigma = np.full((17, 2), 1.0)
    sigma[INDEX["left_hip"]] = 5.0
    sigma[INDEX["left_ankle"]] = [4.0, 2.0]
    assert end_sigma(vector, sigma) == pytest.approx(worst)


def test_the_prior_is_cocos():
    # A box of 100 x 200 is filled to 0.53; COCO's constant of a hip is 0.107, of a nose 0.026.
    sigma = oks_sigma(np.array([10.0, 20, 110, 220]))
    assert sigma.shape == (17, 2)
    assert sigma[INDEX["right_hip"]] == pytest.approx([0.107 * np.sqrt(0.53 * 20_000)] * 2)
    assert sigma[INDEX["nose"], 0] == pytest.approx(0.026 * np.sqrt(0.53 * 20_000))
    kappas = {
        name: s / np.sqrt(0.53 * 20_000) for name, s in zip(KEYPOINTS, sigma[:, 0], strict=True)
    }
    assert kappas["left_knee"] == pytest.approx(0.087)
    assert kappas["left_wrist"] == kappas["right_wrist"] == pytest.approx(0.062)


def test_the_prior_of_a_box_turned_inside_out_is_no_length():
    boxes = np.array([[10.0, 20, 5, 40], [np.nan] * 4])
    assert (oks_sigma(boxes[0]) == 0).all()
    assert np.isnan(oks_sigma(boxes)[1]).all()
