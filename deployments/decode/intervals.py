"""A segment's pictures, grouped by the detection frames that end each group."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from time import perf_counter

from deployments.decode.picture import Picture
from deployments.decode.reader import read
from deployments.messages import U8, Segment

# Pictures kept at once in one segment, whatever the size of the picture (4K: 12.4 MB each).
_HELD_BYTES = 128 * 1024**2
_GROUPS_HELD = 3  # one being read, two with the detector
_MOST_DETECTIONS = 4


@dataclass(frozen=True, slots=True)
class Interval:
    """The pictures after one detection frame, up to and with the next.

    Attributes:
        start: index in the video of the earlier detection frame; of the later one in a segment's
            first interval, which is that frame alone.
        end: index in the video of the later detection frame.
        pictures: those that could be decoded, ascending.
        thumbnail: (h,w,3) the picture of ``end`` for the detector; None if it was not decoded.
        scale: factors (x, y) from picture to thumbnail.
    """

    start: int
    end: int
    pictures: tuple[Picture, ...]
    thumbnail: U8 | None
    scale: tuple[float, float]


def detection_frames(segment: Segment, stride: int) -> list[int]:
    """Indices in the video of the frames of a segment in which people are detected.

    The multiples of ``stride``, and the closing frame or, in the last segment, the last frame.
    """
    stop = segment.first_frame + len(segment.pts)
    last = stop if segment.closing_pts is not None else stop - 1
    frames = list(range(-(-segment.first_frame // stride) * stride, last + 1, stride))
    return frames if frames[-1] == last else [*frames, last]


class IntervalReader:
    """Reads a segment interval by interval, in worker threads, never two at once.

    Args:
        segment: what to read.
        stride: every how many frames people are detected.
        thumbnail_size: (width, height) of the detector's input.
    """

    def __init__(self, segment: Segment, stride: int, thumbnail_size: tuple[int, int]) -> None:
        self.seconds = 0.0
        self._pictures: Iterator[Picture] = read(segment)
        self._ahead: Picture | None = None
        self._thumbnail_size = thumbnail_size
        ends = detection_frames(segment, stride)
        self._intervals = zip([ends[0], *ends[:-1]], ends, strict=True)
        # y, u and v planes
        bytes_of_interval = stride * segment.width * segment.height * 3 // 2
        self._at_once = min(
            max(_HELD_BYTES // (_GROUPS_HELD * bytes_of_interval), 1), _MOST_DETECTIONS
        )
        self._lock = Lock()
        self._stopped = False

    def take(self) -> list[Interval]:
        """The next few intervals; none at the end of the segment or after ``stop``.

        Raises:
            MediaError: the file cannot be read.
        """
        with self._lock:
            began = perf_counter()
            try:
                return [self._read(*ends) for _, ends in zip(range(self._at_once), self._intervals)]
            finally:
                self.seconds += perf_counter() - began
