"""Intervals of angles: they hold the truth as often as they say, at the fold and for short arms."""

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig
from biomech.kinematics.geometry import LEVELS, TRUNK, trunk_line
from biomech.kinematics.joint_angles import AngleMaker
from biomech.kinematics.uncertainty import monte_carlo_intervals
from biomech.kinematics.view import View
from biomech.preprocessing.visibility import VisibleKeypoints
from biomech.skeleton import INDEX, KEYPOINTS
from tests.support.stick_figure import FIGURE, from_the_side, rotated

DRAWS = 10_000
LEVEL = BiomechanicsConfig(sigma_roll_deg=0.0)
ABDUCTED = FIGURE.copy()  # arms and legs out and bent: no angle near an end of its range
for _name, _point in {
    "left_elbow": (432, 200),
    "left_wrist": (452, 130),
    "right_elbow": (208, 200),
    "right_wrist": (188, 130),
    "left_knee": (388, 395),
    "right_knee": (250, 398),
}.items():
    ABDUCTED[INDEX[_name]] = _point
ABDUCTED[INDEX["left_shoulder"]] += [-30, 24]  # nor lines near level or vertical
ABDUCTED[INDEX["right_shoulder"]] += [-30, 0]
ABDUCTED[INDEX["left_hip"], 1] += 34
BENT = from_the_side(hip=35.0, knee=60.0, shoulder=50.0, elbow=70.0, lean=15.0)
SIGMAS = np.array([1.0 if name.endswith(("eye", "ear", "nose")) else 3.0 for name in KEYPOINTS])
SIGMAS[[INDEX["left_hip"], INDEX["right_hip"]]] = 4.5
UNEVEN = SIGMAS[:, None] * [1.2, 0.8]


def maker(xy, sigma, *, config=LEVEL, from_model=True, kind="frontal"):
    """Angles of pictures (f, 17, 2), each by itself."""
    xy = np.array(xy, float).reshape(-1, 17, 2)
    frames = len(xy)
    sigma = np.broadcast_to(sigma, xy.shape)
    view = View(
        ratio=np.ones(frames),
        yaw_deg=np.zeros(frames),
        kind=np.full(frames, kind),
        facing=np.zeros(frames),
        to_camera=np.ones(frames),
        axis=np.tile([0.0, -1.0], (frames, 1)),
        inferred=np.zeros(frames, bool),
    )
    gated = VisibleKeypoints(xy, np.full((frames, 17), "", "<U24"))
    return AngleMaker(gated, sigma, sigma * from_model, view, TRUNK, config)


def all_angles(made):
    lean, tilts = made.lean(), made.tilts()
    return {
        **made.unsigned,
        **made.body_alignment(lean, tilts),
        "lean": lean,
        **{f"{part}_tilt": angle for part, angle in tilts.items()},
        **{f"{name} flexion": angle for name, angle in made.flexions.items()},
    }


def noisy(xy, sigma, seed=0):
    return xy + np.random.default_rng(seed).normal(0, 1, (DRAWS, 17, 2)) * sigma


def coverage(truth, made):
    """Share of intervals that hold the true value, by angle."""
    return {
        name: np.mean(
            (angle.interval()[:, 0] <= truth[name].value[0])
            & (truth[name].value[0] <= angle.interval()[:, 1])
        )
        for name, angle in made.items()
    }


@pytest.mark.parametrize("figure", [ABDUCTED, BENT], ids=["front", "side"])
@pytest.mark.parametrize("sigma", [SIGMAS[:, None] * [1.0, 1.0], UNEVEN], ids=["even", "uneven"])
def test_intervals_hold_the_truth_in_95_of_100_draws(figure, sigma):
    truth = all_angles(maker(figure, sigma))
    held = coverage(truth, all_angles(maker(noisy(figure, sigma), sigma)))
    # From the side the lines between both sides have no length, and no angle.
    skipped = {n for n, angle in truth.items() if not np.isfinite(angle.value[0])}
    assert len(held) - len(skipped) >= 17
    for name, share in held.items():
        if name not in skipped and not (figure is BENT and name.endswith(("tilt", "difference"))):
            assert 0.93 <= share <= 0.97, (name, share)


def test_an_unknown_roll_of_two_degrees_is_in_the_intervals_of_what_is_vertical_or_level():
    rolls = np.random.default_rng(1).normal(0, 2.0, DRAWS)
    turned = np.stack(
        [rotated(xy, roll) for xy, roll in zip(noisy(ABDUCTED, UNEVEN), rolls, strict=True)]
    )
    made = all_angles(maker(turned, UNEVEN, config=BiomechanicsConfig()))
    truth = all_angles(maker(ABDUCTED, UNEVEN))
    for name, share in coverage(truth, made).items():
        assert 0.93 <= share <= 0.97, (name, share)


def test_a_straight_limb_is_within_its_interval_although_errors_only_bend_it():
    straight = from_the_side()
    made = maker(noisy(straight, 3.0), 3.0)
    for name in ("left_knee", "right_elbow", "left_hip"):
        angle = made.unsigned[name]
        assert angle.value.mean() < 178.5
        held = (angle.interval()[:, 0] <= 180.0) & (angle.interval()[:, 1] == 180.0)
        flexed = made.flexions[name]
        assert flexed.value.mean() == pytest.approx(0.0, abs=0.15)
        assert 0.93 <= held.mean() <= 0.97


def short_forearm(share):
    """The figure with its left wrist so many standard deviations of 6 pixels from the elbow."""
    xy = ABDUCTED.copy()
    elbow, wrist = INDEX["left_elbow"], INDEX["left_wrist"]
    away = xy[wrist] - xy[elbow]
    xy[wrist] = xy[elbow] + away / np.hypot(*away) * 6.0 * share
    return xy


def test_the_interval_of_a_short_arm_is_drawn_and_holds_the_truth():
    xy = short_forearm(3.5)
    one = maker(xy, 6.0).unsigned["left_elbow"]
    assert np.isnan(one.sigma).all()
    low, high = one.interval()[0]
    assert low < one.value[0] < high
    assert high - low > 60
    wide = BiomechanicsConfig(
        min_segment_sigmas=0.0, min_segment_share=0.0, interval_segment_sigmas=99.0
    )
    made = maker(noisy(xy, 6.0)[:2000], 6.0, config=wide).unsigned["left_elbow"]
    truth = one.value[0]
    held = (made.interval()[:, 0] <= truth) & (truth <= made.interval()[:, 1])
    assert 0.92 <= held.mean() <= 0.98


def test_drawn_intervals_are_those_of_the_closed_form_where_it_holds():
    made, drawn = (
        all_angles(maker(ABDUCTED, UNEVEN, config=config))
        for config in (
            BiomechanicsConfig(),
            BiomechanicsConfig(interval_segment_sigmas=1e9),
        )
    )
    for name, angle in made.items():
        if drawn[name].drawn is None:
            assert name.endswith(("flexion", "tilt", "lean"))
            continue
        spread = angle.interval()[0, 1] - angle.interval()[0, 0]
        assert drawn[name].interval()[0] == pytest.approx(angle.interval()[0], abs=0.06 * spread)


def test_an_interval_depends_on_its_own_frame_only():
    xy = noisy(short_forearm(3.5), 1.0)[:40]
    together = maker(xy, 6.0).unsigned["left_elbow"].interval()
    for i in (0, 17, 39):
        alone = maker(xy[i], 6.0).unsigned["left_elbow"].interval()
        assert np.array_equal(together[i], alone[0], equal_nan=True)


def test_by_the_prior_a_short_arm_has_no_interval():
    angle = maker(short_forearm(3.5), 6.0, from_model=False).unsigned["left_elbow"]
    assert np.isfinite(angle.value).all()
    assert np.isnan(angle.interval()).all()


def test_draws_of_the_roll_widen_what_is_absolute():
    terms = [(1, trunk_line("left"))]
    xy, sigma = FIGURE[None], np.full((1, 17, 2), 0.01)

    def width(roll):
        low, high = monte_carlo_intervals(terms, lambda d: d, xy, sigma, roll)[0]
        return high - low

    assert width(2.0) == pytest.approx(2 * 1.96 * 2.0, rel=0.06)
    assert width(0.0) < 0.1


@pytest.mark.parametrize("part", LEVELS)
def test_level_differences_near_nought_are_folded_not_negative(part):
    sigma = np.full((17, 2), 15.0)
    made = maker(FIGURE, sigma, config=BiomechanicsConfig(min_segment_sigmas=2.0))
    angle = made.body_alignment(made.lean(), made.tilts())[f"{part}_level_difference"]
    low, high = angle.interval()[0]
    assert 0.0 <= low <= angle.value[0] <= high <= 90.0
