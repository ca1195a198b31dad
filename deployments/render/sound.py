"""Add the source's sound to an MP4: copied if possible, else encoded as AAC."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

AnyPacket: TypeAlias = "Packet[Any]"
AddSound: TypeAlias = Callable[
    [InputContainer, AudioStream, Fraction | None, OutputContainer], Iterator[AnyPacket]
]
"""Add a stream to a container and yield its packets, with the source's times.

Packets that end well before a time, in seconds, are left out; None for all packets.
"""

# What MP4 holds and browsers play.
_COPIED = frozenset(("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"))
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_RATES = range(4_000, 768_001)  # resampling others takes memory and time without bounds
_LEAD_S = 1  # of sound that a decoder may need before the first that is played
_AAC_BIT_RATE = 64_000  # a channel


def sound_stream(source: InputContainer) -> AudioStream | None:
    """Return the first audio stream that FFmpeg has a decoder for."""
    return next((s for s in source.streams.audio if s.codec_context), None)


def ways_to_add(stream: AudioStream) -> tuple[AddSound, ...]:
    """List the ways to add this sound to an MP4, best first; empty if it is malformed."""
    if stream.codec_context.sample_rate not in _RATES:
        return ()
    if stream.codec.canonical_name in _COPIED:
        return copied, encoded
    return (encoded,)


def copied(
    source: InputContainer,
    stream: AudioStream,
    since_s: Fraction | None,
    target: OutputContainer,
) -> Iterator[AnyPacket]:
    """Yield the packets unchanged."""
    out = target.add_stream_from_template(stream)
    for packet in _packets(source, stream, since_s):
        packet.stream = out
        yield packet


def encoded(
    source: InputContainer,
    stream: AudioStream,
    since_s: Fraction | None,
    target: OutputContainer,
) -> Iterator[AnyPacket]:
    """Yield the sound encoded as AAC, in mono or stereo."""
    context = stream.codec_context
    rate = context.sample_rate if context.sample_rate in _AAC_RATES else 48_000
    layout, channels = ("mono", 1) if context.channels == 1 else ("stereo", 2)
    out = target.add_stream("aac", rate=rate, layout=layout)
    out.bit_rate = channels * _AAC_BIT_RATE
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    for packet in chain(_packets(source, stream, since_s), [None]):
        for frame in _decoded(stream, packet):
            for resampled in resampler.resample(frame):
                yield from out.encode(resampled)
    for resampled in resampler.resample(None):
        yield from out.encode(resampled)
    yield from out.encode(None)


def between(
    packets: Iterator[AnyPacket], start_s: Fraction, end_s: Fraction
) -> Iterator[AnyPacket]:
    """Yield packets shifted by ``start_s`` seconds, from the one that plays at that moment.

    The packet before it is included, because a decoder needs it for a correct start; the file marks
    it as not to be played. Packets after ``end_s`` are left out.
    """
    before: AnyPacket | None = None
    for packet in packets:
        if packet.pts is None or packet.time_base is None:
            continue
        if packet.pts * packet.time_base > end_s:
            return
        packet.pts -= round(start_s / packet.time_base)
        packet.dts = packet.pts
        if packet.pts + (packet.duration or 0) <= 0:
            before = packet
            continue
        if before is not None:
            yield before
            before = None
        yield packet


def _packets(
    source: InputContainer, stream: AudioStream, since_s: Fraction | None
) -> Iterator[AnyPacket]:
    """Yield packets until the end of the file, or until it is damaged."""
    packets = source.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        if packet.size and not _is_before(packet, since_s):
            yield packet


def _is_before(packet: AnyPacket, since_s: Fraction | None) -> bool:
    if since_s is None or packet.pts is None or packet.time_base is None:
        return False
    return packet.pts * packet.time_base < since_s - _LEAD_S


def _decoded(stream: AudioStream, packet: "AnyPacket | None") -> list[av.AudioFrame]:
    """Return the frames of a packet, or those still buffered; none for a damaged packet."""
    try:
        return stream.decode(packet)
    except av.error.FFmpegError:
        return []
