"""Keep what a corrected result is computed from, in the folder of a job."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from deployments.errors import PosesGoneError, keeping
from deployments.messages import AnalysisOptions, Segment, SegmentPoses
from serve_app.jobs.durable_files import durable, link_durably
from serve_app.jobs.resumable_stages import ResumableStages, Source, Watcher
from serve_app.jobs.segment_store import SegmentStore
from serve_app.pipeline import Stages
from serve_app.results.correction_schema import Corrections

SEGMENTS: Final = "segments.json"
"""File of a result with the keys of the segments that it was made of."""

CORRECTIONS: Final = "corrections.json"
"""File of a job that corrects the result of another one, with :class:`ToCorrect`."""


class ToCorrect(BaseModel):
    """Input of a correction: what is corrected, and the keys of the measured segments."""

    corrections: Corrections
    segments: list[str]


def write_segment_keys(folder: Path, keys: Mapping[int, str]) -> None:
    """Write the keys of all segments of a result by their index, into its folder.

    Raises:
        WorkingFilesError: they cannot be written.
    """
    with keeping("the list of a job's segments"), durable(folder / SEGMENTS) as file:
        file.write(json.dumps([keys[index] for index in sorted(keys)]).encode())


def read_segment_keys(folder: Path) -> list[str]:
    """Return the keys of the segments of a result.

    Raises:
        PosesGoneError: they were not kept.
    """
    try:
        keys: list[str] = json.loads((folder / SEGMENTS).read_bytes())
    except FileNotFoundError as error:
        raise PosesGoneError("the measured points of this job were not kept") from error
    return keys


def read_corrections(folder: Path) -> ToCorrect | None:
    """Return the input of a correction from a job's folder; None for a job of a video."""
    try:
        text = (folder / CORRECTIONS).read_bytes()
    except FileNotFoundError:
        return None
    return ToCorrect.model_validate_json(text)


@dataclass(frozen=True, slots=True)
class CorrectionSource:
    """Files of a new job that corrects the result of another one.

    Attributes:
        video: of the corrected job, which is linked. given: to write.
    """

    video: Path
    given: ToCorrect

    @asynccontextmanager
    async def __call__(self, to: Path) -> AsyncIterator[None]:
        """Place the video at a path, and the rest next to it."""
        with keeping("the files of a correction"):
            try:
                link_durably(self.video, to)
            except FileNotFoundError as error:
                raise PosesGoneError("the video of this job is no longer kept") from error
            with durable(to.with_name(CORRECTIONS)) as file:
                file.write(self.given.model_dump_json().encode())
        yield


class KeptStages(ResumableStages):
    """Stages that find every segment in the store, and never ask a network."""

    def __init__(
        self,
        stages: Stages,
        segments: SegmentStore,
        source: Source,
        watcher: Watcher,
        kept: list[str],
    ) -> None:
        """Take the arguments of :class:`ResumableStages`, and the keys of segments by index."""
        super().__init__(stages, segments, source, watcher)
        self._kept = kept

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """Return the measured points of a segment.

        Raises:
            PosesGoneError: they are no longer kept, or are those of another segment.
        """
        key = self._kept[segment.index] if segment.index < len(self._kept) else ""
        poses = await asyncio.to_thread(self._segments.get, key, self._source.folder)
        wanted = segment.first_frame, len(segment.pts)
        if poses is None or (poses.first_frame, len(poses.decoded)) != wanted:
            raise PosesGoneError(
                f"the measured points of segment {segment.index} are no longer kept"
            )
        self.keys[segment.index] = key
        self._watcher.analyzed(len(segment.pts))
        return poses
