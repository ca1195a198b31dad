"""What a media file says of itself, read without keeping its pictures."""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from deployments.errors import (
    AudioOnlyError,
    NoFramesError,
    NotAVideoError,
    TooLargeError,
    TruncatedError,
    UnsupportedCodecError,
)
from deployments.media.open import open_media
from deployments.media.reader import decoded
from deployments.messages import I64, MediaInfo

VIDEO_CODECS = frozenset(("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "prores"))
# Packets of these do not tell how many pictures they show: VP8 has packets that show none.
_COUNT_BY_DECODING = frozenset(("vp8",))
_FFMPEG_AV1 = {"libdav1d": "av1", "libaom-av1": "av1"}
# An index that promises this much more than the file holds was cut short.
_MISSING_SHARE, _MISSING_S = 0.02, 0.5
_VARIABLE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """The largest video that is analysed."""

    max_bytes: int
    max_duration_s: float
    max_pixels: int
    max_frames: int


def probe(path: str | os.PathLike[str], limits: MediaLimits) -> MediaInfo:
    """Read the index of a local media file.

    Raises:
        NotAVideoError, AudioOnlyError, NoFramesError, TruncatedError, UnsupportedCodecError.
        TooLargeError: over a limit; ``facts`` has ``limit``, ``value`` and ``quantity``.
    """
    _check("bytes", Path(path).stat().st_size, limits.max_bytes)
    with open_media(path) as container:
        stream = _stream(container)
        context = stream.codec_context
        _check("pixels", context.width * context.height, limits.max_pixels)
        if stream.duration and stream.time_base:
            _check("seconds", float(stream.duration * stream.time_base), limits.max_duration_s)
        elif container.duration:
            _check("seconds", container.duration / av.time_base, limits.max_duration_s)
        codec = _FFMPEG_AV1.get(context.name, context.name)
        pts, keys = _index(container, stream, limits, codec)
    if not len(pts):
        raise NoFramesError("the video track has no pictures")
    with open_media(path) as container:
        stream = _stream(container)
        first = next(decoded(container, stream), None)
        if first is None:
            raise NoFramesError("no picture of the video track can be decoded")
        turn = -first.rotation % 360
        rotation = turn if turn % 90 == 0 else 0
        size = (first.width, first.height) if rotation % 180 == 0 else (first.height, first.width)
        _check("pixels", size[0] * size[1], limits.max_pixels)
        time_base = stream.time_base or Fraction(1, av.time_base)
        info = MediaInfo(
            path=str(Path(path).resolve()),
            container=container.format.name.split(",")[0],
            codec=codec,
            pixel_format=first.format.name,
            width=size[0],
            height=size[1],
            rotation_deg=rotation,
            time_base=(time_base.numerator, time_base.denominator),
            pts=pts,
            keyframe_pts=keys,
            audio_codec=(
                container.streams.audio[0].codec_context.name if container.streams.audio else None
            ),
            warnings=_warnings(pts, first, turn),
        )
        _check("seconds", info.duration_s, limits.max_duration_s)
        _check_whole(info, container, stream)
    return info


def _stream(container: InputContainer) -> VideoStream:
    videos = [s for s in container.streams.video if not _is_cover(s)]
    if not videos:
        if container.streams.audio:
            raise AudioOnlyError("the file has an audio track and no video track")
        raise NotAVideoError("the file has no video track")
    stream = videos[0]
    context = stream.codec_context
    name = _FFMPEG_AV1.get(context.name, context.name) if context is not None else "unknown"
    if name not in VIDEO_CODECS:
        raise UnsupportedCodecError(f"the video codec {name} is not supported", codec=name)
    stream.thread_type = "AUTO"
    return stream


def _is_cover(stream: VideoStream) -> bool:
    """Whether a video stream is a still picture attached to music."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _check(quantity: str, value: float, limit: float) -> None:
    if value > limit:
        raise TooLargeError(
            f"the video has {value:g} {quantity}, the limit is {limit:g}",
            quantity=quantity,
            value=value,
            limit=limit,
        )


def _index(
    container: InputContainer, stream: VideoStream, limits: MediaLimits, codec: str
) -> tuple[I64, I64]:
    """Time stamps of all pictures and of the key frames, ascending."""
    pts: list[int] = []
    keys: list[int] = []
    if codec not in _COUNT_BY_DECODING:
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                break  # AVI: times exist only after decoding
            pts.append(packet.pts)
            _check("frames", len(pts), limits.max_frames)
            if packet.is_keyframe:
                keys.append(packet.pts)
        else:
            return np.unique(np.array(pts, np.int64)), np.unique(np.array(keys, np.int64))
        container.seek(0)
    pts = []
    for frame in decoded(container, stream):
        if frame.pts is not None:
            pts.append(frame.pts)
            _check("frames", len(pts), limits.max_frames)
    times = np.unique(np.array(pts, np.int64))
    return times, times[:1]


def _check_whole(info: MediaInfo, container: InputContainer, stream: VideoStream) -> None:
    """An MP4 with its index in front can be cut short and still open: its index promises more."""
    if info.container != "mov" or not stream.duration or not stream.time_base:
        return
    start = stream.start_time or 0
    promised = float((stream.duration + start - info.pts[0]) * stream.time_base)
    missing = promised - info.duration_s
    size = Path(info.path).stat().st_size
    last = max(
        (
            s.index_entries[-1].pos + s.index_entries[-1].size
            for s in [stream]
            if len(s.index_entries)
        ),
        default=0,
    )
    if last > size or missing > max(_MISSING_S, _MISSING_SHARE * promised):
        raise TruncatedError(
            f"the file holds {info.duration_s:.2f} s of the {promised:.2f} s its index promises"
        )


def _warnings(pts: I64, first: av.VideoFrame, turn: int) -> tuple[tuple[str, str], ...]:
    found = []
    gaps = np.diff(pts)
    if len(gaps) and np.abs(gaps / np.median(gaps) - 1).max() > _VARIABLE_SHARE:
        found.append(("variable_frame_rate", "frames are not evenly spaced; times are the file's"))
    if turn % 90:
        found.append(("rotation_ignored", f"a rotation of {turn} degrees was not applied"))
    if first.format.components[0].bits > 8:
        found.append(("converted_to_8_bit", f"{first.format.name} was converted to 8-bit BT.709"))
    return tuple(found)
