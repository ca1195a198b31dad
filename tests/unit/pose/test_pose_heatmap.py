"""Decoding heatmaps: points and scores beside MMPose's codec, spread by the moments of the peak."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from biomech.skeleton import MIRROR
from deployments.pose.codecs.heatmap import HeatmapCodec
from deployments.pose.codecs.responses import SIGMA_MIN_PX
from deployments.pose.compat import import_models

SIZE = (48, 64)  # width, height
TARGET = 2.0
CODEC = HeatmapCodec(stride=(4.0, 4.0), target_sigma=TARGET, shift=True)


@pytest.fixture(scope="module")
def mmpose():
    import_models("mmpose")
    import mmpose

    return mmpose


def noise(seed, people=2, step=0.0, shift=0.0):
    """Random heatmaps (n, 17, h, w), in steps so that there are ties."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(shift, 0.3, (people, 17, SIZE[1], SIZE[0]))
    return [torch.from_numpy((np.round(maps / step) * step if step else maps).astype(np.float32))]


def bump(at, width=(1.0, 1.0), height=1.0):
    """Gaussian heatmaps (1, 17, h, w) about ``at``, ``width`` times as wide as the target."""
    x, y = (
        np.exp(-0.5 * ((np.arange(size) - center) / (TARGET * wide)) ** 2)
        for size, center, wide in zip(SIZE, at, width, strict=True)
    )
    one = (height * np.outer(y, x)).astype(np.float32)
    return [torch.from_numpy(np.tile(one, (1, 17, 1, 1)))]


def reference(mmpose, heatmaps):
    """Keypoints (n, 17, 2) and scores (n, 17) of MMPose's codec."""
    codec = mmpose.codecs.MSRAHeatmap((192, 256), SIZE, sigma=TARGET)
    decoded = [codec.decode(one) for one in heatmaps.numpy()]
    return tuple(np.concatenate(part) for part in zip(*decoded, strict=True))


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.sampled_from([0.0, 0.25]),
    shift=st.sampled_from([0.0, -1.0, -1.2]),
)
def test_points_and_scores_are_those_of_mmposes_codec(mmpose, seed, step, shift):
    heatmaps = noise(seed, step=step, shift=shift)
    expected, score = reference(mmpose, heatmaps[0])
    found = CODEC.decode(heatmaps)
    there = score > 0
    assert_allclose(found.keypoints[there], expected[there], atol=1e-5)
    assert_array_equal(found.raw_score, score)
    assert_array_equal(found.score, np.clip(score, 0, 1))
    assert np.isnan(found.keypoints[~there]).all()
    assert np.isnan(found.sigma[~there]).all()
    assert (found.sigma[there] >= SIGMA_MIN_PX).all()


@pytest.mark.parametrize("x", [0, 1, 2, 24, 45, 46, 47])
@pytest.mark.parametrize("y", [0, 1, 2, 30, 61, 62, 63])
def test_a_peak_at_an_edge_is_moved_as_mmpose_moves_it(mmpose, x, y):
    heatmaps = [noise(x * 64 + y, people=1)[0] * 0.5]
    heatmaps[0][:, :, y, x] = 3.0
    assert_allclose(CODEC.decode(heatmaps).keypoints, reference(mmpose, heatmaps[0])[0], atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), shift=st.booleans())
def test_a_mirrored_crop_is_turned_back_as_in_mmpose(mmpose, seed, shift):
    codec = HeatmapCodec(stride=(4.0, 4.0), target_sigma=TARGET, shift=shift)
    heatmaps = noise(seed)
    (mirrored,) = codec.mirror(heatmaps)
    flip = mmpose.models.utils.tta.flip_heatmaps
    expected = flip(heatmaps[0].clone(), list(MIRROR), shift_heatmap=shift)
    assert_array_equal(mirrored, expected)
    if not shift:
        assert_array_equal(codec.mirror([mirrored])[0], heatmaps[0])


@given(x=st.integers(8, 39), y=st.integers(8, 55))
def test_a_perfect_response_has_the_least_sigma(x, y):
    poses = CODEC.decode(bump((x, y)))
    # Neighbours on both sides are equal but for rounding, which may decide on a quarter pixel.
    assert_allclose(poses.keypoints[0], np.tile([4 * x, 4 * y], (17, 1)), atol=1.0)
    assert_allclose(poses.sigma, SIGMA_MIN_PX, atol=0.02)
    assert_allclose(poses.score, 1.0)


@pytest.mark.parametrize("width", [(1.0, 1.0), (1.5, 1.0), (1.0, 1.3), (2.0, 1.6)])
@pytest.mark.parametrize("height", [0.4, 1.0])
def test_sigma_is_the_recipes(width, height):
    """Row and column through the peak, less their median, moments within 6 pixels, less the floor.

    The height of the peak does not matter, other than for SimCC.
    """
    sigma = CODEC.decode(bump((20, 30), width, height)).sigma[0, 0]
    for axis, (at, wide) in enumerate(zip((20, 30), width, strict=True)):
        floor = moments(SIZE[axis] // 2, SIZE[axis], 1.0)
        excess = max(moments(at, SIZE[axis], wide) - floor, 0) * 16
        assert sigma[axis] == pytest.approx(np.sqrt(excess + 0.25), abs=0.02)


def moments(at, length, width):
    offset = np.arange(length) - at
    line = np.exp(-0.5 * (offset / (TARGET * width)) ** 2)
    weight = np.maximum(line - np.median(line), 0) * (np.abs(offset) <= 6)
    weight /= weight.sum()
    return (weight * offset**2).sum() - (weight * offset).sum() ** 2


def test_sigma_grows_with_the_width():
    steps = [CODEC.decode(bump((20, 30), (w, w))).sigma for w in (1.0, 1.2, 1.5, 2.0, 3.0)]
    assert all((b > a).all() for a, b in pairwise(steps))


@pytest.mark.parametrize("value", [0.0, -0.1, np.nan, np.inf, -np.inf])
def test_without_a_positive_finite_response_there_is_no_point(value):
    (heatmaps,) = bump((20, 30))
    heatmaps[0, 5] = value
    poses = CODEC.decode([heatmaps])
    assert np.isnan(poses.keypoints[0, 5]).all()
    assert np.isnan(poses.sigma[0, 5]).all()
    assert poses.score[0, 5] == 0
    assert poses.raw_score[0, 5] == pytest.approx(value if np.isfinite(value) else 0)
    others = np.arange(17) != 5
    assert np.isfinite(poses.keypoints[0, others]).all()
    assert np.isfinite(poses.sigma[0, others]).all()


@pytest.mark.parametrize("people", [0, 3])
def test_arrays_are_float32_of_the_documented_shapes(people):
    poses = CODEC.decode(noise(1, people))
    assert poses.keypoints.shape == poses.sigma.shape == (people, 17, 2)
    assert poses.score.shape == poses.raw_score.shape == (people, 17)
    for array in (poses.keypoints, poses.sigma, poses.score, poses.raw_score):
        assert array.dtype == np.float32


def test_a_stride_of_each_axis_scales_points_and_sigma():
    heatmaps = bump((20, 30), (1.5, 1.5))
    square = CODEC.decode(heatmaps)
    uneven = HeatmapCodec(stride=(4.0, 8.0), target_sigma=TARGET, shift=True).decode(heatmaps)
    assert_allclose(uneven.keypoints, square.keypoints * [1, 2], rtol=1e-6)
    excess = square.sigma**2 - SIGMA_MIN_PX**2
    assert_allclose(uneven.sigma**2 - SIGMA_MIN_PX**2, excess * [1, 4], rtol=1e-4)
