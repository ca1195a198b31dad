"""Joining encoded segments, and the source's sound, into one MP4."""

import heapq
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from deployments.errors import StorageError
from deployments.media.open import open_media
from deployments.messages import EncodedSegment, MediaInfo

# What MP4 holds and browsers play; other sound is encoded as AAC.
_COPIED_AUDIO = frozenset(("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"))
_AAC_BIT_RATE = 128_000

AnyPacket: TypeAlias = "Packet[Any]"
Timed: TypeAlias = tuple[float, int, AnyPacket]
"""Seconds, a counter that settles ties, and the packet."""


def join(encoded: Sequence[EncodedSegment], media: MediaInfo, out: Path) -> Path:
    """One MP4 of the segments in order, with the source's sound, playable while it loads.

    The first picture is at time 0, all others where the source has them; the sound is moved by the
    same amount.

    Raises:
        StorageError: the file cannot be written, or the segments do not fit together.
    """
    parts = sorted((part for part in encoded if part.frames), key=lambda part: part.index)
    numerator, denominator = media.time_base
    start_s = float(media.pts[0]) * numerator / denominator
    try:
        with (
            av.open(
                str(out),
                "w",
                format="mp4",
                options={
                    "movflags": "+faststart",
                    "video_track_timescale": str(denominator),
                    "avoid_negative_ts": "disabled",
                },
            ) as target,
            open_media(media.path) as source,
        ):
            video = _video_stream(target, parts)
            streams = [_video_packets(parts, video, int(media.pts[0]))]
            if source.streams.audio:
                streams.append(_audio_packets(source, target, start_s))
            for _, _, packet in heapq.merge(*streams, key=lambda timed: timed[:2]):
                target.mux(packet)
    except OSError as error:
        raise StorageError(f"the annotated video cannot be written: {error}") from error
    return out


def _video_stream(target: OutputContainer, parts: Sequence[EncodedSegment]) -> Stream:
    with av.open(parts[0].path, format="nut") as first:
        stream = target.add_stream_from_template(first.streams.video[0])
    return stream


def _video_packets(parts: Sequence[EncodedSegment], stream: Stream, start: int) -> Iterator[Timed]:
    count = 0
    header: bytes | None = None
    for part in parts:
        with av.open(part.path, format="nut") as container:
            source = container.streams.video[0]
            extradata = source.codec_context.extradata
            if header is not None and extradata != header:
                raise StorageError("the encoded segments have different headers", retryable=False)
            header = extradata
            for packet in container.demux(source):
                if packet.pts is None or packet.dts is None or packet.time_base is None:
                    continue
                seconds = float(packet.pts * packet.time_base)
                ticks = Fraction(packet.time_base)
                packet.pts -= start
                packet.dts = packet.pts
                packet.time_base = ticks
                packet.stream = stream  # type: ignore[assignment]  # typed as the source's kind
                yield seconds, count, packet
                count += 1


def _audio_packets(
    source: InputContainer, target: OutputContainer, start_s: float
) -> Iterator[Timed]:
    audio = source.streams.audio[0]
    if audio.codec_context.name in _COPIED_AUDIO:
        stream: Stream = target.add_stream_from_template(audio)
        packets = _copied(source, audio)
    else:
        encoder = target.add_stream("aac", rate=audio.codec_context.sample_rate or 48_000)
        encoder.bit_rate = _AAC_BIT_RATE
        stream, packets = encoder, _encoded(source, audio, encoder)
    return _shifted(packets, stream, start_s)


def _shifted(packets: Iterator[AnyPacket], stream: Stream, start_s: float) -> Iterator[Timed]:
    for count, packet in enumerate(packets):
        if packet.pts is None or packet.time_base is None:
            continue
        seconds = float(packet.pts * packet.time_base)
        if seconds < start_s:
            continue  # before the first picture
        shift = round(start_s / packet.time_base)
        packet.pts -= shift
        packet.dts = packet.pts
        packet.stream = stream
        yield seconds, count, packet


def _copied(source: InputContainer, audio: AudioStream) -> Iterator[AnyPacket]:
    for packet in source.demux(audio):
        if packet.size:
            yield packet


def _encoded(
    source: InputContainer, audio: AudioStream, encoder: AudioStream
) -> Iterator[AnyPacket]:
    resampler = av.AudioResampler(
        format="fltp", layout="stereo", rate=encoder.codec_context.sample_rate
    )
    for frame in source.decode(audio):
        for resampled in resampler.resample(frame):
            yield from encoder.encode(resampled)
    for resampled in resampler.resample(None):
        yield from encoder.encode(resampled)
    yield from encoder.encode(None)
