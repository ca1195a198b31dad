"""Decoding SimCC: points and scores beside MMPose's codec, spread by the recipe of RTMPose."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from biomech.skeleton import MIRROR
from deployments.pose.codecs.responses import SIGMA_MIN_PX
from deployments.pose.codecs.simcc import SimccCodec, target_sigma_bins
from deployments.pose.compat import import_models

TARGET = (4.9, 5.66)
BINS = (384, 512)
CODEC = SimccCodec(split_ratio=2.0, target_sigma=TARGET)


@pytest.fixture(scope="module")
def mmpose():
    import_models("mmpose")
    import mmpose

    return mmpose


def noise(seed, people=2, step=0.0, shift=0.0):
    """Smooth random responses (n, 17, bins) of both axes, in steps so that there are ties."""
    rng = np.random.default_rng(seed)
    axes = []
    for bins in BINS:
        values = rng.normal(shift, 0.3, (people, 17, bins)).astype(np.float32)
        values = (values + np.roll(values, 1, -1)) / 2
        axes.append(np.round(values / step) * step if step else values)
    return [torch.from_numpy(a.astype(np.float32)) for a in axes]


def bump(at, sigma, height=1.0, target=TARGET):
    """Gaussian responses (1, 17, bins) of both axes about bins ``at``, ``sigma`` times as wide."""
    axes = []
    for bins, center, width in zip(BINS, at, target, strict=True):
        line = height * np.exp(-0.5 * ((np.arange(bins) - center) / (width * sigma)) ** 2)
        axes.append(torch.from_numpy(np.tile(line.astype(np.float32), (1, 17, 1))))
    return axes


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.sampled_from([0.0, 0.25]),
    shift=st.sampled_from([0.0, -0.7, -1.2]),
)
def test_points_and_scores_are_those_of_mmposes_codec(mmpose, seed, step, shift):
    codec = mmpose.codecs.SimCCLabel((192, 256), sigma=TARGET, normalize=False, use_dark=False)
    responses = noise(seed, step=step, shift=shift)
    expected, score = codec.decode(*(r.numpy() for r in responses))
    found = CODEC.decode(responses)
    there = score > 0
    assert_array_equal(found.keypoints[there], expected[there])
    assert_array_equal(found.raw_score, score)
    assert_array_equal(found.score, np.clip(score, 0, 1))
    assert np.isnan(found.keypoints[~there]).all()
    assert np.isnan(found.sigma[~there]).all()
    assert (found.sigma[there] >= SIGMA_MIN_PX).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_mirrored_crop_is_turned_back_as_in_mmpose(mmpose, seed):
    responses = noise(seed)
    x, y = CODEC.mirror(responses)
    expected = mmpose.models.utils.tta.flip_vectors(*responses, flip_indices=list(MIRROR))
    assert_array_equal(x, expected[0])
    assert_array_equal(y, expected[1])
    for once, twice in zip(responses, CODEC.mirror([x, y]), strict=True):
        assert_array_equal(once, twice)
    found, mirrored = CODEC.decode(responses), CODEC.decode([x, y])
    swapped = found.keypoints[:, MIRROR]
    assert_allclose(mirrored.keypoints[..., 0], 191.5 - swapped[..., 0])
    assert_array_equal(mirrored.keypoints[..., 1], swapped[..., 1])
    assert_allclose(mirrored.sigma, found.sigma[:, MIRROR], rtol=1e-4)


@given(x=st.integers(30, 350), y=st.integers(40, 470))
def test_a_perfect_response_has_the_least_sigma(x, y):
    poses = CODEC.decode(bump((x, y), 1.0))
    assert_allclose(poses.keypoints[0], np.tile([x / 2, y / 2], (17, 1)))
    assert_allclose(poses.sigma, SIGMA_MIN_PX, atol=2e-3)
    assert_allclose(poses.score, 1.0)


def test_the_spread_of_a_perfect_response_is_the_one_worked_out():
    """0.857 and 0.990 crop pixels: the design's figures for split 2 and widths 4.9 and 5.66."""
    sharp = SimccCodec(split_ratio=2.0, target_sigma=(1e-3, 1e-3))  # without a floor
    sigma = sharp.decode(bump((180, 250), 1.0)).sigma
    spread = np.sqrt(sigma**2 - SIGMA_MIN_PX**2)
    assert_allclose(spread[0], np.tile([0.857, 0.990], (17, 1)), atol=2e-3)


@pytest.mark.parametrize("width", [1.0, 1.2, 1.5, 2.0])
@pytest.mark.parametrize("height", [0.5, 0.8, 1.0, 1.3])
def test_sigma_is_the_recipes(width, height):
    """Softmax of 10 times the response, less its median, moments within 12 bins, less the floor."""
    sigma = CODEC.decode(bump((180, 250), width, height)).sigma[0, 0]
    for axis in range(2):
        variance = moments(180 if axis == 0 else 250, axis, width, height)
        excess = max(variance - moments(180 if axis == 0 else 250, axis, 1.0, 1.0), 0) / 4
        assert sigma[axis] == pytest.approx(np.sqrt(excess + 0.25), abs=2e-3)


def moments(at, axis, width, height):
    line = bump((at, at), width, height)[axis][0, 0].double().numpy()
    weight = np.exp(10 * line) / np.exp(10 * line).sum()
    weight = np.maximum(weight - np.median(weight), 0)
    near = np.abs(np.arange(len(line)) - at) <= 12
    offset, weight = (np.arange(len(line)) - at)[near], weight[near] / weight[near].sum()
    return (weight * offset**2).sum() - (weight * offset).sum() ** 2


def test_sigma_grows_with_the_width_and_as_the_peak_sinks():
    by_width = [CODEC.decode(bump((180, 250), w)).sigma for w in (1.0, 1.1, 1.3, 1.6, 2.0)]
    by_height = [CODEC.decode(bump((180, 250), 1.0, h)).sigma for h in (1.0, 0.8, 0.6, 0.4)]
    for steps in (by_width, by_height):
        assert all((b > a).all() for a, b in pairwise(steps))


def test_sigma_of_one_axis_is_not_that_of_the_other():
    x, y = bump((180, 250), 1.8)[0], bump((180, 250), 1.0)[1]
    sigma = CODEC.decode([x, y]).sigma
    assert_allclose(sigma[..., 1], SIGMA_MIN_PX, atol=2e-3)
    assert (sigma[..., 0] > 2 * SIGMA_MIN_PX).all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("value", [0.0, -0.1, np.nan, np.inf, -np.inf])
def test_without_a_positive_finite_response_there_is_no_point(value, axis):
    responses = bump((180, 250), 1.0)
    responses[axis][0, 5] = value
    poses = CODEC.decode(responses)
    assert np.isnan(poses.keypoints[0, 5]).all()
    assert np.isnan(poses.sigma[0, 5]).all()
    assert poses.score[0, 5] == 0
    assert poses.raw_score[0, 5] == (value if np.isfinite(value) else 0)
    others = np.arange(17) != 5
    assert np.isfinite(poses.keypoints[0, others]).all()
    assert_allclose(poses.sigma[0, others], SIGMA_MIN_PX, atol=2e-3)


def test_a_score_over_one_is_kept_raw_and_bounded():
    poses = CODEC.decode(bump((180, 250), 1.0, 1.4))
    assert_allclose(poses.raw_score, 1.4)
    assert_allclose(poses.score, 1.0)


def test_no_crops_have_no_poses():
    poses = CODEC.decode([torch.empty(0, 17, bins) for bins in BINS])
    assert poses.keypoints.shape == poses.sigma.shape == (0, 17, 2)
    assert poses.score.shape == poses.raw_score.shape == (0, 17)


def test_arrays_are_float32_of_the_documented_shapes():
    poses = CODEC.decode(noise(1, people=3))
    assert poses.keypoints.shape == poses.sigma.shape == (3, 17, 2)
    assert poses.score.shape == poses.raw_score.shape == (3, 17)
    for array in (poses.keypoints, poses.sigma, poses.score, poses.raw_score):
        assert array.dtype == np.float32


def test_widths_of_the_training_target_are_those_of_rtmposes_configs(mmpose):
    from mmengine.config import Config

    folder = Path(mmpose.__file__).parent / ".mim/configs/body_2d_keypoint/rtmpose/coco"
    seen = set()
    for path in sorted(folder.glob("rtmpose-*_aic-coco-*.py")):
        codec = Config.fromfile(path).codec
        seen.add(tuple(codec.input_size))
        assert target_sigma_bins(tuple(codec.input_size)) == pytest.approx(codec.sigma, abs=0.01)
    assert seen == {(192, 256), (288, 384)}
