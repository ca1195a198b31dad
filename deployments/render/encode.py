"""Encode one segment of the annotated video.

H.264 without B-frames has the same decoding and presentation order, so that the packets of segments
can be concatenated with unchanged PTS. The encoder's settings do not depend on the segment, so that
all segments of a video have the same header.
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
from av.video.stream import VideoStream

from deployments.annotated_video import EncodedSegment, EncodeOptions, Encoder, Overlay
from deployments.errors import StorageError
from deployments.media.picture import Picture
from deployments.messages import U8, Segment
from deployments.render.color_conversion import tag_bt709, to_bt709
from deployments.render.draw import FrameOverlay, draw

SEGMENT_FORMAT = "nut"
"""NUT keeps any time base exactly."""

_KEY_FRAMES_S = 2.0
_THREADS = 4


def encode_segment(
    pictures: Iterator[Picture],
    segment: Segment,
    overlay: Overlay,
    folder: Path,
    options: EncodeOptions,
    rate: Fraction,
    encoder: Encoder = "libx264",
) -> EncodedSegment:
    """Draw ``overlay`` on the segment's pictures and encode them into a file in ``folder``.

    Args:
        pictures: of the segment, in order, not modified; ``Picture.index`` is the frame number.
            Those after the segment are ignored, and missing ones are missing in the result.
        segment: the frames. overlay: one row per frame of the segment.
        rate: pictures a second of the whole video, from which x264 derives level and key frames.
        encoder: libx264, or a GPU's; it must be the same for all segments of a video.

    Raises:
        StorageError: the file cannot be written.
    """
    out = folder / f"segment-{segment.index:05d}.{SEGMENT_FORMAT}"
    size = output_size(segment.width, segment.height, options.max_height)
    seconds = {"decode_again": 0.0, "draw": 0.0, "encode": 0.0}
    count = 0
    with (
        writing("an annotated segment"),
        av.open(str(out), "w", format=SEGMENT_FORMAT) as container,
    ):
        stream: VideoStream | None = None
        for picture in _timed(pictures, seconds, "decode_again"):
            offset = picture.index - segment.first_frame
            if offset >= len(segment.pts):
                break
            with _timing(seconds, "draw"):
                frame = _annotated(picture, _row(overlay, offset), size)
                frame.pts, frame.time_base = picture.pts, Fraction(*segment.time_base)
            with _timing(seconds, "encode"):
                stream = stream or _add_stream(container, segment, size, options, rate, encoder)
                container.mux(stream.encode(frame))
            count += 1
        if stream is not None:
            with _timing(seconds, "encode"):
                container.mux(stream.encode(None))
    return EncodedSegment(str(out), segment.index, count, encoder, seconds)


def output_size(width: int, height: int, max_height: int | None) -> tuple[int, int]:
    """Return (width, height) of the annotated video, even, as 4:2:0 requires.

    A picture that is not scaled down keeps its pixels and gains a column or row if its size is odd.
    """
    if max_height is None or height <= max_height:
        return width + width % 2, height + height % 2
    even = max(max_height // 2 * 2, 2)
    return max(round(width * even / height / 2) * 2, 2), even


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Convert errors of FFmpeg and the file system to a :class:`StorageError` naming ``what``.

    Errors of the disk are retryable; errors of the encoder or muxer are not.
    """
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(
            f"{what} cannot be written: {reason}", retryable=isinstance(error, OSError)
        ) from error


def _add_stream(
    container: OutputContainer,
    segment: Segment,
    size: tuple[int, int],
    options: EncodeOptions,
    rate: Fraction,
    encoder: Encoder,
) -> VideoStream:
    quality = {
        "libx264": {
            "preset": options.preset,
            "crf": str(options.crf),
            "x264-params": "stitchable=1",
        },
        "h264_nvenc": {"rc": "constqp", "qp": str(options.crf)},
    }[encoder]
    key_frames = str(max(round(_KEY_FRAMES_S * rate), 1))
    stream = container.add_stream(
        encoder, rate=rate, options=quality | {"bf": "0", "g": key_frames}
    )
    context = stream.codec_context
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(*segment.time_base)
    tag_bt709(context)
    context.flags |= av.codec.context.Flags.global_header
    # The same number on any machine, because x264's output depends on it; segments are what runs in
    # parallel. Threads encode whole pictures: with slices, PyAV's default, they wait for each other
    # at every picture, and the file is larger.
    context.thread_count, context.thread_type = _THREADS, "FRAME"
    return stream


def _annotated(picture: Picture, overlay: FrameOverlay, size: tuple[int, int]) -> av.VideoFrame:
    """Return a new frame: the picture at ``size`` (width, height) with the overlay on it."""
    frame = av.VideoFrame(*size, "yuv420p")
    y, u, v = (_plane(frame, i) for i in range(3))
    for target, source in ((y, picture.y), (u, picture.u), (v, picture.v)):
        _fit(source, target)
    to_bt709(y, u, v, bt709=picture.bt709, full_range=picture.full_range)
    scaled = picture.size[0] > size[0] or picture.size[1] > size[1]
    draw(y, u, v, _scaled(overlay, picture.size, size) if scaled else overlay)
    return frame


def _plane(frame: av.VideoFrame, i: int) -> U8:
    """Return a writable view (h, w) of a plane."""
    plane = frame.planes[i]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def _fit(source: U8, target: U8) -> None:
    """Copy a plane into a smaller one, or into one with an extra row or column that repeats."""
    (h, w), (height, width) = source.shape, target.shape
    if height < h or width < w:
        cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_AREA)
        return
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


def _scaled(overlay: FrameOverlay, old: tuple[int, int], new: tuple[int, int]) -> FrameOverlay:
    """Scale an overlay from ``old`` to ``new`` (width, height), pixels centered at integers."""
    x, y = new[0] / old[0], new[1] / old[1]
    factor = np.array([x, y, x, y], np.float32)
    return FrameOverlay(
        (overlay.keypoints + 0.5) * factor[:2] - 0.5,
        overlay.score,
        (overlay.box + 0.5) * factor - 0.5,
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
