"""Run one video through the stages: split, fan out, merge, retry, cancel.

The stages are given as :class:`Stages`: plain engines in this process (``serve_app.local``) or the
deployments of the graph (``serve_app.handles``). The pipeline holds no pixels.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from biomech.config import NO_CONTEXT, Context
from biomech.preprocessing.filters import MAX_SHARE
from deployments.annotated_video import EncodedSegment, EncodeOptions, Overlay, StoredVideo
from deployments.athlete_choice import PROMINENT, Athlete, AthletePoint
from deployments.decode.segments import SEGMENT_S, split
from deployments.errors import BadParameterError, NoFramesError, ServiceError, StageFailedError
from deployments.media_choice import AS_IT_IS, MediaOptions, Region
from deployments.messages import (
    I64,
    AnalysisOptions,
    ClipBiomechanics,
    ClipPoses,
    MediaInfo,
    Segment,
    SegmentPoses,
)
from deployments.tracking.athlete import frame_of
from deployments.tracking.tracks import merge

logger = logging.getLogger("mmpose_service")

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]
"""Called with the stage's name, segments done and segments in all; first with 0 done."""


def no_progress(*_: object) -> None:
    """Tell nobody."""


ATTEMPTS = 3
_MOST_RANGES = 20
_PASS_SHARE, _PASS_S = 0.3, 1.0  # of the frames that show the primary person, or seconds


class Stages(Protocol):
    """Calls of the pipeline to the graph. All raise :class:`ServiceError`."""

    async def probe(self, path: Path, options: MediaOptions) -> MediaInfo:
        """Read what the file says of itself, and choose its pictures, within the limits."""
        ...

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """Find the people of a segment and their keypoints."""
        ...

    async def biomechanics(
        self, clip: ClipPoses, min_score: float, max_people_in_frames: int | None, context: Context
    ) -> ClipBiomechanics:
        """Compute angles, scores and alignment; the frames of the first people alone."""
        ...

    async def render(
        self, segment: Segment, overlay: Overlay, folder: Path, options: EncodeOptions
    ) -> EncodedSegment:
        """Draw and encode one segment into ``folder``."""
        ...

    async def join(
        self, encoded: Sequence[EncodedSegment], media: MediaInfo, folder: Path, key: str
    ) -> StoredVideo:
        """Make one video of the encoded segments, with the source's audio, and store it."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One video to analyze.

    Attributes:
        path: local file. folder: working files of this job, removed by the caller.
        key: file name of the annotated video in the store.
        min_score: keypoints below are missing.
        video: whether it is to be drawn.
        max_people_in_frames: people whose frames are given, the primary first; None for all.
        context: data of the clip from the caller.
        media: which pictures of the file are analyzed, and how they are turned.
        athlete: how the primary person is chosen.
        edit: corrects the measured clip before its biomechanics; None for no corrections.
    """

    path: Path
    folder: Path
    key: str
    options: AnalysisOptions
    min_score: float
    video: bool = True
    max_people_in_frames: int | None = 1
    context: Context = NO_CONTEXT
    segment_s: float = SEGMENT_S
    segments_in_flight: int = 4
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    media: MediaOptions = AS_IT_IS
    athlete: Athlete = PROMINENT
    edit: Callable[[ClipPoses, MediaInfo], ClipPoses] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a job; ``damaged`` are the frames whose pictures are damaged."""

    media: MediaInfo
    clip: ClipPoses
    biomechanics: ClipBiomechanics
    stored: StoredVideo | None
    segments: int
    timings_s: dict[str, float]
    warnings: tuple[tuple[str, str], ...]
    damaged: frozenset[int] = frozenset()


async def run(job: Job, stages: Stages, progress: Progress = no_progress) -> Outcome:
    """Analyze one video.

    Raises:
        ServiceError: the first error of any stage that retrying did not cure; what was under way
            for this job is cancelled.
    """
    started = time.perf_counter()
    media = await stages.probe(job.path, job.media)
    _check_cutoff(media, job.context)
    if isinstance(job.athlete, AthletePoint):
        frame_of(job.athlete, media)  # refused before anything is analyzed
    options = replace(job.options, region=_within(media, job.options.region))
    segments = split(media, options.detector_stride, job.segment_s)

    progress("analyze", 0, len(segments))
    parts = await fan_out(
        segments,
        lambda segment: stages.analyze(segment, options),
        job.segments_in_flight,
        lambda done: progress("analyze", done, len(segments)),
    )
    if not any(part.decoded.any() for part in parts):
        raise NoFramesError("no frame of the video could be decoded")
    timings = _summed(part.timings_s for part in parts)
    warnings = [*media.warnings, *(w for part in parts for w in part.warnings)]
    damaged = frozenset(index for part in parts for index in part.damaged)
    lost = np.flatnonzero(~np.concatenate([part.decoded for part in parts]))
    numbers = media.numbers
    warnings += _missing_frames(
        frozenset(numbers[sorted(damaged)].tolist()), numbers[lost].tolist()
    )
    # In a thread: it takes half a minute for half an hour of a crowd.
    clip = await asyncio.to_thread(merge, _drained(parts), media, job.athlete)
    if job.edit is not None:
        clip = await asyncio.to_thread(job.edit, clip, media)
    biomechanics = await stages.biomechanics(
        clip, job.min_score, job.max_people_in_frames, job.context
    )
    warnings += biomechanics.warnings
    warnings += _scene_cuts(clip, numbers)
    warnings += _other_passes(clip)
    if clip.left_out:
        warnings.append(("people_left_out", f"{clip.left_out} of the passers-by were not kept"))

    stored = None
    if job.video:
        progress("render", 0, len(segments))

        def render(segment: Segment, encode: EncodeOptions) -> Awaitable[EncodedSegment]:
            overlay = overlay_of(segment, clip, biomechanics, job.min_score)
            return stages.render(segment, overlay, job.folder, encode)

        encoded = await fan_out(
            segments,
            lambda segment: render(segment, job.encode),
            job.segments_in_flight,
            lambda done: progress("render", done, len(segments)),
        )
        if len({part.encoder for part in encoded}) > 1:  # GPUs encoded some, and x264 the rest
            again = [i for i, part in enumerate(encoded) if part.encoder != "libx264"]
            software = replace(job.encode, in_hardware=False)
            renewed = await fan_out(
                [segments[i] for i in again],
                lambda segment: render(segment, software),
                job.segments_in_flight,
            )
            for i, part in zip(again, renewed, strict=True):
                encoded[i] = part
        stored = await stages.join(encoded, media, job.folder, job.key)
        timings |= _summed(part.timings_s for part in encoded)
        warnings += stored.warnings
    timings["total"] = time.perf_counter() - started
    return Outcome(
        media,
        clip,
        biomechanics,
        stored,
        len(segments),
        timings,
        tuple(dict.fromkeys(warnings)),
        damaged,
    )


def _missing_frames(damaged: frozenset[int], missing: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Tell which frames measure nothing; damaged ones are among the ``missing``."""
    if damaged:
        text = f"{len(damaged)} frames are damaged and not measured: {ranges(sorted(damaged))}"
        yield "frames_damaged", text
    if lost := [index for index in missing if index not in damaged]:
        yield "frames_lost", f"{len(lost)} frames could not be decoded: {ranges(lost)}"


def _scene_cuts(clip: ClipPoses, numbers: I64) -> Iterator[tuple[str, str]]:
    """Name the frames at which another take begins."""
    if clip.cuts:
        named = [
            f"{numbers[frame]} ({clip.times_s[frame]:.2f} s)" for frame in clip.cuts[:_MOST_RANGES]
        ]
        more = len(clip.cuts) - _MOST_RANGES
        yield (
            "scene_cut",
            f"another take begins at frame {', '.join(named)}{f' and {more} more' * (more > 0)}: "
            "each person is of one take, and nothing is measured across a cut; cut the video "
            "there to analyze each take",
        )


def _other_passes(clip: ClipPoses) -> Iterator[tuple[str, str]]:
    """Name people seen for long, but only while the primary person is not.

    Who left the picture for some seconds and came back is two people.
    """
    seen = clip.present
    if not seen.shape[1]:
        return
    usual_s = float(np.median(np.diff(clip.times_s))) if len(clip.times_s) > 1 else 0.0
    enough = _PASS_SHARE * seen[:, 0].sum()
    if usual_s:
        enough = min(enough, _PASS_S / usual_s)
    apart = ~(seen & seen[:, :1]).any(0) & (seen.sum(0) >= enough)
    passes = [
        f"person {clip.track_id[p]} ({start:.1f} to {end:.1f} s)"
        for p in [0, *np.flatnonzero(apart).tolist()]
        for start, end in [clip.times_s[np.flatnonzero(seen[:, p])[[0, -1]]]]
    ]
    if len(passes) > 1:
        primary, *others = passes
        more = len(others) - _MOST_RANGES
        named = ", ".join(others[:_MOST_RANGES]) + (f" and {more} more" if more > 0 else "")
        yield (
            "another_pass",
            f"{named} is seen only while the analyzed one, {primary}, is not: the same athlete, "
            "perhaps, who left the picture and came back. biomechanics_summary has the numbers of "
            'each, "people": "all" the frames',
        )


def ranges(frames: Sequence[int]) -> str:
    """Write ascending frame numbers as text, ``3-7, 12``, and the number of ranges beyond some."""
    cuts = [i for i in range(1, len(frames)) if frames[i] != frames[i - 1] + 1]
    ends = [(frames[a], frames[b - 1]) for a, b in pairwise([0, *cuts, len(frames)])]
    found = [f"{a}-{b}" if b > a else f"{a}" for a, b in ends]
    more = len(found) - _MOST_RANGES
    return ", ".join(found[:_MOST_RANGES]) + (f" and {more} more ranges" if more > 0 else "")


def _drained(items: list[Item]) -> Iterator[Item]:
    """Yield the items and drop them here: those of a long video are as large as a clip."""
    while items:
        yield items.pop()


def _within(media: MediaInfo, region: Region | None) -> Region | None:
    """Return the region if it is a part of the picture, None if it is all of it."""
    if region is None or region == Region(0, 0, media.width, media.height):
        return None
    right, bottom = region.x + region.width, region.y + region.height
    if right > media.width or bottom > media.height:
        raise BadParameterError(
            f"region: it reaches to ({right}, {bottom}), the upright picture is "
            f"{media.width}x{media.height} pixels",
            hint="Choose a region within the upright picture.",
            field="region",
            width=media.width,
            height=media.height,
        )
    return region


def _check_cutoff(media: MediaInfo, context: Context) -> None:
    highest = MAX_SHARE * media.fps * context.camera.slowmo_factor
    if context.cutoff_hz is not None and media.fps and context.cutoff_hz > highest:
        raise BadParameterError(
            f"cutoff_hz: {context.cutoff_hz:g} Hz is too high for this video's frame rate; "
            f"at most {highest:.4g} Hz",
            field="cutoff_hz",
            limit=highest,
        )


async def fan_out(
    items: Sequence[Item],
    call: Callable[[Item], Awaitable[Result]],
    limit: int,
    done: Callable[[int], None] = no_progress,
) -> list[Result]:
    """Call ``call`` for every item, at most ``limit`` at once; return results in the items' order.

    An item whose call raises :class:`StageFailedError` (its replica died) is tried again, up to
    three times in all: segments are pure functions of their input. Any other error, and being
    cancelled, ends all calls.
    """
    gate = asyncio.Semaphore(limit)
    finished = 0

    async def one(item: Item) -> Result:
        nonlocal finished
        async with gate:
            result = await _retried(lambda: call(item))
        finished += 1
        done(finished)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except* ServiceError as errors:
        raise _first(errors) from None
    return [task.result() for task in tasks]


async def _retried(call: Callable[[], Awaitable[Result]]) -> Result:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await call()
        except StageFailedError as error:
            if attempt == ATTEMPTS:
                raise
            logger.warning("attempt %d of %d failed: %s", attempt, ATTEMPTS, error)
            await asyncio.sleep(attempt * random.uniform(0.2, 0.5))  # noqa: S311  jitter, no secret
    raise AssertionError("unreachable")


def _first(group: BaseExceptionGroup[ServiceError]) -> ServiceError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ServiceError)  # noqa: S101  except* lets nothing else in
    return error


def overlay_of(
    segment: Segment, clip: ClipPoses, biomechanics: ClipBiomechanics, min_score: float
) -> Overlay:
    """Return the overlay of ``segment``: the primary person, as the angles saw it."""
    frames = slice(segment.first_frame, segment.first_frame + len(segment.pts))
    keypoints, score = clip.to_dense(clip.keypoints, frames), clip.to_dense(clip.score, frames)
    if biomechanics.primary_points is not None:
        keypoints[:, 0] = biomechanics.primary_points[frames]
        score[:, 0] = np.isfinite(keypoints[:, 0]).all(-1)
    return Overlay(
        keypoints=keypoints,
        score=score,
        box=clip.to_dense(clip.box, frames),
        track_id=clip.track_id,
        angles_deg=biomechanics.angles_deg[frames],
        min_score=min_score,
    )


def _summed(parts: Iterable[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for stage, seconds in part.items():
            total[stage] = total.get(stage, 0.0) + seconds
    return total
