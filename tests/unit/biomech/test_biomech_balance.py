"""Center of mass and balance: the oracle, mass tables, contacts, base, sway, what is unknown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biomech.config import BiomechanicsConfig
from biomech.kinematics.center_of_mass import center_of_mass, segment_masses, velocity_of_mass
from biomech.kinematics.view import stature_px, view_of
from biomech.scores.balance import (
    Size,
    balance_of,
    base_of_support,
    contacts,
    margin_of,
    pendulum_rate,
    sway_score,
)
from biomech.skeleton import INDEX, KEYPOINTS
from tests.support.stick_figure import FIGURE, from_the_side, mirrored, without

CONFIG = BiomechanicsConfig()
STATURE_PX = 436.639550
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


def judged(xy, *, times_s=None, height_m=None):
    """Balance of points (f, 17, 2), 30 frames a second unless told."""
    times = np.arange(len(xy)) / 30.0 if times_s is None else times_s
    size = Size(stature_px(xy), height_m)
    return balance_of(times, xy, view_of(times, xy, CONFIG), size, None, CONFIG)


def shifted(dx, frames=31):
    """The figure in many frames, moved right by (f,) pixels."""
    return FIGURE + np.stack([np.broadcast_to(dx, frames), np.zeros(frames)], -1)[:, None]


def test_oracle_center_of_mass():
    center, mass = center_of_mass(FIGURE)
    assert center == pytest.approx([320.227633, 273.134215], abs=5e-7)
    assert mass == pytest.approx(1.0)


@pytest.mark.parametrize("sex", ["male", "female", None])
def test_a_body_of_all_segments_is_whole(sex):
    # de Leva's masses sum to 100 %; the weights of a point to 1.
    table = segment_masses(sex)
    assert sum(mass for mass, _ in table) == pytest.approx(100, abs=0.06)
    for _, point in table:
        assert sum(point.values()) == pytest.approx(1.0)
    assert {kp for _, point in table for kp in point} == set(KEYPOINTS[3:])


def test_the_mean_of_the_sexes_lies_between_them():
    male, female, mean = (center_of_mass(FIGURE, sex)[0] for sex in ("male", "female", None))
    assert female[1] != male[1]
    assert min(male[1], female[1]) < mean[1] < max(male[1], female[1])


def test_a_trunk_alone_has_its_center_at_de_levas_share():
    hips_and_shoulders = [f"{s}_{p}" for s in ("left", "right") for p in ("hip", "shoulder")]
    xy = without(FIGURE, *(kp for kp in KEYPOINTS if kp not in hips_and_shoulders))
    center, mass = center_of_mass(xy, "male")
    assert center == pytest.approx([320.0, 160 + 0.431 * 142])
    assert mass == pytest.approx(0.4346, abs=0.001)


def test_a_hidden_ear_is_where_the_other_is():
    moved = FIGURE.copy()
    moved[INDEX["right_ear"]] = moved[INDEX["left_ear"]]
    one_ear = center_of_mass(without(FIGURE, "right_ear"))
    assert one_ear[0] == pytest.approx(center_of_mass(moved)[0])
    assert one_ear[1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("lost", "share"),
    [
        (("left_ear", "right_ear"), 0.0681),
        (("left_wrist",), 0.015 + 0.00585),
        (("right_ankle",), 0.0457 + 0.0133),
        (("left_hip",), 0.43015 + 0.1447),
    ],
    ids=str,
)
def test_segments_without_both_ends_have_no_mass(lost, share):
    _, mass = center_of_mass(without(FIGURE, *lost))
    assert mass == pytest.approx(1 - share, abs=5e-4)


def test_nothing_seen_has_no_center():
    center, mass = center_of_mass(np.full((17, 2), np.nan))
    assert np.isnan(center).all()
    assert mass == 0


@settings(deadline=None, max_examples=50)
@given(st.floats(-500, 500), st.floats(-500, 500), st.floats(0.1, 10))
def test_the_center_moves_with_the_body(dx, dy, scale):
    center, _ = center_of_mass(FIGURE * scale + [dx, dy])
    assert center == pytest.approx(center_of_mass(FIGURE)[0] * scale + [dx, dy])
    assert center_of_mass(mirrored(FIGURE))[0][0] == pytest.approx(640 - 320.227633, abs=1e-6)


def test_velocity_does_not_jump_where_a_segment_is_lost():
    times = np.arange(20) / 30.0
    xy = shifted(90.0 * times, 20)
    xy[7:12, INDEX["left_wrist"]] = np.nan
    velocity, mass = velocity_of_mass(times, xy)
    assert velocity == pytest.approx(np.tile([90.0, 0.0], (20, 1)))
    assert mass[0] == pytest.approx(1.0)
    assert mass[7] == pytest.approx(1 - 0.02085, abs=5e-4)
    # The center itself does jump: its derivative is not the velocity.
    center, _ = center_of_mass(xy)
    assert np.abs(np.diff(center[:, 0]) * 30 - 90).max() > 20


def test_oracle_of_a_single_picture():
    balance = judged(FIGURE[None])
    assert balance.static
    assert balance.omega0_source == "default"
    assert balance.omega0 == pytest.approx(3.2)
    assert np.isnan(balance.sway).all()  # a picture has none
    assert balance.margin == pytest.approx(0.997291, abs=5e-7)
    assert balance.known.all()
    assert balance.grounded.all()


def test_oracle_base_of_support():
    view = view_of(np.zeros(1), FIGURE[None], CONFIG)
    ankle_x = FIGURE[None, ANKLES, 0]
    low, high = base_of_support(ankle_x, np.array([[True, True]]), view, STATURE_PX, CONFIG)
    assert [low[0], high[0]] == pytest.approx([277.992412, 362.007588], abs=5e-6)


def test_oracle_of_a_known_height():
    size = Size(STATURE_PX, 1.75)
    omega0 = pendulum_rate(np.array([500 - 273.134215]), size, CONFIG)
    assert omega0 == pytest.approx(3.284676, abs=5e-7)
    extrapolated = 320.227633 + 60 / omega0
    assert extrapolated == pytest.approx(338.494275, abs=5e-6)
    margin = margin_of(extrapolated, np.array([277.992412]), np.array([362.007588]))
    assert 60 * margin == pytest.approx(46.792190, abs=5e-6)


@pytest.mark.parametrize(
    ("at", "margin"),
    [(50, 1.0), (0, 0.5), (100, 0.5), (25, 0.75), (75, 0.75), (-50, 0.0), (-500, 0.0), (150, 0.0)],
)
def test_the_margin_is_full_in_the_middle_and_half_on_an_edge(at, margin):
    low, high = np.array([0.0]), np.array([100.0])
    assert margin_of(np.array([float(at)]), low, high) == pytest.approx(margin)


def test_no_base_has_no_margin():
    nothing = np.array([np.nan])
    assert np.isnan(margin_of(np.array([1.0]), nothing, nothing)).all()


@settings(deadline=None)
@given(st.floats(0, 10), st.floats(0, 10))
def test_less_sway_never_scores_less(a, b):
    less, more = sorted((a, b))
    scores = sway_score(np.array([less, more]), CONFIG)
    assert 0 < scores[1] <= scores[0] <= 1


def test_sway_of_its_scale_scores_half():
    assert sway_score(np.array([0.0, CONFIG.sway_scale]), CONFIG) == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize(
    ("height_px", "speed_px_s", "down"),
    [
        ((0, 0), (0, 0), (True, True)),
        ((0, 16), (0, 0), (True, True)),
        ((0, 17), (0, 0), (True, False)),
        ((17, 0), (0, 0), (False, True)),
        ((0, 0), (119, 121), (True, False)),
        ((0, 50), (130, 0), (False, False)),
        ((0, np.nan), (0, 0), (False, False)),
        ((0, 0), (np.nan, 0), (False, True)),
    ],
    ids=str,
)
def test_an_ankle_bears_near_the_lower_one_and_slow(height_px, speed_px_s, down):
    y = 500.0 - np.array([height_px], float)
    assert contacts(y, np.array([speed_px_s], float), 400.0, CONFIG)[0].tolist() == list(down)


@pytest.mark.parametrize(
    ("facing", "to_left", "to_right"), [(1, 0.038, 0.114), (-1, 0.114, 0.038)], ids=str
)
def test_seen_from_the_side_the_base_is_from_heel_to_toe(facing, to_left, to_right):
    xy = from_the_side(facing=facing, knee=20.0)[None]
    view = view_of(np.zeros(1), xy, CONFIG)
    low, high = base_of_support(xy[:, ANKLES, 0], np.array([[True, False]]), view, 400.0, CONFIG)
    ankle = xy[0, ANKLES[0], 0]
    assert [ankle - low[0], high[0] - ankle] == pytest.approx([400 * to_left, 400 * to_right])


def test_on_one_leg_the_base_is_under_it():
    xy = FIGURE.copy()
    xy[INDEX["left_ankle"]] -= [0, 60]
    balance = judged(xy[None])
    assert not balance.grounded.any()  # nor can that foot alone carry
    assert balance.margin[0] < 0.5  # the center of mass is not over the right foot


def test_sway_is_about_the_mean_speed_so_gliding_is_not_sway():
    times = np.arange(61) / 30.0
    glide = judged(shifted(40.0 * times, 61))
    assert glide.sway == pytest.approx(np.ones(61))
    assert glide.travel * STATURE_PX == pytest.approx(np.full(61, 40.0))


def test_sway_is_the_rms_speed_whatever_the_frame_rate():
    # 1 Hz, 20 px: speed has amplitude 2 pi 20, and rms over a whole period of 1/sqrt(2) of that;
    # the average over 0.3 s, that is 19 frames, lets sinc(19 / 60) of it pass.
    rng = np.random.default_rng(3)
    expected = 2 * np.pi * 20 / np.sqrt(2) / STATURE_PX * np.sinc(19 / 60)
    uneven = np.cumsum(rng.uniform(0.008, 0.025, 190))
    for times, within in ((np.arange(181) / 60.0, 0.02), (uneven, 0.06)):
        balance = judged(shifted(20.0 * np.sin(2 * np.pi * times), len(times)), times_s=times)
        inner = (times > times[0] + 0.6) & (times < times[-1] - 0.6)
        rms = CONFIG.sway_scale * np.sqrt(1 / balance.sway[inner] - 1)
        assert rms == pytest.approx(np.full(inner.sum(), expected), rel=within)


def test_the_margin_leads_by_the_velocity():
    # 30 px/s to the right at 3.2 rad/s: 9.4 px ahead of the center, over a half base of 42 px.
    times = np.arange(31) / 30.0
    still, moving = judged(shifted(0.0)), judged(shifted(30.0 * times))
    lost = np.full(31, 30 / 3.2 / 42.007588 / 2)
    assert still.margin - moving.margin == pytest.approx(lost, abs=1e-6)


def test_a_short_glimpse_tells_no_sway():
    xy = np.full((31, 17, 2), np.nan)
    xy[10:20] = FIGURE
    sway = judged(xy).sway
    assert np.isnan(sway).all()
    xy[8:22] = FIGURE
    assert np.isfinite(judged(xy).sway[8:22]).all()


def test_feet_in_the_air_bear_nothing():
    # 200 px/s up: too fast to stand.
    fall = np.stack([np.zeros(31), 200.0 * np.arange(31) / 30.0], -1)[:, None]
    balance = judged(FIGURE - fall)
    assert not balance.grounded.any()
    assert np.isnan(balance.margin).all()
    assert balance.known.all()


def test_upside_down_there_is_no_pendulum():
    balance = judged(FIGURE[None] * [1, -1] + [0, 640], height_m=1.75)
    assert not balance.grounded.any()
    assert np.isnan(balance.omega0).all()
