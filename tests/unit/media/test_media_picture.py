"""Crops and thumbnails cut from planes, against those of whole pictures that FFmpeg converts."""

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.crops import crop_transforms
from deployments.media.picture import LETTERBOX_FILL, Converter, Picture

SOURCES = [
    pytest.param(colorspace, color_range, id=f"{colorspace.name} {color_range.name}")
    for colorspace in (Colorspace.ITU709, Colorspace.ITU601)
    for color_range in (ColorRange.MPEG, ColorRange.JPEG)
]
_TAG = {Colorspace.ITU709: 1, Colorspace.ITU601: 6}


def scene(width, height, seed=3):
    """(h, w, 3) BGR with shapes of many colors, smooth enough for 4:2:0."""
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 216, (max(height // 24, 2), max(width // 24, 2), 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def frame_of(bgr, colorspace=Colorspace.ITU709, color_range=ColorRange.MPEG, fmt="yuv420p"):
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(bgr), "bgr24").reformat(
        format=fmt, dst_colorspace=colorspace, dst_color_range=color_range
    )
    frame.colorspace, frame.color_range, frame.pts = _TAG[colorspace], color_range, 0
    return frame


def picture_of(bgr, *args, rotation=0, **kwargs) -> Picture:
    frame = frame_of(bgr, *args, **kwargs)
    size = bgr.shape[1::-1] if rotation % 180 == 0 else bgr.shape[:2]
    with Converter(size, rotation) as converter:
        return converter.picture(frame, 0)


def differences(a, b):
    """Mean and 99th percentile of the absolute difference."""
    difference = np.abs(a.astype(int) - b.astype(int))
    return difference.mean(), np.percentile(difference, 99)


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("size", [(320, 240), (98, 66)], ids=str)
@pytest.mark.parametrize(("colorspace", "color_range"), SOURCES)
def test_pictures_of_a_gpus_decoder_are_those_of_software(colorspace, color_range, size, rotation):
    """NV12 has the samples of 4:2:0 in another order."""
    stored = frame_of(scene(*size), colorspace, color_range)
    y, u, v = (
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        for plane in stored.planes
    )
    nv12 = av.VideoFrame.from_ndarray(np.vstack([y, np.dstack([u, v]).reshape(len(u), -1)]), "nv12")
    nv12.colorspace, nv12.color_range, nv12.pts = stored.colorspace, color_range, 0

    with Converter(size if rotation == 0 else size[::-1], rotation) as converter:
        ours, expected = (converter.picture(frame, 0) for frame in (nv12, stored))

    for plane in ("y", "u", "v"):
        assert np.array_equal(getattr(ours, plane), getattr(expected, plane))
    assert (ours.bt709, ours.full_range) == (expected.bt709, expected.full_range)


@pytest.mark.parametrize("size", [(320, 240), (97, 65)], ids=str)
@pytest.mark.parametrize(("colorspace", "color_range"), SOURCES)
def test_whole_picture_has_the_colors_that_were_stored(colorspace, color_range, size):
    bgr = scene(*size)

    mean, most = differences(picture_of(bgr, colorspace, color_range).bgr(), bgr)

    assert mean < 1.6
    assert most <= 6


@pytest.mark.parametrize(("colorspace", "color_range"), SOURCES)
@pytest.mark.parametrize(
    "box",
    [
        (100, 60, 220, 200),
        (5, 5, 60, 235),
        (-40, -30, 90, 120),
        (280, 200, 400, 300),
        (0, 0, 320, 240),
        (150.3, 100.7, 166.1, 121.9),
    ],
    ids=["inside", "tall", "over the top left", "over the bottom right", "whole", "enlarged"],
)
def test_crop_from_planes_is_the_crop_of_the_picture(colorspace, color_range, box):
    picture = picture_of(scene(320, 240), colorspace, color_range)
    size = (192, 256)
    (image_from_crop,) = crop_transforms(np.array([box], float), size)

    crop = picture.crop(image_from_crop, size)

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(picture.bgr(), image_from_crop, size, flags=flags)
    assert crop.shape == (256, 192, 3)
    mean, most = differences(crop, expected)
    assert mean < 1
    assert most <= 4


@pytest.mark.parametrize(("colorspace", "color_range"), SOURCES)
@pytest.mark.parametrize("size", [(320, 240), (640, 360), (360, 640), (97, 65), (1921, 1081)])
def test_thumbnail_from_planes_is_that_of_the_picture(colorspace, color_range, size):
    picture = picture_of(scene(*size), colorspace, color_range)

    thumbnail, scale = picture.letterbox((320, 320))

    new = round(size[0] * scale[0]), round(size[1] * scale[1])
    assert max(new) == 320
    expected = cv2.resize(picture.bgr(), new, interpolation=cv2.INTER_LINEAR)
    mean, most = differences(thumbnail[: new[1], : new[0]], expected)
    assert mean < 1
    assert most <= 4
    rest = np.ones((320, 320), bool)
    rest[: new[1], : new[0]] = False
    assert (thumbnail[rest] == LETTERBOX_FILL).all()


@given(width=st.integers(1, 3000), height=st.integers(1, 3000))
@settings(max_examples=50, deadline=None)
def test_thumbnail_has_the_size_that_mmcv_gives_it(width, height):
    """mmcv.imrescale, and its factors: new size by old."""
    from mmcv import rescale_size

    half = (height + 1) // 2, (width + 1) // 2
    planes = [np.empty(shape, np.uint8) for shape in ((height, width), half, half)]
    expected = tuple(max(n, 1) for n in rescale_size((width, height), (320, 320)))

    _, scale = Picture(0, 0, *planes, True, False).letterbox((320, 320))

    assert (scale[0] * width, scale[1] * height) == pytest.approx(expected)


@pytest.mark.parametrize("full_range", [False, True])
def test_outside_of_the_picture_is_black(full_range):
    planes = [np.full(shape, 200, np.uint8) for shape in ((64, 64), (32, 32), (32, 32))]
    far_away = np.array([[1.0, 0, 1000], [0, 1.0, 1000]])

    crop = Picture(0, 0, *planes, True, full_range).crop(far_away, (16, 8))

    assert crop.shape == (8, 16, 3)
    assert crop.max() <= 1


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(64, 48), (65, 49), (33, 64)])
def test_rotation_is_exact_by_the_pixel(rotation, size):
    """Of luma, whose rows and columns are all different."""
    width, height = size
    luma = (np.arange(height)[:, None] * 3 + np.arange(width)[None] + 20).astype(np.uint8)
    frame = frame_of(np.zeros((height, width, 3), np.uint8))
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
    rows[:, :width] = luma
    upright = size if rotation % 180 == 0 else size[::-1]

    with Converter(upright, rotation) as converter:
        picture = converter.picture(frame, 0)

    np.testing.assert_array_equal(picture.y, np.rot90(luma, -rotation // 90))
    assert picture.size == upright
    assert picture.u.shape == picture.v.shape == tuple((n + 1) // 2 for n in upright[::-1])


@pytest.mark.parametrize(
    "fmt",
    [
        "yuv422p",
        "yuv444p",
        "yuv420p10le",
        "yuv422p10le",
        "nv12",
        "gbrp",
        "gray",
        "rgb24",
        "yuv411p",
    ],
)
def test_any_pixel_format_becomes_the_same_picture(fmt):
    bgr = scene(160, 120)
    if fmt == "gray":
        bgr = np.repeat(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    full = fmt in ("gbrp", "rgb24")
    color_range = ColorRange.JPEG if full or fmt == "gray" else ColorRange.MPEG

    own = picture_of(bgr, Colorspace.ITU709, color_range, fmt).bgr()

    mean, most = differences(own, bgr)
    assert mean < 3
    assert most <= 20


@pytest.mark.parametrize(("height", "bt709"), [(719, False), (720, True)])
def test_untagged_pictures_of_hd_height_are_bt709(height, bt709):
    frame = frame_of(np.zeros((height, 64, 3), np.uint8))
    frame.colorspace, frame.color_range = 2, 0

    with Converter((64, height), 0) as converter:
        assert converter.picture(frame, 0).bt709 is bt709


def test_another_size_is_scaled_to_that_of_the_video():
    bgr = scene(320, 240)

    with Converter((160, 120), 0) as converter:
        small = converter.picture(frame_of(bgr), 0).bgr()

    expected = cv2.resize(bgr, (160, 120), interpolation=cv2.INTER_AREA)
    mean, _ = differences(small, expected)
    assert small.shape == (120, 160, 3)
    assert mean < 3
