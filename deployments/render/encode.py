"""Encoding one segment of the annotated video.

H.264 without B-frames: decoding order is presentation order, so the packets of one segment follow
those of another with their PTS as they are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from time import perf_counter

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from deployments.errors import StorageError
from deployments.media.picture import Picture
from deployments.messages import U8, EncodedSegment, EncodeOptions, Overlay, Segment
from deployments.render.draw import Canvas, FrameOverlay, Style, draw

SEGMENT_SUFFIX = ".nut"
"""NUT keeps any time base exactly."""

_KEY_FRAMES_S = 2.0


def encode_segment(
    pictures: Iterator[Picture],
    segment: Segment,
    overlay: Overlay,
    folder: Path,
    options: EncodeOptions,
) -> EncodedSegment:
    """Draw ``overlay`` on the segment's pictures and encode them into a file in ``folder``.

    Args:
        pictures: of the segment, in order; those after it are not used, and missing ones are
            missing in the result.
        segment: which frames. overlay: one row a frame of the segment.

    Raises:
        StorageError: the file cannot be written.
    """
    out = folder / f"segment-{segment.index:05d}{SEGMENT_SUFFIX}"
    size = output_size(segment.width, segment.height, options.max_height)
    seconds = {"decode_again": 0.0, "draw": 0.0, "encode": 0.0}
    count = 0
    try:
        with av.open(str(out), "w", format="nut") as container:
            stream: VideoStream | None = None
            for picture in _timed(pictures, seconds, "decode_again"):
                offset = picture.index - segment.first_frame
                if offset >= len(segment.pts):
                    break
                if stream is None:
                    stream = _stream(container, segment, size, picture, options)
                with _timing(seconds, "draw"):
                    buffer = _drawn(picture, _row(overlay, offset), size)
                with _timing(seconds, "encode"):
                    frame = av.VideoFrame.from_ndarray(buffer, format="yuv420p")
                    frame.pts, frame.time_base = picture.pts, Fraction(*segment.time_base)
                    container.mux(stream.encode(frame))
                count += 1
            if stream is not None:
                with _timing(seconds, "encode"):
                    container.mux(stream.encode(None))
    except OSError as error:
        raise StorageError(f"the annotated segment cannot be written: {error}") from error
    return EncodedSegment(str(out), segment.index, count, seconds)


def output_size(width: int, height: int, max_height: int | None) -> tuple[int, int]:
    """Even (width, height) of the annotated video: x264 takes no odd ones."""
    if max_height is not None and height > max_height:
        width, height = round(width * max_height / height), max_height
    return width + width % 2, height + height % 2


def _stream(
    container: OutputContainer,
    segment: Segment,
    size: tuple[int, int],
    picture: Picture,
    options: EncodeOptions,
) -> VideoStream:
    gaps = np.diff(segment.pts)
    seconds = float(np.median(gaps)) * float(Fraction(*segment.time_base)) if len(gaps) else 0.04
    rate = Fraction(1 / seconds).limit_denominator(1001)
    stream = container.add_stream(
        "libx264",
        rate=rate,
        options={
            "preset": options.preset,
            "crf": str(options.crf),
            "bf": "0",
            "g": str(max(round(_KEY_FRAMES_S / seconds), 1)),
        },
    )
    context = stream.codec_context
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(*segment.time_base)
    context.colorspace = Colorspace.ITU709 if picture.bt709 else Colorspace.ITU601
    context.color_range = ColorRange.JPEG if picture.full_range else ColorRange.MPEG
    context.flags |= av.codec.context.Flags.global_header
    return stream


def _drawn(picture: Picture, overlay: FrameOverlay, size: tuple[int, int]) -> U8:
    """A planar buffer (3/2 height, width) of the picture at ``size`` with the overlay on it."""
    width, height = size
    buffer = np.empty((height * 3 // 2, width), np.uint8)
    y = buffer[:height]
    chroma = buffer[height:].reshape(2, height // 2, width // 2)
    scale = 1.0
    if picture.size[1] > height:
        scale = height / picture.size[1]
        cv2.resize(picture.y, (width, height), dst=y, interpolation=cv2.INTER_AREA)
        for plane, source in zip(chroma, (picture.u, picture.v), strict=True):
            cv2.resize(source, (width // 2, height // 2), dst=plane, interpolation=cv2.INTER_AREA)
    else:
        _copy_padded(picture.y, y)
        _copy_padded(picture.u, chroma[0])
        _copy_padded(picture.v, chroma[1])
    style = Style.of(width, height, bt709=picture.bt709, full_range=picture.full_range)
    draw(Canvas(y, chroma[0], chroma[1], style), _scaled(overlay, scale))
    return buffer


def _copy_padded(source: U8, target: U8) -> None:
    """Copy a plane into one that may have a row and a column more, which repeat the last."""
    h, w = source.shape
    target[:h, :w] = source
    target[h:, :w] = source[-1:]
    target[:, w:] = target[:, w - 1 : w]


def _row(overlay: Overlay, offset: int) -> FrameOverlay:
    return FrameOverlay(
        overlay.keypoints[offset],
        overlay.score[offset],
        overlay.box[offset],
        overlay.track_id,
        overlay.angles_deg[offset],
        overlay.min_score,
    )


def _scaled(overlay: FrameOverlay, scale: float) -> FrameOverlay:
    if scale == 1.0:
        return overlay
    return FrameOverlay(
        overlay.keypoints * np.float32(scale),
        overlay.score,
        overlay.box * np.float32(scale),
        overlay.track_id,
        overlay.angles_deg,
        overlay.min_score,
    )


@contextmanager
def _timing(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = perf_counter()
    yield
    seconds[stage] += perf_counter() - started


def _timed(pictures: Iterator[Picture], seconds: dict[str, float], stage: str) -> Iterator[Picture]:
    while True:
        with _timing(seconds, stage):
            picture = next(pictures, None)
        if picture is None:
            return
        yield picture
