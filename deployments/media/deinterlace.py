"""Deinterlace pictures whose two fields were taken at different times."""

from collections import deque
from collections.abc import Iterator

import av
from av.filter import Graph
from av.video.stream import VideoStream


def deinterlaced(
    frames: Iterator[tuple[av.VideoFrame, bool]], stream: VideoStream
) -> Iterator[tuple[av.VideoFrame, bool]]:
    """Yield each frame with its data, deinterlaced by bwdif if it is marked as interlaced.

    The filter uses the frames before and after.
    """
    graph: Graph | None = None
    kind: tuple[int, int, str] | None = None
    waiting: deque[tuple[int | None, bool]] = deque()
    for frame, said in frames:
        new = (frame.width, frame.height, frame.format.name)
        if graph is None or new != kind:
            if graph is not None:
                yield from _pulled(graph, waiting, last=True)
            graph, kind = _graph(frame, stream), new
        waiting.append((frame.pts, said))
        graph.push(frame)
        yield from _pulled(graph, waiting)
    if graph is not None:
        yield from _pulled(graph, waiting, last=True)


def _graph(frame: av.VideoFrame, stream: VideoStream) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or stream.time_base,
    )
    bwdif = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _pulled(
    graph: Graph, waiting: deque[tuple[int | None, bool]], *, last: bool = False
) -> Iterator[tuple[av.VideoFrame, bool]]:
    if last:
        graph.push(None)
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if not isinstance(frame, av.VideoFrame):
            return
        # The filter has another time base.
        frame.pts, said = waiting.popleft()
        yield frame, said
