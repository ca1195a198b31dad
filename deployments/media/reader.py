"""The pictures of a segment, in order."""

from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from heapq import heappop, heappush
from itertools import islice
from typing import TypeAlias, cast

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from deployments.cpus import usable_cpus
from deployments.errors import MediaError, NotAVideoError
from deployments.media import hardware
from deployments.media.open import MOST_PIXELS, Trial, open_media
from deployments.media.picture import Converter, Picture
from deployments.messages import Segment
from deployments.threads import Cancelled, never

VideoPacket: TypeAlias = "Packet[VideoStream]"

# A picture may turn out larger than the header says, as browsers' recordings do, up to so many
# times its pixels; the decoder refuses more. Decoders count pixels of padded rows.
_GROWTH, _PADDING = 4, 128
MOST_REORDERED = 16
"""Pictures that are decoded before one that is shown earlier (H.264 and HEVC allow 16)."""
_MOST_THREADS = 4
# How far to seek back further where a seek goes past the key frame it was asked for.
_SEEK_BACK_S = (0, 1, 10)


def read(
    segment: Segment,
    threads: int | None = None,
    *,
    in_hardware: bool = False,
    cancelled: Cancelled = never,
) -> Generator[Picture, None, None]:
    """The segment's pictures by PTS, then the closing picture if there is one.

    A picture that cannot be decoded is left out: ``Picture.index`` tells which are there. Where
    time stamps are wrong (``Segment.counted``), pictures are known by their number from the
    beginning of the file. One that
    is stored in another size than the first, or with pixels that are not square, is scaled to the
    segment's size. The file is closed when the iterator ends or is abandoned.

    Args:
        segment: what to read.
        threads: of the decoder; half the CPUs, up to four, if not given. Segments are read beside
            each other, and what threads tell each other is a tenth of what decoding takes.
        in_hardware: whether a GPU's decoder is used where there is one. It is believed as long as
            no picture is missing; from there on software decodes, which tells what is damaged.
        cancelled: asked at every packet; ends the iterator.

    Raises:
        MediaError: the file cannot be opened, or its pictures not be converted.
        OSError: it is not there.
    """
    threads = threads or min(max(usable_cpus() // 2, 1), _MOST_THREADS)
    following = segment.first_frame
    device = hardware.decoder() if in_hardware and not segment.counted else None
    if device is not None:
        end = segment.first_frame + len(segment.pts) + (segment.closing_pts is not None)
        with (
            suppress(MediaError, av.error.FFmpegError),
            closing(_read(segment, 1, device, cancelled)) as found,
        ):
            for picture in found:
                if picture.index != following:
                    break
                yield picture
                following += 1
        if following == end:
            return
    with closing(_read(segment, threads, None, cancelled)) as found:
        for picture in found:
            if picture.index >= following:
                yield picture


def _read(
    segment: Segment, threads: int, device: HWAccel | None, cancelled: Cancelled
) -> Generator[Picture, None, None]:
    """See ``read``; ``device`` decodes, or software."""
    # How far pictures are out of order is for a trial to find out: not all streams say so.
    trial: Trial = "none" if segment.in_order and device is None else "all"
    with (
        open_media(segment.path, hardware=device, trial=trial) as container,
        Converter((segment.width, segment.height), segment.rotation_deg, threads) as converter,
    ):
        stream = video_stream(container, threads)
        is_start = segment.counted or not segment.first_frame
        frames = decoded(container, stream, None if is_start else segment.seek_pts, cancelled)
        numbered = _by_number if segment.counted else _by_time
        for index, frame in numbered(frames, segment):
            yield converter.picture(frame, index)


def _by_number(
    frames: Iterator[av.VideoFrame], segment: Segment
) -> Iterator[tuple[int, av.VideoFrame]]:
    """The segment's frames of all ``frames`` of a file, with the segment's time stamps."""
    wanted = enumerate(_ticks(segment), segment.first_frame)
    for (index, pts), frame in zip(wanted, islice(frames, segment.first_frame, None), strict=False):
        frame.pts = pts
        yield index, frame


def _by_time(
    frames: Iterator[av.VideoFrame], segment: Segment
) -> Iterator[tuple[int, av.VideoFrame]]:
    """The segment's frames of ``frames`` from a key frame on, by their own time stamps."""
    wanted = {pts: i for i, pts in enumerate(_ticks(segment), segment.first_frame)}
    last = max(wanted)
    latest, beyond = -1, 0
    for frame in frames:
        pts = frame.pts
        if pts is None:
            continue
        if pts > last:
            beyond += 1
            if beyond > MOST_REORDERED:
                return  # the last one does not decode
            continue
        index = wanted.get(pts, -1)
        if index > latest:
            latest = index
            yield index, frame
        if pts == last:
            return


def _ticks(segment: Segment) -> list[int]:
    """Time stamps of the segment's pictures and of the closing one."""
    closing = [] if segment.closing_pts is None else [segment.closing_pts]
    return [*segment.pts.tolist(), *closing]


def video_stream(container: InputContainer, threads: int = 0) -> VideoStream:
    """The video to analyze, set to decode with frame and slice threads: see ``video_tracks``.

    Raises:
        NotAVideoError: there is none.
    """
    tracks = video_tracks(container)
    if not tracks:
        raise NotAVideoError("the file has no video track")
    stream = tracks[0]
    context = stream.codec_context
    if context is not None:
        pixels = _GROWTH * (context.width + _PADDING) * (context.height + _PADDING)
        context.options = {"max_pixels": str(pixels if context.width else MOST_PIXELS)}
        context.thread_type = "AUTO"
        context.thread_count = threads
    return stream


def video_tracks(container: InputContainer) -> list[VideoStream]:
    """The video streams that are no covers: those marked as default first, then by size."""

    def rank(stream: VideoStream) -> tuple[bool, int]:
        context = stream.codec_context
        pixels = context.width * context.height if context is not None else 0
        return not stream.disposition & Disposition.default, -pixels

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    return sorted((s for s in container.streams.video if not s.disposition & covers), key=rank)


def decoded(
    container: InputContainer,
    stream: VideoStream,
    start_pts: int | None = None,
    cancelled: Cancelled = never,
) -> Iterator[av.VideoFrame]:
    """Frames in the order of presentation, from a key frame or from where the container stands.

    Packets that do not decode are passed over; a file that is damaged beyond reading ends there.
    """
    packets = (
        _packets(container, stream)
        if start_pts is None
        else _packets_from(container, stream, start_pts)
    )
    made_up = times_are_made_up(container, stream)
    times: list[tuple[int, int]] = []  # of decoding, and FFmpeg's
    for packet in packets:
        if cancelled():
            return
        if made_up and packet.size and packet.dts is not None and packet.pts is not None:
            heappush(times, (packet.dts, packet.pts))
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        for frame in frames:
            # What was to be decoded before a key frame is shown before it, or is lost.
            while times and frame.key_frame and frame.pts is not None and times[0][1] < frame.pts:
                heappop(times)
            if times:
                frame.pts, _ = heappop(times)
            yield frame


def times_are_made_up(container: InputContainer, stream: VideoStream) -> bool:
    """Whether FFmpeg gives time stamps that are not those of presentation.

    AVI stores none. Those that FFmpeg makes up are right for MPEG-4, but for H.264 and HEVC they
    follow the order of decoding, late by a guess: ``decoded`` deals out the times of decoding,
    which are a chunk's place in the file as the sound's are, in ascending order.
    """
    return container.format.name == "avi" and stream.codec.canonical_name in ("h264", "hevc")


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    """Packets from where the container stands, then an empty one that flushes the decoder."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        flush = cast("VideoPacket", Packet())
        flush.stream = stream
        yield flush


def _packets_from(
    container: InputContainer, stream: VideoStream, start_pts: int
) -> Iterator[VideoPacket]:
    """Packets from the key frame of ``start_pts``, or from an earlier one.

    FFmpeg seeks by the time of decoding and can land on the next key frame where pictures between
    two are few; then the seek goes further back, at last to the beginning.
    """
    second = 1 / float(stream.time_base or 1)
    for target in (*(start_pts - round(s * second) for s in _SEEK_BACK_S), None):
        try:
            if target is None:
                container.seek(0)
            else:
                container.seek(target, stream=stream)
        except av.error.FFmpegError:
            continue
        packets = _packets(container, stream)
        first = next(packets, None)
        if first is None:
            continue
        landed = first.dts if first.pts is None else first.pts
        if target is None or (landed is not None and landed <= start_pts):
            yield first
            yield from packets
            return
