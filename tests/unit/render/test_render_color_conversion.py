"""Color of the annotated video, against FFmpeg's own conversions."""

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from deployments.render.color_conversion import to_bt709, yuv
from tests.support.annotated import rgb_of_planes

PATCHES = np.array(
    [
        *((r, g, b) for r in (0, 128, 255) for g in (0, 128, 255) for b in (0, 128, 255)),
        (230, 159, 0),
        (86, 180, 233),
        (170, 170, 170),
    ],
    np.uint8,
)
SOURCES = [
    pytest.param(Colorspace.ITU601, ColorRange.MPEG, id="BT.601"),
    pytest.param(Colorspace.ITU601, ColorRange.JPEG, id="BT.601 full range"),
    pytest.param(Colorspace.ITU709, ColorRange.JPEG, id="BT.709 full range"),
]


def planes_of(rgb, colorspace, color_range):
    """Writable planes of an RGB picture, converted by FFmpeg."""
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(
        format="yuv420p", dst_colorspace=colorspace, dst_color_range=color_range
    )
    flat = frame.to_ndarray()
    h, w = rgb.shape[:2]
    u, v = flat[h:].reshape(2, h // 2, w // 2)
    return flat[:h].copy(), u.copy(), v.copy()


def patches():
    """Blocks of 8x8 pixels, one a color."""
    return np.kron(PATCHES.reshape(6, 5, 3), np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize("rgb", [tuple(int(c) for c in patch) for patch in PATCHES])
def test_colors_are_what_ffmpeg_reads(rgb):
    y, u, v = yuv(rgb)

    out = rgb_of_planes(
        np.full((16, 16), y, np.uint8), np.full((8, 8), u, np.uint8), np.full((8, 8), v, np.uint8)
    )

    assert np.abs(out[8, 8].astype(int) - rgb).max() <= 4


@pytest.mark.parametrize(("colorspace", "color_range"), SOURCES)
def test_conversion_keeps_colors(colorspace, color_range):
    rgb = patches()
    y, u, v = planes_of(rgb, colorspace, color_range)

    to_bt709(
        y,
        u,
        v,
        bt709=colorspace == Colorspace.ITU709,
        full_range=color_range == ColorRange.JPEG,
    )

    inside = (slice(4, None, 8), slice(4, None, 8))
    difference = rgb_of_planes(y, u, v)[inside].astype(int) - rgb[inside]
    assert np.abs(difference).max() <= 6
    assert np.abs(difference).mean() <= 1.5


def test_bt709_is_left_alone():
    planes = planes_of(patches(), Colorspace.ITU709, ColorRange.MPEG)
    before = [plane.copy() for plane in planes]

    to_bt709(*planes, bt709=True, full_range=False)

    for plane, old in zip(planes, before, strict=True):
        np.testing.assert_array_equal(plane, old)


def test_grey_stays_grey():
    y = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    u, v = (np.full((8, 128), 128, np.uint8) for _ in range(2))

    to_bt709(y, u, v, bt709=False, full_range=True)

    np.testing.assert_array_equal(u, 128)
    np.testing.assert_array_equal(v, 128)
    np.testing.assert_allclose(y[0], 16 + np.arange(256) * 219 / 255, atol=0.51)
