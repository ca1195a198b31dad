"""Probe a media file without keeping its pictures."""

import math
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from deployments.concurrency import Cancelled, WorkCancelledError, never
from deployments.decode.media_options import applied
from deployments.decode.orientation import exif_orientation, orientation
from deployments.decode.probe_warnings import warnings_of_file, warnings_of_pictures
from deployments.decode.stamps import are_ascending, are_suspect, regular
from deployments.errors import (
    AudioOnlyError,
    MediaError,
    NoFramesError,
    NotAVideoError,
    TooLargeError,
    TruncatedError,
    UnsupportedCodecError,
)
from deployments.media.container_sniffing import missing_bytes, sniff
from deployments.media.open import MOST_PIXELS, open_media
from deployments.media.reader import (
    decoded,
    times_are_made_up,
    video_stream,
)
from deployments.media.still_picture import STILLS, StillHeader, still_header
from deployments.media_choice import AS_IT_IS, MediaOptions
from deployments.messages import I64, MediaInfo

VIDEO_CODECS = frozenset(("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "prores"))
# Pixels less square than this are made square; some recorders write ratios like 1919:1920.
_SQUARE_SHARE = 0.01
_RATE_UNKNOWN = Fraction(25)
_STILL_SHARE = 4  # pixels of a still picture, of those that each picture of a video may have
_LONGEST_SIDE = 16384  # that x264 encodes; pixels that are far from square make it long
_LATEST = 1 << 61  # ticks; 73 years in nanoseconds, the shortest that containers count in


_MOST_INDEXED = 1_000_000  # pictures of a file of which a part is analyzed


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Limits of a video to analyze.

    Attributes:
        max_pixels: of one picture.
    """

    max_bytes: int
    max_duration_s: float
    max_pixels: int
    max_frames: int


def probe(
    path: str | os.PathLike[str],
    limits: MediaLimits,
    cancelled: Cancelled = never,
    options: MediaOptions = AS_IT_IS,
) -> MediaInfo:
    """Read the index of a local media file, and its first picture.

    Limits of seconds and frames are those of the part that ``options`` choose, of which frames that
    have to be decoded to reach it are counted too. A file whose index is found only by decoding all
    of it must keep them as a whole.

    Raises:
        BadParameterError: see :func:`deployments.decode.media_options.applied`.
        NotAVideoError, AudioOnlyError, NoFramesError, TruncatedError, UnsupportedCodecError.
        MediaError: its time stamps are unusable.
        TooLargeError: a limit is exceeded; ``facts`` has ``quantity``, ``value`` and ``limit``.
        WorkCancelledError: ``cancelled``, called at every packet, returned True.
    """
    path = Path(path).resolve()
    whole = limits
    if options.cuts:
        whole = replace(limits, max_duration_s=math.inf, max_frames=_MOST_INDEXED)
    _check("bytes", path.stat().st_size, limits.max_bytes)
    still = _still(path)
    if still is not None:
        limits = replace(limits, max_pixels=min(_STILL_SHARE * limits.max_pixels, MOST_PIXELS))
        _check("pixels", still.width * still.height, limits.max_pixels)
    with open_media(path, limits.max_pixels, trial="none") as container:
        _check_end(missing_bytes(path, _demuxer(container)))
        stream = _stream(container)
        _check_declared(path, container, stream, whole)
        _check_listed(path, container, stream)
        found = None if still else _index_of_packets(container, stream, whole, cancelled)
        if found is not None:
            _check_times(_sorted(*found)[0])
        first, square, reorders = _first_picture(path, limits)
        index = (
            _ONE_PICTURE
            if still
            else _index(path, container, stream, found, reorders, limits, cancelled)
        )
        _check_times(index.pts)
        shown = exif_orientation(still.orientation) if still else orientation(first)
        _check("pixels", square[0] * square[1], limits.max_pixels)
        _check("pixels a side", max(square), _LONGEST_SIDE)
        width, height = square if shown.rotation_deg % 180 == 0 else square[::-1]
        time_base = stream.time_base or Fraction(1, av.time_base)
        info = MediaInfo(
            path=str(path),
            container=_demuxer(container).removesuffix("_pipe"),
            codec=stream.codec.canonical_name,
            pixel_format=first.format.name,
            width=width,
            height=height,
            rotation_deg=shown.rotation_deg,
            time_base=(time_base.numerator, time_base.denominator),
            pts=index.pts,
            keyframe_pts=index.keys,
            audio_codec=_audio_codec(container),
            in_order=index.in_order,
            counted=index.counted,
            interlaced=first.interlaced_frame,
            warnings=(
                *(
                    ()
                    if still
                    else warnings_of_file(
                        container,
                        stream,
                        pictures=len(index.pts),
                        counted=index.counted,
                        repeated=index.repeated,
                    )
                ),
                *warnings_of_pictures(index.pts, first, shown, square),
            ),
        )
    part = applied(info, options)
    _check("frames", _frames_to_decode(info, part), limits.max_frames)
    _check("seconds", part.duration_s, limits.max_duration_s)
    return part


def _frames_to_decode(whole: MediaInfo, part: MediaInfo) -> int:
    """Count the pictures from the key frame before a part of a file up to the part's last one."""
    key = int(np.searchsorted(whole.keyframe_pts, part.pts[0], side="right")) - 1
    skipped = 0
    if key >= 0 and not whole.counted:
        skipped = int(np.searchsorted(whole.pts, whole.keyframe_pts[key]))
    return int(part.numbers[-1]) + 1 - skipped


def _still(path: Path) -> StillHeader | None:
    """Read the header of a still picture; None for a video."""
    demuxer = sniff(path)
    return still_header(path, demuxer) if demuxer in STILLS else None


def _stream(container: InputContainer) -> VideoStream:
    try:
        stream = video_stream(container)
    except NotAVideoError:
        if container.streams.audio:
            raise AudioOnlyError("the file has an audio track and no video track") from None
        raise
    name = "unknown" if stream.codec_context is None else stream.codec.canonical_name
    if name not in VIDEO_CODECS and _demuxer(container) not in STILLS:
        raise UnsupportedCodecError(f"the video codec {name} is not supported", codec=name)
    return stream


def _audio_codec(container: InputContainer) -> str | None:
    for stream in container.streams.audio:
        return "unknown" if stream.codec_context is None else stream.codec.canonical_name
    return None


def _check(quantity: str, value: float, limit: float) -> None:
    if value > limit:
        raise TooLargeError(
            f"the video has {value:.12g} {quantity}, the limit is {limit:.12g}",
            quantity=quantity,
            value=value,
            limit=limit,
        )


def _check_declared(
    path: Path, container: InputContainer, stream: VideoStream, limits: MediaLimits
) -> None:
    """Reject a file whose header declares it as too large."""
    context = stream.codec_context
    _check("pixels", context.width * context.height, limits.max_pixels)
    _check("frames", stream.frames, limits.max_frames)
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / av.time_base
    if seconds > limits.max_duration_s and _demuxer(container) == "matroska":
        seconds -= _starts_s(path)  # it counts from 0, wherever the first picture is
    _check("seconds", seconds, limits.max_duration_s)


def _starts_s(path: Path) -> float:
    """Return the seconds from 0 to the first picture, which the header does not have."""
    with open_media(path, trial="none") as container:
        stream = video_stream(container)
        for packet in container.demux(stream):
            if packet.pts is not None and packet.time_base is not None:
                return float(packet.pts * packet.time_base)
    return 0.0


def _check_end(missing: int) -> None:
    """Reject a file that opens although its end is missing.

    Durations are no evidence: a last picture can last long, and sound can outlast the pictures.
    """
    if missing > 0:
        raise TruncatedError(f"the file was cut short: at least {missing} bytes are missing")


def _check_times(pts: I64) -> None:
    """Reject a file without time stamps, or with stamps that overflow 64-bit arithmetic."""
    if not len(pts):
        raise NoFramesError("the video track has no pictures")
    if int(pts[0]) < -_LATEST or int(pts[-1]) > _LATEST:
        raise MediaError("the time stamps of the video track are damaged")


def _check_listed(path: Path, container: InputContainer, stream: VideoStream) -> None:
    """Reject an MP4 whose leading index lists pictures that are missing."""
    if _demuxer(container) == "mov":
        end = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
        _check_end(end - path.stat().st_size)


def _demuxer(container: InputContainer) -> str:
    return container.format.name.split(",")[0]


def _sorted(pts: list[int], keys: list[int]) -> tuple[I64, I64]:
    """Return the time stamps of all pictures and of key frames, both ascending."""
    found = np.unique(np.array(pts, np.int64))
    found_keys = np.unique(np.array(keys, np.int64))
    return found, found_keys if len(found_keys) else found[:1]


@dataclass(frozen=True, slots=True)
class _Index:
    """Index of the pictures of a file; see :class:`MediaInfo`.

    ``repeated`` counts pictures with the same time stamp as the one before.
    """

    pts: I64
    keys: I64
    in_order: bool = False
    counted: bool = False
    repeated: int = 0


_ONE_PICTURE = _Index(np.zeros(1, np.int64), np.zeros(1, np.int64), counted=True)


def _index(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    found: tuple[list[int], list[int]] | None,
    reorders: bool,
    limits: MediaLimits,
    cancelled: Cancelled,
) -> _Index:
    """Build the index from packets, or by decoding everything if they can be wrong."""
    listed = None
    if found is not None:
        listed = _Index(*_sorted(*found), in_order=_is_in_order(container, found[0]))
        if not are_suspect(found[0], reorders):
            return listed
    times, keys = _index_of_frames(path, limits, cancelled)
    if not are_ascending(times):
        rate = stream.average_rate or _RATE_UNKNOWN
        pts = regular(times, max(round(1 / (rate * (stream.time_base or 1))), 1))
        repeated = sum(a == b is not None for a, b in pairwise(times))
        return _Index(pts, pts[:1], counted=True, repeated=repeated)
    if found is not None and listed is not None and len(listed.pts) == len(found[0]):
        return listed
    return _Index(*_sorted([time for time in times if time is not None], keys))


def _index_of_packets(
    container: InputContainer, stream: VideoStream, limits: MediaLimits, cancelled: Cancelled
) -> tuple[list[int], list[int]] | None:
    """Build the index from packets; None if they do not determine pictures and times."""
    # VP8 has packets that show no picture.
    if stream.codec.canonical_name == "vp8" or times_are_made_up(container, stream):
        return None
    pts: list[int] = []
    keys: list[int] = []
    try:
        for packet in container.demux(stream):
            if cancelled():
                raise WorkCancelledError
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                return None
            pts.append(packet.pts)
            _check("frames", len(pts), limits.max_frames)
            if packet.is_keyframe:
                keys.append(packet.pts)
    except av.error.FFmpegError:
        return None  # damaged: only decoding finds the frames
    return pts, keys


def _index_of_frames(
    path: Path, limits: MediaLimits, cancelled: Cancelled
) -> tuple[list[int | None], list[int]]:
    """Build the index by decoding everything, because seeking in a damaged file may fail."""
    pts: list[int | None] = []
    keys: list[int] = []
    with open_media(path, limits.max_pixels) as container:
        stream = _stream(container)
        # After reassigning times, seeking to a key frame may fail.
        can_seek = not times_are_made_up(container, stream)
        for frame in decoded(container, stream, cancelled=cancelled):
            pts.append(frame.pts)
            _check("frames", len(pts), limits.max_frames)
            if frame.key_frame and can_seek and frame.pts is not None:
                keys.append(frame.pts)
    if cancelled():
        raise WorkCancelledError
    return pts, keys


def _is_in_order(container: InputContainer, pts: list[int]) -> bool:
    """Return whether packets come in presentation order; AVI has no presentation times."""
    return _demuxer(container) != "avi" and bool((np.diff(pts) > 0).all())


def _first_picture(path: Path, limits: MediaLimits) -> tuple[av.VideoFrame, tuple[int, int], bool]:
    """Read the first picture, its size with square pixels, and whether others are reordered.

    The file is reopened, because seeking in a damaged one may fail after all packets were read.
    """
    with open_media(path, limits.max_pixels, trial="none") as container:
        stream = video_stream(container, threads=1)
        first = next(decoded(container, stream), None)
        if first is None:
            raise NoFramesError("no picture of the video track can be decoded")
        # Known to the decoder alone where the container does not say it.
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        return first, _square_size(first, float(aspect or 1)), stream.codec_context.has_b_frames


def _square_size(frame: av.VideoFrame, ratio: float) -> tuple[int, int]:
    """Return the stored (width, height) with the pixels' shorter side stretched to the longer."""
    if ratio <= 0 or abs(ratio - 1) < _SQUARE_SHARE:
        return frame.width, frame.height
    if ratio > 1:
        return round(frame.width * ratio), frame.height
    return frame.width, round(frame.height / ratio)
