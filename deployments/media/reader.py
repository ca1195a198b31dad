"""The pictures of a segment, in order."""

from collections.abc import Generator, Iterator

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from deployments.errors import MediaError, NotAVideoError
from deployments.media.open import open_media
from deployments.media.picture import Picture, from_frame
from deployments.messages import Segment


def read(segment: Segment, threads: int = 0) -> Generator[Picture, None, None]:
    """The segment's pictures by PTS, then the closing picture if there is one.

    A picture that cannot be decoded is left out: ``Picture.index`` tells which are there. The file
    is closed when the iterator ends or is abandoned.

    Args:
        segment: what to read.
        threads: of the decoder; 0 lets FFmpeg choose.

    Raises:
        MediaError: the file cannot be opened, or the picture size changes midway.
    """
    wanted = {int(pts): segment.first_frame + i for i, pts in enumerate(segment.pts)}
    if segment.closing_pts is not None:
        wanted[segment.closing_pts] = segment.first_frame + len(segment.pts)
    last = max(wanted)
    with open_media(segment.path) as container:
        stream = video_stream(container, threads)
        if segment.seek_pts > 0 or segment.first_frame > 0:
            container.seek(segment.seek_pts, stream=stream, backward=True)
        for frame in decoded(container, stream):
            if frame.pts is None or frame.pts not in wanted:
                if frame.pts is not None and frame.pts > last:
                    return
                continue
            picture = from_frame(frame, wanted[frame.pts], segment.rotation_deg)
            if picture.size != (segment.width, segment.height):
                raise MediaError(
                    f"the picture size changes from {segment.width}x{segment.height} to "
                    f"{picture.size[0]}x{picture.size[1]} at frame {picture.index}",
                    hint="Send a video with one picture size.",
                )
            yield picture
            if frame.pts >= last:
                return


def video_stream(container: InputContainer, threads: int = 0) -> VideoStream:
    """The first video stream, set to decode with frame and slice threads."""
    if not container.streams.video:
        raise NotAVideoError("the file has no video track")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    if threads:
        stream.codec_context.thread_count = threads
    return stream


def decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """All frames from where the container stands; packets that do not decode are passed over."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue
