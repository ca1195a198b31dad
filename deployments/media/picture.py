"""Hold one decoded picture, and cut crops from it.

Pictures are kept as 8-bit 4:2:0 planes: cutting crops directly from the planes is cheaper than
converting the whole picture to BGR if there are fewer than about five crops.
"""

from collections import deque
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock
from typing import Self

import av
import cv2
import numpy as np
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    VideoReformatter,
)

from deployments.errors import MediaError
from deployments.media_choice import Region
from deployments.messages import F64, U8

# The RTMDet and RTMPose pipelines fill with these.
LETTERBOX_FILL = 114
_UNSPECIFIED = 2
_SAME_PROPORTIONS = 0.02  # by rounding to whole pixels, and to blocks
_EIGHT_BIT_420 = ("yuv420p", "yuvj420p", "nv12")
_TURNS = {
    0: None,
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Picture:
    """One upright picture as planes, which are read-only and owned by it.

    Attributes:
        index: position in the video. pts: time stamp in ticks.
        y: (h, w) luma. u, v: (ceil(h/2), ceil(w/2)) chroma, uint8.
        bt709: whether the matrix is BT.709, else BT.601. full_range: 0-255 rather than 16-235.
        damaged: whether it was decoded from damaged data, or depends on such data.
    """

    index: int
    pts: int
    y: U8
    u: U8
    v: U8
    bt709: bool
    full_range: bool
    damaged: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height)."""
        return self.y.shape[1], self.y.shape[0]

    def bgr(self) -> U8:
        """Convert the whole picture to BGR (h, w, 3)."""
        return self._to_bgr(self.y, *self._chroma_at(self.size))

    def crop(self, image_from_crop: F64, size: tuple[int, int]) -> U8:
        """Cut the part of the picture given by an affine map, black outside the picture.

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

    def cut(self, region: Region | None) -> "Picture":
        """Return a part of the picture as views of its planes; all of it for None."""
        if region is None:
            return self
        rows = slice(region.y, region.y + region.height)
        columns = slice(region.x, region.x + region.width)
        half = (
            slice(region.y // 2, (rows.stop + 1) // 2),
            slice(region.x // 2, (columns.stop + 1) // 2),
        )
        return replace(self, y=self.y[rows, columns], u=self.u[half], v=self.v[half])

    def letterbox(self, size: tuple[int, int]) -> tuple[U8, tuple[float, float]]:
        """Scale the picture to fit ``size`` (width, height), keeping its aspect ratio.

        It is placed at the top left, and the rest is filled with 114, as in RTMDet's test pipeline.

        Returns:
            (height, width, 3) uint8 BGR, and the factors (x, y) from picture to input pixels.
        """
        width, height = self.size
        scale = min(size[0] / width, size[1] / height)
        # Rounded like mmcv's imrescale; a very narrow picture keeps one pixel.
        new = (max(int(width * scale + 0.5), 1), max(int(height * scale + 0.5), 1))
        y = cv2.resize(self.y, new, interpolation=cv2.INTER_LINEAR)
        out = np.full((size[1], size[0], 3), LETTERBOX_FILL, np.uint8)
        out[: new[1], : new[0]] = self._to_bgr(y, *self._chroma_at(new))
        return out, (new[0] / width, new[1] / height)

    @property
    def _black(self) -> int:
        return 0 if self.full_range else 16

    def _chroma_at(self, size: tuple[int, int]) -> tuple[U8, U8]:
        """Scale U and V with the picture to ``size`` (width, height).

        They are scaled by a factor, not to a size: with an odd row or column, half of the last
        sample lies outside.
        """
        (width, height), (new_width, new_height) = self.size, size
        factors = {"fx": 2 * new_width / width, "fy": 2 * new_height / height}
        u, v = (
            cv2.resize(plane, None, **factors, interpolation=cv2.INTER_LINEAR)
            for plane in (self.u, self.v)
        )
        return u[:new_height, :new_width], v[:new_height, :new_width]

    def _to_bgr(self, y: U8, u: U8, v: U8) -> U8:
        """Convert three full-size planes to BGR, by the picture's matrix and range."""
        out: U8 = cv2.transform(cv2.merge((y, u, v)), _matrix(self.bt709, self.full_range))
        return out


class _IdleReformatters:
    """Pool of idle HDR reformatters.

    A new reformatter computes its color table, which takes seconds. One for each picture would cost
    several times the decoding of HDR video.
    """

    def __init__(self, most: int) -> None:
        self._idle: deque[tuple[object, VideoReformatter]] = deque(maxlen=most)
        self._lock = Lock()

    def take(self, kind: object) -> VideoReformatter:
        """Return a reformatter last used for ``kind``, or a new one."""
        with self._lock:
            for entry in self._idle:
                if entry[0] == kind:
                    self._idle.remove(entry)
                    return entry[1]
        return VideoReformatter()

    def give_back(self, kind: object, reformatter: VideoReformatter) -> None:
        """Return a reformatter to the pool; the one idle for longest may be dropped."""
        with self._lock:
            self._idle.append((kind, reformatter))


_idle_reformatters = _IdleReformatters(most=4)


class Converter:
    """Converter of one stream's frames to pictures: 8-bit 4:2:0, upright, of one size.

    Use it in a ``with`` block, which returns its HDR table to the pool.

    Args:
        size: (width, height) of the pictures, after rotation.
        rotation_deg: clockwise turn that makes the stored picture upright.
        threads: for conversions; 0 lets FFmpeg choose.
    """

    def __init__(self, size: tuple[int, int], rotation_deg: int, threads: int = 0) -> None:
        self._stored = size if rotation_deg % 180 == 0 else size[::-1]
        self._turn = _TURNS[rotation_deg]
        self._threads = threads
        self._reformatter = VideoReformatter()
        self._hdr: tuple[object, VideoReformatter] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go_of_hdr()

    def picture(
        self,
        frame: av.VideoFrame,
        index: int,
        damaged: bool = False,
        pixel_aspect: float | None = None,
    ) -> Picture:
        """Convert a decoder's frame to a picture, without changing the frame.

        The planes are copies, because the decoder still needs its own as references.

        Args:
            pixel_aspect: width of a pixel over its height. A picture with other proportions is not
                stretched but centered, with black bars.

        Raises:
            MediaError: the pixel format cannot be converted.
        """
        pts = frame.pts
        if pts is None:
            raise ValueError("the frame has no time stamp")
        bt709 = _is_bt709(frame)
        full_range = frame.color_range == ColorRange.JPEG or frame.format.name == "yuvj420p"
        size = self._stored if pixel_aspect is None else self._fitting(frame, pixel_aspect)
        if (
            frame.format.name not in _EIGHT_BIT_420
            or (frame.width, frame.height) != self._stored
            or frame.colorspace == Colorspace.BT2020
            or is_hdr(frame)
        ):
            frame = self._reformat(frame, bt709, size)
            full_range, bt709 = False, True
        planes = _planes(frame)
        if size != self._stored:
            planes = self._with_bars(planes)
        y, u, v = map(self._upright, planes)
        return Picture(index, pts, y, u, v, bt709, full_range, damaged)

    def _fitting(self, frame: av.VideoFrame, pixel_aspect: float) -> tuple[int, int]:
        """Return the stored (width, height) that keeps the picture's proportions."""
        width, height = self._stored
        relative = frame.width * pixel_aspect / frame.height * height / width
        if abs(relative - 1) <= _SAME_PROPORTIONS:
            return self._stored
        if relative > 1:
            return width, max(round(height / relative), 1)
        return max(round(width * relative), 1), height

    def _with_bars(self, planes: tuple[U8, U8, U8]) -> tuple[U8, U8, U8]:
        """Center planes in black ones of the stored size, in limited range."""
        width, height = self._stored
        half = (width + 1) // 2, (height + 1) // 2
        # Shift by whole chroma samples.
        left, top = ((w - p) // 2 for w, p in zip(half, planes[1].shape[::-1], strict=True))
        found = []
        for plane, size, scale, fill in zip(
            planes, (self._stored, half, half), (2, 1, 1), (16, 128, 128), strict=True
        ):
            out = np.full(size[::-1], fill, np.uint8)
            room = out[scale * top :, scale * left :][: plane.shape[0], : plane.shape[1]]
            room[:] = plane[: room.shape[0], : room.shape[1]]
            found.append(out)
        return found[0], found[1], found[2]

    def _reformat(self, frame: av.VideoFrame, bt709: bool, size: tuple[int, int]) -> av.VideoFrame:
        """Convert to 8-bit BT.709 in limited range; HDR's reference white (203 cd/m²) is white."""
        reformatter, to_sdr = self._reformatter, {}
        if is_hdr(frame):
            reformatter = self._reformatter_of_hdr(frame)
            to_sdr = {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}
        try:
            return reformatter.reformat(
                frame,
                width=size[0],
                height=size[1],
                format="yuv420p",
                src_colorspace=Colorspace.ITU709 if bt709 else None,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                threads=self._threads,
                **to_sdr,
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(
                f"pictures in {frame.format.name} cannot be converted: {error}"
            ) from error

    def _reformatter_of_hdr(self, frame: av.VideoFrame) -> VideoReformatter:
        kind = (
            self._stored,
            (frame.width, frame.height, frame.format.name),
            (frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range),
        )
        if self._hdr is None or self._hdr[0] != kind:
            self._let_go_of_hdr()
            self._hdr = kind, _idle_reformatters.take(kind)
        return self._hdr[1]

    def _let_go_of_hdr(self) -> None:
        if self._hdr is not None:
            _idle_reformatters.give_back(*self._hdr)
            self._hdr = None

    def _upright(self, plane: U8) -> U8:
        """Return a rotated, read-only copy of a plane."""
        turned: U8 = plane.copy() if self._turn is None else cv2.rotate(plane, self._turn)
        turned.flags.writeable = False
        return turned


def is_hdr(frame: av.VideoFrame) -> bool:
    """Return whether a frame's transfer function is PQ or HLG (ITU-R BT.2100)."""
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def _is_bt709(frame: av.VideoFrame) -> bool:
    """Return True for BT.709 by the stream's tag; untagged HD pictures are BT.709 by convention."""
    if frame.colorspace == _UNSPECIFIED:
        return frame.height >= 720
    return frame.colorspace == Colorspace.ITU709


def _planes(frame: av.VideoFrame) -> tuple[U8, U8, U8]:
    """Return views of Y, U and V; NV12, used by GPUs, interleaves U and V in one plane."""
    if frame.format.name == "nv12":
        chroma = _plane(frame, 1, 2)
        return _plane(frame, 0), chroma[:, 0::2], chroma[:, 1::2]
    return _plane(frame, 0), _plane(frame, 1), _plane(frame, 2)


def _plane(frame: av.VideoFrame, i: int, samples: int = 1) -> U8:
    """Return a (h, samples w) view of a plane with ``samples`` per pixel."""
    plane = frame.planes[i]
    rows: U8 = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : samples * plane.width]


def _warp(plane: U8, map_: F64, size: tuple[int, int], border: int) -> U8:
    out: U8 = cv2.warpAffine(
        plane, map_, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=border
    )
    return out


def _chroma_map(image_from_crop: F64) -> F64:
    """Return the map for a half-size plane, with each sample centered in four luma pixels.

    H.264 places the sample on the left column of the four. That half pixel is ignored, as it was
    in the conversions of the networks' training pictures.
    """
    half = image_from_crop * 0.5
    half[:, 2] -= 0.25
    return half


@cache
def _matrix(bt709: bool, full_range: bool) -> F64:
    """Return the map (3, 4) from Y, U, V to B, G, R (ITU-R BT.709 and BT.601)."""
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
