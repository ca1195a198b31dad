"""Read a segment's pictures, grouped by the detection frame that ends each group."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Event, Lock
from time import perf_counter

from deployments.decode.scene_change_watch import ChangeWatch
from deployments.media.picture import Picture
from deployments.media.reader import read
from deployments.media.scene_change import SceneChange
from deployments.media_choice import Region
from deployments.messages import U8, Segment

# Pictures kept at once in one segment, whatever the size of the picture (4K: 12.4 MB each).
_HELD_BYTES = 128 * 1024**2
_GROUPS_HELD = 3  # one being read, two with the detector
_MOST_DETECTIONS = 4


@dataclass(frozen=True, slots=True)
class Interval:
    """Pictures after one detection frame, up to and including the next.

    Attributes:
        start: index in the video of the earlier detection frame. In a segment's first interval,
            which has only one frame, it equals ``end``.
        end: index in the video of the later detection frame.
        pictures: decoded, undamaged pictures, ascending.
        thumbnail: (h,w,3) the picture of ``end`` for the detector; None if that is missing.
        scale: factors (x, y) from picture to thumbnail.
        change: the picture that may begin another take.
    """

    start: int
    end: int
    pictures: tuple[Picture, ...]
    thumbnail: U8 | None
    scale: tuple[float, float]
    change: SceneChange | None = None


def detection_frames(segment: Segment, stride: int) -> list[int]:
    """Return the indices in the video of the detection frames of a segment.

    These are the multiples of ``stride``, and the closing frame or, in the last segment, the last
    frame.
    """
    stop = segment.first_frame + len(segment.pts)
    last = stop if segment.closing_pts is not None else stop - 1
    frames = list(range(-(-segment.first_frame // stride) * stride, last + 1, stride))
    return frames if frames[-1] == last else [*frames, last]


class IntervalReader:
    """Reader of a segment, interval by interval, in one worker thread at a time.

    Args:
        segment: the segment to read.
        stride: number of frames between detections.
        thumbnail_size: (width, height) of the detector's input.
        in_hardware: see :func:`deployments.media.reader.read`.
        region: part of the picture in the thumbnails; None for all of it.
    """

    def __init__(
        self,
        segment: Segment,
        stride: int,
        thumbnail_size: tuple[int, int],
        in_hardware: bool = False,
        region: Region | None = None,
    ) -> None:
        self.seconds = 0.0
        self.damaged: list[int] = []  # indices in the video of pictures that measure nothing
        self.watch = ChangeWatch(segment.first_frame, len(segment.pts))
        self._stopped = Event()
        self._pictures = read(segment, in_hardware=in_hardware, cancelled=self._stopped.is_set)
        self._ahead: Picture | None = None
        self._thumbnail_size = thumbnail_size
        self._region = region
        ends = detection_frames(segment, stride)
        self._intervals: Iterator[tuple[int, int]] = zip([ends[0], *ends[:-1]], ends, strict=True)
        # y, u and v planes
        bytes_of_interval = stride * segment.width * segment.height * 3 // 2
        self._at_once = min(
            max(_HELD_BYTES // (_GROUPS_HELD * bytes_of_interval), 1), _MOST_DETECTIONS
        )
        self._lock = Lock()

    def take(self) -> list[Interval]:
        """Read the next few intervals; none at the end of the segment or after ``stop``.

        Raises:
            MediaError: the file cannot be read.
        """
        with self._lock:
            began = perf_counter()
            try:
                taken = [self._read(*ends) for ends in islice(self._intervals, self._at_once)]
            finally:
                self.seconds += perf_counter() - began
        if self._stopped.is_set():
            self._close()
        return taken

    def stop(self) -> None:
        """Close the file now, or after the packet being decoded; never waits."""
        self._stopped.set()
        # A running ``take`` holds the lock, sees the flag after releasing it, and closes the file.
        if self._lock.acquire(blocking=False):
            self._lock.release()
            self._close()

    def _close(self) -> None:
        with self._lock:
            self._intervals = iter(())
            self._ahead = None
            self._pictures.close()

    def _read(self, start: int, end: int) -> Interval:
        self.watch.begin(start)
        pictures = self._pictures_up_to(end)
        change = self.watch.end()
        if not pictures or pictures[-1].index < end:
            return Interval(start, end, pictures, None, (1.0, 1.0), change)
        thumbnail, scale = pictures[-1].cut(self._region).letterbox(self._thumbnail_size)
        return Interval(start, end, pictures, thumbnail, scale, change)

    def _pictures_up_to(self, end: int) -> tuple[Picture, ...]:
        """Read the next pictures up to frame ``end``, without damaged ones."""
        pictures: list[Picture] = []
        while not self._stopped.is_set():
            picture = self._ahead or next(self._pictures, None)
            self._ahead = None
            if picture is None:
                break
            if picture.index > end:
                self._ahead = picture
                break
            if picture.damaged:
                self.damaged.append(picture.index)
            else:
                pictures.append(picture)
                self.watch.compare(picture)
            if picture.index == end:
                break
        return tuple(pictures)
