"""From a measured track to a smooth one: what is kept, taken out, filled, and told of."""

from dataclasses import replace

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig
from biomech.kinematics.geometry import flexion
from biomech.preprocessing.preprocess import choose_filter, preprocess
from biomech.preprocessing.repair import Swap, exchange
from biomech.skeleton import INDEX, KEYPOINTS
from tests.support.moving_figure import frames, squats, walk
from tests.support.stick_figure import FIGURE, seen

CONFIG = BiomechanicsConfig()
WRIST, KNEE = INDEX["left_wrist"], INDEX["left_knee"]
WIDE = (2000, 2000)


def smoothed(motion, config=CONFIG, xy=None, **track):
    track = {"size": WIDE, "sigma": 2.0} | track
    points = motion.xy if xy is None else xy
    return preprocess(seen(points, times_s=motion.times_s, **track), config)


@pytest.fixture(scope="module")
def walker():
    return walk(frames(4, 30), speed=60.0)


def test_smoothing_removes_noise_and_keeps_the_motion(walker):
    noisy = walker.noisy(3.0)
    made = smoothed(noisy)
    inner = slice(15, -15)
    before, after = (xy[inner] - walker.xy[inner] for xy in (noisy.xy, made.curve))
    # White noise keeps the share of its band that passes: 6 of 15 Hz and a skirt.
    assert after.std() < 0.75 * before.std()
    quiet = smoothed(walker)
    assert np.abs(quiet.curve[inner] - walker.xy[inner]).max() < 4.0
    assert np.array_equal(made.raw, noisy.xy)


def test_steady_noise_makes_the_deviations_no_smaller_and_strong_noise_larger(walker):
    honest = smoothed(walker.noisy(2.0), sigma=4.0)
    assert honest.noise.inflation == 1.0
    assert (honest.sigma == 4.0).all()
    sure = smoothed(walker.noisy(4.0), sigma=1.0)
    assert sure.noise.inflation == pytest.approx(4.0, rel=0.1)
    assert sure.sigma == pytest.approx(np.full(sure.sigma.shape, sure.noise.inflation))
    assert sure.curve_sigma == pytest.approx(sure.noise.passed * sure.sigma)


def test_filled_points_are_for_curves_and_not_for_angles(walker):
    score = np.full((len(walker.xy), 17), 0.9)
    score[40:43, KNEE] = 0.1
    made = smoothed(walker, score=score)
    assert np.argwhere(made.filled).tolist() == [[40, KNEE], [41, KNEE], [42, KNEE]]
    assert np.isfinite(made.curve).all()
    assert np.isnan(made.gated.xy[40:43, KNEE]).all()
    assert (made.gated.reason[40:43, KNEE] == "low_confidence").all()
    whole = smoothed(walker)
    assert np.abs(made.curve - whole.curve).max() < 4.0


def test_a_long_gap_splits_the_filter_in_two(walker):
    score = np.full((len(walker.xy), 17), 0.9)
    score[40:60, KNEE] = 0.1
    made = smoothed(walker, score=score)
    assert not made.filled.any()
    assert np.isnan(made.curve[40:60, KNEE]).all()
    alone = smoothed(replace_frames(walker, slice(0, 40)))
    assert np.array_equal(made.curve[:40, KNEE], alone.curve[:, KNEE])


def replace_frames(motion, part):
    return replace(motion, times_s=motion.times_s[part], xy=motion.xy[part])


def test_a_stray_point_is_missing_for_that_reason_unless_it_is_sure(walker):
    elbow = INDEX["left_elbow"]
    reach = walker.xy[50, WRIST] - walker.xy[50, elbow]
    xy = walker.xy.copy()
    xy[50, WRIST] += 0.9 * reach
    long_bone = smoothed(walker, xy=xy)
    assert np.argwhere(long_bone.outlier).tolist() == [[50, WRIST]]
    assert long_bone.gated.reason[50, WRIST] == "outlier"
    assert np.isnan(long_bone.raw[50, WRIST]).all()
    assert long_bone.filled[50, WRIST]
    # Within the limb's length only a doubtful point is taken out.
    xy = walker.xy.copy()
    xy[50, WRIST] = xy[50, elbow] + reach[::-1] * [1.0, -1.0]
    assert not smoothed(walker, xy=xy).outlier.any()
    score = np.full((len(xy), 17), 0.9)
    score[50, WRIST] = 0.65
    assert np.argwhere(smoothed(walker, xy=xy, score=score).outlier).tolist() == [[50, WRIST]]


def test_exchanged_sides_are_put_right_with_all_that_belongs_to_a_point(walker):
    wrong = [Swap("legs", 50, 57)]
    sigma = np.broadcast_to(np.linspace(1, 2, 17)[:, None], walker.xy.shape)
    score = np.broadcast_to(np.linspace(0.71, 0.99, 17), walker.xy.shape[:2]).copy()
    score[53, KNEE] = 0.1
    right = smoothed(walker, sigma=sigma, score=score)
    made = smoothed(
        walker, xy=exchange(walker.xy, wrong), sigma=exchange(sigma, wrong),
        score=exchange(score, wrong),
    )  # fmt: skip
    assert made.swaps == wrong
    assert np.flatnonzero(made.swapped()).tolist() == list(range(50, 57))
    for name in ("raw", "curve", "sigma", "filled", "outlier"):
        assert np.array_equal(getattr(made, name), getattr(right, name), equal_nan=True), name
    assert np.array_equal(made.gated.reason, right.gated.reason)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_clip_too_short_to_filter_is_as_measured_and_says_so(walker, count):
    made = smoothed(replace_frames(walker, slice(0, count)))
    assert np.array_equal(made.gated.xy, walker.xy[:count])
    assert made.unsmoothed.all()
    assert made.filter.cutoff_hz is None
    assert made.filter.type == "none"
    assert (made.filter.rate_hz is None) == (count == 1)


def test_ten_frames_are_filtered(walker):
    made = smoothed(replace_frames(walker, slice(0, 10)))
    assert not made.unsmoothed.any()
    assert (made.filter.type, made.filter.cutoff_hz) == ("butterworth_zero_phase", 6.0)
    assert made.filter.order == 4
    assert made.filter.rate_hz == pytest.approx(30.0)


def test_someone_seen_only_in_snatches_is_not_smoothed_and_says_so(walker):
    score = np.where(np.arange(len(walker.xy)) % 16 < 8, 0.9, 0.1)[:, None]
    made = smoothed(walker, score=score)
    assert made.filter.type == "none"
    assert np.array_equal(made.unsmoothed, np.broadcast_to(score > 0.5, made.unsmoothed.shape))


@pytest.mark.parametrize(
    ("fps", "asked", "cutoff", "limited"),
    [(30, 6.0, 6.0, False), (30, 12.0, 12.0, False), (25, 12.0, 10.0, True), (10, 6.0, 4.0, True)],
)
def test_the_cut_off_follows_the_frame_rate(fps, asked, cutoff, limited):
    chosen = choose_filter(np.arange(40) / fps, BiomechanicsConfig(cutoff_hz=asked))
    assert chosen.cutoff_hz == pytest.approx(cutoff)
    assert chosen.limited is limited


def test_pictures_further_apart_than_a_gap_are_not_filtered():
    chosen = choose_filter(np.arange(40) / 4.0, CONFIG)
    assert (chosen.cutoff_hz, chosen.rate_hz) == (None, 4.0)


def test_an_uneven_frame_rate_gives_the_angles_of_an_even_one():
    even, uneven = (squats(frames(6, 30, jitter, seed=3), [1.0, 3.0]) for jitter in (0.0, 0.3))
    dense = squats(frames(6, 240), [1.0, 3.0])
    truth = smoothed(dense)
    for motion, tolerance in ((even, 0.1), (uneven, 0.1)):
        made = smoothed(motion)
        assert made.filter.resampled == (motion is uneven)
        knee = flexion("left_knee", made.curve)
        expected = np.interp(motion.times_s, dense.times_s, flexion("left_knee", truth.curve))
        assert knee[10:-10] == pytest.approx(expected[10:-10], abs=tolerance)


def test_a_cut_off_is_suggested_by_the_clip_and_not_used(walker):
    made = smoothed(walk(frames(6, 60)).noisy(1.5))
    assert 2.0 < made.filter.suggested_cutoff_hz < 20.0
    assert made.filter.cutoff_hz == 6.0


def test_time_that_stands_still_is_refused(walker):
    with pytest.raises(ValueError, match="ascend"):
        preprocess(seen(FIGURE[None].repeat(3, 0), times_s=[0.0, 0.1, 0.1]), CONFIG)


def test_deviations_are_the_models_where_it_gave_any():
    sigma = np.full((17, 2), np.nan)
    sigma[:9] = 2.0
    made = preprocess(seen(FIGURE, sigma=sigma), CONFIG)
    assert made.from_model[0].tolist() == [True] * 9 + [False] * 8
    assert (made.sigma[0, :9] == 2.0).all()
    assert (made.sigma[0, 9:] > 10.0).all()
    assert len(KEYPOINTS) == made.sigma.shape[1]
