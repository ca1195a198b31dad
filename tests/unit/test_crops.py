"""Crop geometry against MMPose's own transforms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from deployments.crops import crop_transforms, sigma_to_image, to_image
from deployments.pose.compat import import_models

SIZES = [(192, 256), (256, 256), (288, 384)]
pixels = st.floats(-200, 4000)
lengths = st.floats(1, 3000)


@pytest.fixture(scope="module")
def mmpose_boxes():
    """MMPose's functions on boxes and its aspect correction, as ``TopdownAffine`` calls them."""
    import_models("mmpose")
    from mmpose.datasets.transforms import TopdownAffine
    from mmpose.structures.bbox import bbox_xyxy2cs, get_warp_matrix

    return bbox_xyxy2cs, TopdownAffine._fix_aspect_ratio, get_warp_matrix


def random_boxes(count, largest=4000.0):
    rng = np.random.default_rng(7)
    corner = rng.uniform(-50, largest, (count, 2))
    return np.hstack([corner, corner + rng.uniform(2, 1500, (count, 2))])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", [1.0, 1.25])
def test_maps_points_back_as_mmpose_does(mmpose_boxes, size, padding):
    to_center_scale, fix_aspect, _ = mmpose_boxes
    boxes = random_boxes(200)
    center, scale = to_center_scale(boxes, padding=padding)
    scale = fix_aspect(scale, aspect_ratio=size[0] / size[1])
    points = np.random.default_rng(1).uniform(0, size, (200, 17, 2))
    # mmpose.models.pose_estimators.topdown, add_pred_to_datasample.
    expected = points / size * scale[:, None] + center[:, None] - 0.5 * scale[:, None]

    maps = crop_transforms(boxes, size, padding)

    mapped = np.einsum("nij,nkj->nki", maps[:, :, :2], points) + maps[:, None, :, 2]
    assert_allclose(mapped, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_is_the_inverse_of_mmposes_warp(mmpose_boxes, size):
    to_center_scale, fix_aspect, warp = mmpose_boxes
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [*size, 1]], float)
    boxes = random_boxes(100, largest=1900)
    for box, image_from_crop in zip(boxes, crop_transforms(boxes, size), strict=True):
        center, scale = to_center_scale(box, padding=1.25)
        scale = fix_aspect(scale[None], aspect_ratio=size[0] / size[1])[0]
        crop_from_image = warp(center, scale, 0.0, output_size=size)
        # MMPose makes the matrix from float32 points.
        there = np.c_[corners @ image_from_crop.T, np.ones(4)]
        assert_allclose(there @ crop_from_image.T, corners[:, :2], atol=2e-3)


@given(x=pixels, y=pixels, width=lengths, height=lengths, size=st.sampled_from(SIZES))
def test_crop_holds_the_padded_box_and_keeps_shapes(x, y, width, height, size):
    box = np.array([[x, y, x + width, y + height]])
    image_from_crop = crop_transforms(box, size)[0]
    assert image_from_crop[0, 0] == image_from_crop[1, 1] > 0
    assert image_from_crop[0, 1] == image_from_crop[1, 0] == 0
    middle = image_from_crop @ [size[0] / 2, size[1] / 2, 1]
    assert_allclose(middle, [x + width / 2, y + height / 2], atol=1e-6)
    extent = image_from_crop[0, 0] * np.array(size)
    padded = 1.25 * np.array([box[0, 2] - box[0, 0], box[0, 3] - box[0, 1]])
    assert (extent >= padded * (1 - 1e-9)).all()
    assert np.isclose(extent, padded, rtol=1e-9).any()


def test_points_and_sigmas_keep_nan_and_scale():
    maps = crop_transforms(np.array([[0.0, 0.0, 192.0, 256.0]]), (192, 256), padding=2.0)
    points = np.array([[[96.0, 128.0], [0.0, 0.0], [np.nan, np.nan]]])
    assert_allclose(to_image(points, maps), [[[96, 128], [-96, -128], [np.nan, np.nan]]])
    assert_allclose(sigma_to_image(np.full((1, 2, 2), 1.5), maps), np.full((1, 2, 2), 3.0))


def test_no_boxes_no_crops():
    maps = crop_transforms(np.empty((0, 4)), (192, 256))
    assert maps.shape == (0, 2, 3)
    assert to_image(np.empty((0, 17, 2)), maps).shape == (0, 17, 2)


def test_a_box_of_no_size_still_has_a_map():
    image_from_crop = crop_transforms(np.array([[5.0, 5.0, 5.0, 5.0]]), (192, 256))
    assert np.isfinite(np.linalg.inv(np.vstack([image_from_crop[0], [0, 0, 1]]))).all()
