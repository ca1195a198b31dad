"""Analyze one segment: pictures -> people -> crops -> keypoints. Asynchronous, without Ray.

The detector and the pose model are two async functions: engines in threads of this process, or
handles of deployments. While the model works, the next pictures are decoded and the people in them
detected. A picture is kept only until its crops are cut.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from deployments.crops import crop_transforms, sigma_to_image, to_image
from deployments.decode.adaptive_detection import refined
from deployments.decode.association import BoxRows, People, between, follow, select
from deployments.decode.blur import blur_of
from deployments.decode.detection_intervals import Interval, IntervalReader
from deployments.errors import InferenceError
from deployments.media.picture import Picture
from deployments.media_choice import Region
from deployments.messages import (
    F32,
    F64,
    I64,
    U8,
    AnalysisOptions,
    Bools,
    CropPoses,
    Detections,
    Segment,
    SegmentPoses,
    ticks_to_seconds,
)

Detect = Callable[[U8], Awaitable[list[Detections]]]
"""Map thumbnails (n,h,w,3) uint8 BGR to the people in each, boxes in thumbnail pixels."""

Estimate = Callable[[U8], Awaitable[tuple[str, CropPoses]]]
"""Map crops (n,h,w,3) uint8 BGR to the display name of the model used and poses in crop pixels."""

_DETECTIONS_UNDER_WAY = 2


async def analyze_segment(
    segment: Segment, options: AnalysisOptions, detect: Detect, estimate: Estimate
) -> SegmentPoses:
    """Find the people of a segment and their keypoints.

    Decoding runs in a worker thread, a few intervals between detections ahead; at most
    ``options.pose_calls_in_flight`` calls of ``estimate`` and two of ``detect`` are under way. The
    result does not depend on how the video was cut into segments.

    Returns:
        Poses of the segment. ``timings_s`` has, by stage, the wall seconds during which at least
        one piece of that stage's work was under way (for ``detect`` and ``pose``, a call without
        its answer); the stages overlap, so the sum can exceed the whole.

    Raises:
        MediaError: the file cannot be read.
        InferenceError: a model returned results for a wrong number of pictures.
        Exception: the first one raised by ``detect`` or ``estimate``; other calls are canceled.
    """
    reader = IntervalReader(
        segment,
        options.detector_stride,
        options.detector_input,
        options.in_hardware,
        options.region,
    )
    boxes = _Boxes(segment)
    crop_watch, detect_watch = _Stopwatch(), _Stopwatch()
    try:
        async with asyncio.TaskGroup() as tasks:
            poses = _PoseCalls(options, estimate, tasks)

            async def find(intervals: list[Interval]) -> list[Detections | None]:
                with detect_watch.running():
                    return await _people_at_ends(intervals, detect, options)

            reading = tasks.create_task(asyncio.to_thread(reader.take))
            waiting: deque[tuple[list[Interval], asyncio.Task[list[Detections | None]]]] = deque()
            while (intervals := await reading) or waiting:
                if intervals:
                    reading = tasks.create_task(asyncio.to_thread(reader.take))
                    waiting.append((intervals, tasks.create_task(find(intervals))))
                    if len(waiting) < _DETECTIONS_UNDER_WAY:
                        continue
                intervals, finding = waiting.popleft()
                found = await finding
                if options.finest_stride:
                    intervals, found = await refined(
                        boxes.last,
                        intervals,
                        found,
                        options.finest_stride,
                        options.detector_input,
                        find,
                        options.region,
                    )
                maps, cut = boxes.extend(intervals, found, options)
                del intervals  # from here on only ``cut`` holds the pictures
                with crop_watch.running():
                    crops = await asyncio.to_thread(cut)
                await poses.send(crops, maps)
            await poses.flush()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    finally:
        reader.stop()
    seconds = {
        "decode": reader.seconds,
        "detect": detect_watch.seconds,
        "crop": crop_watch.seconds,
        "pose": poses.watch.seconds,
    }
    return boxes.with_poses(*poses.result(), seconds, reader)


async def _people_at_ends(
    intervals: list[Interval], detect: Detect, options: AnalysisOptions
) -> list[Detections | None]:
    """Detect people in the last picture of each interval, image pixels; None if it is missing."""
    thumbnails = [i.thumbnail for i in intervals if i.thumbnail is not None]
    answers = await detect(np.stack(thumbnails)) if thumbnails else []
    if len(answers) != len(thumbnails):
        raise InferenceError(f"the detector answered {len(answers)} of {len(thumbnails)} pictures")
    rest = iter(answers)
    return [
        None if interval.thumbnail is None else _in_image(next(rest), interval, options)
        for interval in intervals
    ]


def _in_image(found: Detections, interval: Interval, options: AnalysisOptions) -> Detections:
    """Return the best people in image pixels, of those whose box centers are in the region."""
    region = options.region or Region(0, 0, *interval.pictures[-1].size)
    corner = np.array([region.x, region.y] * 2)
    size = np.array([region.width, region.height] * 2)
    boxes = np.asarray(found.boxes, np.float64).reshape(-1, 4) / [*interval.scale, *interval.scale]
    score = found.score
    if options.region is not None:
        center = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((center >= 0) & (center <= size[:2])).all(axis=1)
        boxes, score = boxes[inside], score[inside]
    clipped = (np.clip(boxes, 0, size) + corner).astype(np.float32)
    return select(Detections(clipped, score), options.min_box_score, options.max_people)


class _Boxes:
    """Rows of a segment, extended interval by interval."""

    def __init__(self, segment: Segment) -> None:
        closing = [] if segment.closing_pts is None else [segment.closing_pts]
        self._ticks = np.array([*segment.pts, *closing], np.int64)
        self._segment = segment
        self._decoded = np.zeros(len(segment.pts), np.bool_)
        self._people: People | None = None  # of the last detection frame, if it was decoded
        self._tracklets = 0
        self._frames = [np.empty(0, np.int64)]
        self._rows = [BoxRows.empty()]

    @property
    def last(self) -> F32 | None:
        """Return the boxes (n,4) of the last detection frame; None if unknown."""
        return None if self._people is None else self._people.box

    def extend(
        self, intervals: list[Interval], found: list[Detections | None], options: AnalysisOptions
    ) -> tuple[F64, Callable[[], list[U8]]]:
        """Add intervals with the people at their ends.

        Returns:
            The (n,2,3) maps from crop to image pixels of the added rows, and an iterator that cuts
            the crops once and then releases each picture.
        """
        jobs: deque[tuple[Picture, F64]] = deque()
        grown: list[F64] = [np.empty((0, 2, 3))]
        for interval, detections in zip(intervals, found, strict=True):
            pictures = [p for p in interval.pictures if p.index < self._stop]
            frames = np.array([p.index for p in pictures], np.int64)
            rows = self._between(interval, detections, frames)
            maps = crop_transforms(rows.box, options.pose_input)
            jobs += [(pictures[i], map_) for i, map_ in zip(rows.frame, maps, strict=True)]
            grown.append(maps)
            self._decoded[frames - self._segment.first_frame] = True
            self._frames.append(frames[rows.frame])
            self._rows.append(rows)

        def cut() -> list[U8]:
            crops = []
            while jobs:
                picture, map_ = jobs.popleft()
                crops.append(picture.crop(map_, options.pose_input))
            return crops

        return np.concatenate(grown), cut

    def with_poses(
        self,
        models: list[str],
        poses: CropPoses,
        blur: F32,
        maps: F64,
        timings_s: dict[str, float],
        reader: IntervalReader,
    ) -> SegmentPoses:
        """Build the segment; ``models`` names the model of each row, ``poses`` in crop pixels."""
        names = tuple(sorted(set(models)))
        nobody = self._people is None or self._segment.closing_pts is None
        closing = None if nobody else self._people
        return SegmentPoses(
            index=self._segment.index,
            first_frame=self._segment.first_frame,
            decoded=self._decoded,
            frame=np.concatenate(self._frames).astype(np.int32),
            tracklet=np.concatenate([r.tracklet for r in self._rows]),
            box=np.concatenate([r.box for r in self._rows]),
            box_score=np.concatenate([r.score for r in self._rows]),
            detected=np.concatenate([r.detected for r in self._rows]),
            poses=CropPoses(
                keypoints=to_image(poses.keypoints, maps),
                score=poses.score,
                raw_score=poses.raw_score,
                sigma=sigma_to_image(poses.sigma, maps),
            ),
            blur=blur,
            model=np.array([names.index(name) for name in models], np.int32),
            models=names,
            closing_box=closing.box if closing else np.empty((0, 4), np.float32),
            closing_tracklet=closing.tracklet if closing else np.empty(0, np.int32),
            timings_s=timings_s,
            damaged=tuple(index for index in reader.damaged if index < self._stop),
            shares=reader.watch.shares,
            changes=reader.watch.found(),
        )

    @property
    def _stop(self) -> int:
        return self._segment.first_frame + len(self._segment.pts)

    def _between(self, interval: Interval, found: Detections | None, frames: I64) -> BoxRows:
        first = self._segment.first_frame
        # Whole ticks: a frame in the very middle is at 0.5 exactly, wherever the video was cut.
        start, end = self._ticks[[interval.start - first, interval.end - first]]
        before, after = self._people, None
        if found is not None:
            gap_s = float(ticks_to_seconds(end - start, self._segment.time_base))
            after = follow(before, found, gap_s, self._tracklets)
            self._tracklets = max(self._tracklets, *(after.tracklet + 1), 0)
        self._people = after
        alone = interval.start == interval.end
        fraction = (self._ticks[frames - first] - start) / (end - start) if not alone else 1.0
        fraction = np.broadcast_to(fraction, len(frames))
        return between(before, after, fraction, _is_new(interval, before, after, frames))


def _is_new(
    interval: Interval, before: People | None, after: People | None, frames: I64
) -> Bools | None:
    """Return the frames of an interval that follow a scene change, or None."""
    if interval.change is None or not interval.pictures:
        return None
    boxes = [people.box for people in (before, after) if people is not None]
    box = np.concatenate([np.empty((0, 4), np.float32), *boxes])
    if not interval.change.is_of_scene(box, interval.pictures[0].size):
        return None
    is_new: Bools = frames >= interval.change.frame
    return is_new


class _PoseCalls:
    """Calls of the pose model, each with a full batch of crops from any frames."""

    def __init__(
        self, options: AnalysisOptions, estimate: Estimate, tasks: asyncio.TaskGroup
    ) -> None:
        self.watch = _Stopwatch()
        self._batch = options.batch
        self._estimate = estimate
        self._tasks = tasks
        self._window = asyncio.Semaphore(options.pose_calls_in_flight)
        self._unsent: list[U8] = []
        self._maps: list[F64] = [np.empty((0, 2, 3))]
        self._answers: list[asyncio.Task[tuple[str, CropPoses, F32]]] = []

    async def send(self, crops: list[U8], maps: F64) -> None:
        """Add crops, and send full batches as soon as the window has room."""
        self._maps.append(maps)
        self._unsent += crops
        while len(self._unsent) >= self._batch:
            await self.flush()

    async def flush(self) -> None:
        """Send the next batch, full or not."""
        batch, self._unsent = self._unsent[: self._batch], self._unsent[self._batch :]
        if batch:
            await self._window.acquire()
            self._answers.append(self._tasks.create_task(self._call(np.stack(batch))))

    def result(self) -> tuple[list[str], CropPoses, F32, F64]:
        """Return, after all calls, model, poses, blur and map to the image of each crop."""
        answers = [answer.result() for answer in self._answers]
        models = [name for name, poses, _ in answers for _ in range(len(poses))]
        poses = CropPoses.concatenate([poses for _, poses, _ in answers])
        blur = np.concatenate([np.empty(0, np.float32), *(blur for *_, blur in answers)])
        return models, poses, blur, np.concatenate(self._maps)

    async def _call(self, crops: U8) -> tuple[str, CropPoses, F32]:
        try:
            with self.watch.running():
                name, poses = await self._estimate(crops)
            if len(poses) != len(crops):
                raise InferenceError(f"{name} answered {len(poses)} of {len(crops)} crops")
            return name, poses, await asyncio.to_thread(blur_of, crops, poses)
        finally:
            self._window.release()


class _Stopwatch:
    """Stopwatch of the wall seconds during which at least one call is under way."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._running = 0
        self._began = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        if not self._running:
            self._began = perf_counter()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self.seconds += perf_counter() - self._began
