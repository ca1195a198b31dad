"""Pictures, segments and overlays to be drawn and encoded, and how the results are read."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from deployments.annotated_video import EncodeOptions, Overlay
from deployments.media.picture import Picture
from deployments.messages import Segment

Array = np.ndarray[Any, Any]
TimeBase = tuple[int, int]


def segment_of(
    pts: Sequence[int],
    size: tuple[int, int],
    time_base: TimeBase = (1, 25),
    *,
    index: int = 0,
    first_frame: int = 0,
) -> Segment:
    return Segment(
        path="no such file",
        time_base=time_base,
        rotation_deg=0,
        width=size[0],
        height=size[1],
        index=index,
        first_frame=first_frame,
        pts=np.array(pts, np.int64),
        seek_pts=pts[0],
        closing_pts=None,
    )


def grey_picture(
    index: int,
    pts: int,
    size: tuple[int, int],
    luma: int = 90,
    *,
    bt709: bool = True,
    full_range: bool = False,
) -> Picture:
    """One of uniform grey, whose planes cannot be written to."""
    width, height = size
    planes = [
        np.full((height, width), luma, np.uint8),
        np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8),
        np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8),
    ]
    for plane in planes:
        plane.flags.writeable = False
    return Picture(index, pts, *planes, bt709, full_range)


def grey_planes(size: tuple[int, int], luma: int = 90) -> tuple[Array, Array, Array]:
    """Writable planes of uniform grey; ``size`` (width, height) is even."""
    width, height = size
    return (
        np.full((height, width), luma, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
    )


def moving_picture(index: int, pts: int, size: tuple[int, int]) -> Picture:
    """A slanted ramp that moves with the index."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    luma = (40 + (columns + rows + 3 * index) % 160).astype(np.uint8)
    grey = grey_picture(index, pts, size)
    luma.flags.writeable = False
    return Picture(index, pts, luma, grey.u, grey.v, True, False)


def nothing(frames: int, people: int = 0) -> Overlay:
    """An overlay on which everything is missing."""
    return Overlay(
        keypoints=np.full((frames, people, 17, 2), np.nan, np.float32),
        score=np.zeros((frames, people, 17), np.float32),
        box=np.full((frames, people, 4), np.nan, np.float32),
        track_id=np.arange(1, people + 1, dtype=np.int32),
        angles_deg=np.full((frames, 6), np.nan),
        min_score=0.3,
    )


def decode(path: str | Path) -> Iterator[tuple[Fraction, Array]]:
    """Seconds and (h, w, 3) RGB of every picture of a file, by its own color tags."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.pts is not None
            yield frame.pts * frame.time_base, rgb_of(frame)


def rgb_of(frame: av.VideoFrame) -> Array:
    return frame.reformat(format="rgb24", src_colorspace=frame.colorspace).to_ndarray()


def rgb_of_planes(y: Array, u: Array, v: Array) -> Array:
    """(h, w, 3) RGB of planes in BT.709 limited range, by FFmpeg."""
    frame = av.VideoFrame.from_ndarray(
        np.concatenate([y.ravel(), u.ravel(), v.ravel()]).reshape(-1, y.shape[1]), "yuv420p"
    )
    frame.colorspace, frame.color_range = 1, 1
    return rgb_of(frame)


LOSSLESS_ENOUGH = EncodeOptions(preset="veryfast", crf=4)
RATE = Fraction(25)
