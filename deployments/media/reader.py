"""Read the pictures of a segment, in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from heapq import heappop, heappush
from itertools import islice
from typing import TypeAlias, cast

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.stream import VideoStream

from deployments.concurrency import Cancelled, never
from deployments.errors import MediaError, NotAVideoError
from deployments.media import hardware
from deployments.media.deinterlace import deinterlaced
from deployments.media.open import MOST_PIXELS, Trial, open_media
from deployments.media.picture import Converter, Picture
from deployments.messages import Segment
from deployments.process_setup import usable_cpus

_LENGTH_AT = {"h264": 4, "hevc": 21}  # byte of avcC and hvcC that has the length's length

VideoPacket: TypeAlias = "Packet[VideoStream]"
_Judged: TypeAlias = tuple[av.VideoFrame, bool]

# A picture may be larger than the header says, as in browsers' recordings, up to this factor in
# pixels; the decoder refuses more. Decoders count pixels of padded rows.
_GROWTH, _PADDING = 4, 128
MOST_REORDERED = 16
"""Maximum number of reordered pictures (H.264 and HEVC allow 16)."""
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
    """Yield the segment's pictures by PTS, then the closing picture if there is one.

    A picture that cannot be decoded is left out; ``Picture.index`` identifies the others. If time
    stamps are wrong (``Segment.counted``), pictures are identified by their number from the
    beginning of the file. A picture of another size, or with pixels that are not square, is scaled
    to the segment's size, with bars if its proportions differ. The file is closed when the iterator
    ends or is abandoned.

    Args:
        segment: the segment to read.
        threads: of the decoder; default: half the CPUs, up to four. Segments are read in parallel,
            and the overhead of threads is a tenth of decoding.
        in_hardware: whether to use a GPU's decoder. At the first missing picture, decoding
            switches to software, which reports damage.
        cancelled: called at every packet; True ends the iterator.

    Raises:
        MediaError: the file cannot be opened, or its pictures cannot be converted.
        OSError: the file does not exist.
    """
    threads = threads or min(max(usable_cpus() // 2, 1), _MOST_THREADS)
    following = segment.first_frame
    device = (
        None if segment.counted or segment.interlaced or not in_hardware else hardware.decoder()
    )
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
    """Read as ``read`` does, decoding with ``device`` or in software."""
    # Decode a part to find the reordering depth, which not all streams declare.
    trial: Trial = "none" if segment.in_order and device is None else "all"
    with (
        open_media(segment.path, hardware=device, trial=trial) as container,
        Converter((segment.width, segment.height), segment.rotation_deg, threads) as converter,
    ):
        stream = video_stream(container, threads)
        is_start = segment.counted or not _numbers(segment)[0]
        start = None if is_start else segment.seek_pts
        damaged: set[int | None] = set()
        frames = decoded(container, stream, start, cancelled, damaged)
        numbered = _by_number if segment.counted else _by_time
        # A GPU can hold back few pictures, and is trusted as long as none is missing.
        held_back = MOST_REORDERED if device is None else 0
        judged = _judged(frames, damaged, held_back)
        if segment.interlaced:
            judged = deinterlaced(judged, stream)
        for index, (frame, is_damaged) in numbered(judged, segment):
            yield converter.picture(frame, index, is_damaged, _pixel_aspect(stream))


def _judged(
    frames: Iterator[av.VideoFrame], known: set[int | None], most_held: int
) -> Iterator[_Judged]:
    """Yield frames with a damage flag, set from the first one ``known`` to be damaged.

    Pictures that refer to a damaged one are damaged too, which the decoder does not report: all up
    to the next key frame, including B-frames that are shown before the damaged picture.
    """
    damaged = False
    held: deque[av.VideoFrame] = deque()
    for frame in frames:
        corrupt = frame.pts in known
        if frame.pict_type == PictureType.B and not corrupt:
            held.append(frame)
            if len(held) > most_held:  # some encoders call all pictures so
                yield held.popleft(), damaged
            continue
        while held:
            yield held.popleft(), damaged or corrupt
        damaged = corrupt or (damaged and not frame.key_frame)
        yield frame, damaged
    while held:
        yield held.popleft(), damaged


def _by_number(frames: Iterator[_Judged], segment: Segment) -> Iterator[tuple[int, _Judged]]:
    """Select the segment's frames from all ``frames`` of a file, with the segment's times."""
    position = 0
    wanted = zip(_numbers(segment), _ticks(segment), strict=True)
    for index, (number, pts) in enumerate(wanted, segment.first_frame):
        judged = next(islice(frames, number - position, None), None)
        if judged is None:
            return
        position = number + 1
        judged[0].pts = pts
        yield index, judged


def _by_time(frames: Iterator[_Judged], segment: Segment) -> Iterator[tuple[int, _Judged]]:
    """Select the segment's frames from a key frame on, by their own time stamps."""
    wanted = {pts: i for i, pts in enumerate(_ticks(segment), segment.first_frame)}
    last = max(wanted)
    latest, beyond = -1, 0
    for judged in frames:
        pts = judged[0].pts
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
            yield index, judged
        if pts == last:
            return


def _ticks(segment: Segment) -> list[int]:
    """Return the time stamps of the segment's pictures and of the closing one."""
    closing = [] if segment.closing_pts is None else [segment.closing_pts]
    return [*segment.pts.tolist(), *closing]


def _numbers(segment: Segment) -> Sequence[int]:
    """Return the positions in the file of the segment's pictures and of the closing one."""
    if segment.numbers is not None:
        numbers: list[int] = segment.numbers.tolist()
        return numbers
    return range(segment.first_frame, segment.first_frame + len(_ticks(segment)))


def _pixel_aspect(stream: VideoStream) -> float:
    """Return the width of a pixel over its height, from the stream or from the decoder."""
    return float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)


def video_stream(container: InputContainer, threads: int = 0) -> VideoStream:
    """Return the video to analyze, with frame and slice threads enabled; see ``video_tracks``.

    Raises:
        NotAVideoError: there is no video stream.
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
    """Return the video streams except cover pictures: default ones first, then by size."""

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
    damaged: set[int | None] | None = None,
) -> Iterator[av.VideoFrame]:
    """Yield frames in presentation order, from a key frame or the container's position.

    Packets that do not decode are skipped; an unreadable file ends there. The time stamp of a frame
    whose data, or the data just before it, is damaged is added to ``damaged`` before the frame is
    yielded.
    """
    packets = (
        _packets(container, stream)
        if start_pts is None
        else _packets_from(container, stream, start_pts)
    )
    made_up = times_are_made_up(container, stream)
    times: list[tuple[int, int]] = []  # of decoding, and FFmpeg's
    broken: set[int | None] = set()
    failed = False
    for packet, is_broken in _checked(packets, stream):
        if cancelled():
            return
        if is_broken:
            broken.add(packet.pts)
        if made_up and packet.size and packet.dts is not None and packet.pts is not None:
            heappush(times, (packet.dts, packet.pts))
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            failed = True
            continue
        for frame in frames:
            is_corrupt = frame.is_corrupt or failed or frame.pts in broken
            failed = False
            # Frames to be decoded before a key frame are shown before it, or are lost.
            while times and frame.key_frame and frame.pts is not None and times[0][1] < frame.pts:
                heappop(times)
            if times:
                frame.pts, _ = heappop(times)
            if is_corrupt and damaged is not None:
                damaged.add(frame.pts)
            yield frame


def _checked(
    packets: Iterator[VideoPacket], stream: VideoStream
) -> Iterator[tuple[VideoPacket, bool]]:
    """Yield packets with a damage flag; a damaged start also marks the packet before."""
    is_whole = _structure_check(stream)
    if is_whole is None:
        yield from ((packet, False) for packet in packets)
        return
    before: VideoPacket | None = None
    was_whole = True
    for packet in packets:
        whole = not packet.size or is_whole(memoryview(packet))
        if before is not None:
            yield before, not (was_whole and whole)
        before, was_whole = packet, whole
    if before is not None:
        yield before, not was_whole


def times_are_made_up(container: InputContainer, stream: VideoStream) -> bool:
    """Return True if FFmpeg's time stamps of this stream are not presentation times.

    AVI stores no time stamps. FFmpeg's own are right for MPEG-4, but for H.264 and HEVC they follow
    the decoding order with a guessed delay. ``decoded`` then assigns the decoding times, which
    correspond to the position in the file as for sound, in ascending order.
    """
    return container.format.name == "avi" and stream.codec.canonical_name in ("h264", "hevc")


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    """Yield packets from the container's position, then an empty one to flush the decoder."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        flush = cast("VideoPacket", Packet())
        flush.stream = stream
        yield flush


def _packets_from(
    container: InputContainer, stream: VideoStream, start_pts: int
) -> Iterator[VideoPacket]:
    """Yield packets from the key frame of ``start_pts``, or from an earlier one.

    FFmpeg seeks by decoding time, and can land on the next key frame if there are few pictures
    between two of them. Then the seek is repeated further back, finally at the beginning.
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


def _structure_check(stream: VideoStream) -> Callable[[memoryview], bool] | None:
    """Return a check whether a packet is a sequence of whole NAL units; None if not countable.

    In MP4 and Matroska each unit follows its length (ISO/IEC 14496-15). A decoder ignores one
    whose length was overwritten, silently.
    """
    at = _LENGTH_AT.get(stream.codec.canonical_name)
    head = stream.codec_context.extradata or b""
    if at is None or len(head) <= at or head[0] != 1:
        return None
    size = (head[at] & 3) + 1

    def is_whole(data: memoryview) -> bool:
        position = 0
        while position + size < len(data):
            length = int.from_bytes(data[position : position + size], "big")
            position += size
            if not length or data[position] & 0x80:  # forbidden_zero_bit
                return False
            position += length
        return position == len(data)

    return is_whole
