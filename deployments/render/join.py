"""Join encoded segments and the source's sound into one MP4."""

import heapq
import logging
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from deployments.annotated_video import EncodedSegment
from deployments.concurrency import Cancelled, WorkCancelledError, never
from deployments.errors import NoFramesError, StorageError
from deployments.media.open import NO_DECODERS, open_media
from deployments.messages import MediaInfo
from deployments.render.color_conversion import tag_bt709
from deployments.render.encode import SEGMENT_FORMAT, writing
from deployments.render.sound import AnyPacket, between, sound_stream, ways_to_add

# MP4 counts 2**31 ticks from one picture to the next at the most: half an hour of these.
_SHORTEST_TICKS = 1_000_000
_MOST_AFTER_S = 60  # of sound, after the last picture

logger = logging.getLogger("mmpose_service")


def join(
    encoded: Sequence[EncodedSegment], media: MediaInfo, out: Path, cancelled: Cancelled = never
) -> bool:
    """Write one MP4 of the segments in order, with the source's sound, playable while it loads.

    The source's first picture is at time 0, all others where the source has them; the sound is
    moved by the same amount, and ends a minute after the last picture at the latest, or with the
    part of the file that is analyzed. Sound that MP4 cannot hold and that cannot be re-encoded is
    left out.

    Returns:
        Whether the file has sound.

    Raises:
        NoFramesError: no segment has a picture.
        StorageError: the file cannot be written, or the segments do not fit together.
        WorkCancelledError: ``cancelled``, which is asked at every packet, said so.
    """
    parts = sorted((part for part in encoded if part.frames), key=lambda part: part.index)
    if not parts:
        raise NoFramesError("none of the video's pictures could be drawn on")
    if media.audio_codec is not None and _joined_with_sound(parts, media, out, cancelled):
        return True
    _write(parts, media, out, cancelled)
    return False


def _joined_with_sound(
    parts: Sequence[EncodedSegment], media: MediaInfo, out: Path, cancelled: Cancelled
) -> bool:
    """Try all ways to add the sound; return True if one succeeded."""
    since_s = None if media.part is None else _times_of(media)[0]
    for attempt in count():
        with open_media(media.path, trial="sound") as source:
            sound = sound_stream(source)
            ways = () if sound is None else ways_to_add(sound)
            if sound is None or attempt == len(ways):
                break
            try:
                _write(parts, media, out, cancelled, partial(ways[attempt], source, sound, since_s))
            except StorageError as error:
                if error.retryable:  # the disk, not the sound
                    raise
                name = ways[attempt].__name__
                logger.warning("joining with sound %s failed: %s", name, error.detail)
            else:
                return True
    logger.warning("the sound (%s) is left out", media.audio_codec)
    return False


def _write(
    parts: Sequence[EncodedSegment],
    media: MediaInfo,
    out: Path,
    cancelled: Cancelled,
    add_sound: Callable[[OutputContainer], Iterator[AnyPacket]] | None = None,
) -> None:
    options = {
        "movflags": "+faststart",
        # The source's ticks, and no shift that would hide sound before the first picture.
        "video_track_timescale": str(min(media.time_base[1], _SHORTEST_TICKS)),
        "avoid_negative_ts": "disabled",
    }
    start_s, end_s = _times_of(media)
    with (
        writing("the annotated video"),
        av.open(str(out), "w", format="mp4", options=options) as target,
    ):
        streams = [_pictures(parts, _video_stream(target, parts[0]), start_s)]
        if add_sound is not None:
            streams.append(between(add_sound(target), start_s, end_s))
        for packet in heapq.merge(*streams, key=_seconds):
            if cancelled():
                raise WorkCancelledError(out.name)
            target.mux(packet)


def _times_of(media: MediaInfo) -> tuple[Fraction, Fraction]:
    """Return the source's times of the first picture, and at which its sound ends."""
    tick_s = Fraction(*media.time_base)
    start_s, last_s = (int(media.pts[i]) * tick_s for i in (0, -1))
    if media.part is None or media.part.end_pts is None:
        return start_s, last_s + _MOST_AFTER_S
    return start_s, media.part.end_pts * tick_s


def _video_stream(target: OutputContainer, part: EncodedSegment) -> VideoStream:
    with _opened(part) as container:
        stream = target.add_stream_from_template(container.streams.video[0])
    tag_bt709(stream.codec_context)  # NUT does not hold it
    return stream


def _opened(part: EncodedSegment) -> InputContainer:
    return av.open(part.path, format=SEGMENT_FORMAT, container_options=NO_DECODERS)


def _pictures(
    parts: Sequence[EncodedSegment], stream: VideoStream, start_s: Fraction
) -> Iterator[AnyPacket]:
    """Yield the packets of all segments in order, shifted by ``start_s`` seconds."""
    header: bytes | None = None
    for part in parts:
        with _opened(part) as container:
            source = container.streams.video[0]
            if header not in (None, source.codec_context.extradata):
                raise StorageError("the encoded segments have different headers", retryable=False)
            header = source.codec_context.extradata
            for packet in container.demux(source):
                if packet.pts is None or packet.time_base is None:
                    continue  # the empty one at the end
                # NUT has a finer time base than the source.
                packet.pts -= round(start_s / packet.time_base)
                packet.dts = packet.pts
                packet.stream = stream
                yield packet


def _seconds(packet: AnyPacket) -> Fraction:
    assert packet.pts is not None  # noqa: S101  both iterators leave such packets out
    assert packet.time_base is not None  # noqa: S101
    return packet.pts * packet.time_base
