"""One decoded picture, and what is cut from it.

Pictures are kept as 8-bit 4:2:0 planes: cutting a crop straight from the planes costs less than
converting the whole picture to BGR as long as there are fewer than about five crops in it.
"""

from dataclasses import dataclass

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from deployments.messages import F64, U8

# The RTMDet and RTMPose pipelines fill with these.
LETTERBOX_FILL = 114
_UNSPECIFIED = 2
_EIGHT_BIT_420 = ("yuv420p", "yuvj420p")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Picture:
    """One upright picture as planes, which are read-only and owned by it.

    Attributes:
        index: position in the video. pts: time stamp in ticks.
        y: (h, w) luma. u, v: (ceil(h/2), ceil(w/2)) chroma, uint8.
        bt709: whether the matrix is BT.709, else BT.601. full_range: 0-255 rather than 16-235.
    """

    index: int
    pts: int
    y: U8
    u: U8
    v: U8
    bt709: bool
    full_range: bool

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.y.shape[1], self.y.shape[0]

    def bgr(self) -> U8:
        """The whole picture (h, w, 3) BGR."""
        size = self.size
        u = cv2.resize(self.u, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        v = cv2.resize(self.v, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        return self._to_bgr(self.y, u[: size[1], : size[0]], v[: size[1], : size[0]])

    def crop(self, image_from_crop: F64, size: tuple[int, int]) -> U8:
        """The part of the picture that an affine map names, black outside the picture.

        Args:
            image_from_crop: (2, 3) map from crop pixels to picture pixels.
            size: (width, height) of the crop.

        Returns:
            (height, width, 3) uint8 BGR.
        """
        y = _warp(self.y, image_from_crop, size, self._black)
        chroma = _chroma_map(image_from_crop)
        u = _warp(self.u, chroma, size, 128)
        v = _warp(self.v, chroma, size, 128)
        return self._to_bgr(y, u, v)

    def letterbox(self, size: tuple[int, int]) -> tuple[U8, tuple[float, float]]:
        """The picture scaled to fit ``size`` (width, height) with its aspect kept.

        It stands at the top left, the rest is filled with 114, as RTMDet's test pipeline does.

        Returns:
            (height, width, 3) uint8 BGR, and the factors (x, y) from picture to input pixels.
        """
        width, height = self.size
        scale = min(size[0] / width, size[1] / height)
        new = (int(width * scale + 0.5), int(height * scale + 0.5))
        y = cv2.resize(self.y, new, interpolation=cv2.INTER_LINEAR)
        u = cv2.resize(self.u, new, interpolation=cv2.INTER_LINEAR)
        v = cv2.resize(self.v, new, interpolation=cv2.INTER_LINEAR)
        out = np.full((size[1], size[0], 3), LETTERBOX_FILL, np.uint8)
        out[: new[1], : new[0]] = self._to_bgr(y, u, v)
        return out, (new[0] / width, new[1] / height)

    @property
    def _black(self) -> int:
        return 0 if self.full_range else 16

    def _to_bgr(self, y: U8, u: U8, v: U8) -> U8:
        """Three full-size planes as BGR, by the picture's matrix and range."""
        out: U8 = cv2.transform(cv2.merge((y, u, v)), _matrix(self.bt709, self.full_range))
        return out


def from_frame(frame: av.VideoFrame, index: int, rotation_deg: int) -> Picture:
    """A picture of a decoder's frame, turned clockwise by ``rotation_deg``.

    The planes are copies: the decoder still needs its own as references.
    """
    assert frame.pts is not None  # noqa: S101  the reader drops frames without a time
    full_range = frame.color_range == ColorRange.JPEG or frame.format.name == "yuvj420p"
    bt709 = _is_bt709(frame)
    if frame.format.name not in _EIGHT_BIT_420 or frame.colorspace == Colorspace.BT2020:
        # 10-bit, 4:2:2, 4:4:4, RGB and HDR: to 8-bit BT.709 limited range.
        frame = frame.reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        full_range, bt709 = False, True
    assert frame.pts is not None  # noqa: S101  kept by reformat
    y, u, v = (_upright(_plane(frame, i), rotation_deg) for i in range(3))
    return Picture(index, frame.pts, y, u, v, bt709, full_range)


def _is_bt709(frame: av.VideoFrame) -> bool:
    """By the stream's tag; untagged pictures of HD size are BT.709 by convention."""
    if frame.colorspace == _UNSPECIFIED:
        return frame.height >= 720
    return frame.colorspace == Colorspace.ITU709


def _plane(frame: av.VideoFrame, i: int) -> U8:
    plane = frame.planes[i]
    rows: U8 = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def _upright(plane: U8, rotation_deg: int) -> U8:
    turned = np.array(np.rot90(plane, -rotation_deg // 90), order="C", copy=True)
    turned.flags.writeable = False
    return turned


def _warp(plane: U8, map_: F64, size: tuple[int, int], border: int) -> U8:
    out: U8 = cv2.warpAffine(
        plane, map_, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=border
    )
    return out


def _chroma_map(image_from_crop: F64) -> F64:
    """The same map for a plane of half the size.

    A chroma sample lies between two luma rows and, by the common left siting, on a luma column; the
    quarter pixel across is left out, as OpenCV's and swscale's default conversions do.
    """
    half = image_from_crop * 0.5
    half[:, 2] -= 0.25
    return half


def _matrix(bt709: bool, full_range: bool) -> F64:
    """(3, 4) map from Y, U, V to B, G, R (ITU-R BT.709 and BT.601)."""
    kr, kb = (0.2126, 0.0722) if bt709 else (0.299, 0.114)
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    rows = np.array(
        [
            [luma, chroma * 2 * (1 - kb), 0.0],
            [luma, -chroma * 2 * (1 - kb) * kb / kg, -chroma * 2 * (1 - kr) * kr / kg],
            [luma, 0.0, chroma * 2 * (1 - kr)],
        ]
    )
    return np.column_stack([rows, -rows @ np.array([black, 128.0, 128.0])])
