"""Stages that keep each segment's results on disk, and find those of an earlier attempt."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from biomech.config import Context
from deployments.annotated_video import EncodedSegment, EncodeOptions, Overlay, StoredVideo
from deployments.media_choice import MediaOptions
from deployments.messages import (
    AnalysisOptions,
    ClipBiomechanics,
    ClipPoses,
    MediaInfo,
    ModelStatus,
    Segment,
    SegmentPoses,
)
from deployments.pose.model_options import EngineOptions
from deployments.roles import ModelRole
from serve_app.jobs.content_key import code_version, digest_of, fields_of, identities
from serve_app.jobs.durable_files import durable, move_durably
from serve_app.jobs.job import Stage
from serve_app.jobs.segment_store import SegmentStore
from serve_app.pipeline import Stages

logger = logging.getLogger("mmpose_service")

_PATH: Final = "path"
"""Field of a segment that is no part of its content."""


class Watcher(Protocol):
    """Observer of the work on one video."""

    def probed(self, media: MediaInfo) -> None:
        """Take the facts of the file."""
        ...

    def analyzed(self, frames: int) -> None:
        """Take the frames of a segment that is analyzed."""
        ...

    def entered(self, stage: Stage) -> None:
        """Take the stage that begins."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """Source of a job and the models that are to answer, by which its results are found again.

    Attributes:
        sha256: of the file. folder: of the job's own results of segments; it must exist.
        models: status by role at the beginning. options: by which the models are run.
    """

    sha256: str
    folder: Path
    models: Mapping[ModelRole, ModelStatus]
    options: EngineOptions


class ResumableStages:
    """The stages of one job; see :class:`serve_app.pipeline.Stages`.

    A segment is found again only if the models that were asked first made all of it. What the
    fallback answered while the primary failed is stored as the fallback's: an attempt that prefers
    the primary asks it again, so that a kill does not leave a mark on the answer.

    Attributes:
        keys: of the segments that were used, by their index.
    """

    def __init__(
        self, stages: Stages, segments: SegmentStore, source: Source, watcher: Watcher
    ) -> None:
        self._stages = stages
        self._segments = segments
        self._source = source
        self._watcher = watcher
        self._identities = identities(source.models, source.options)
        self.keys: dict[int, str] = {}

    async def probe(self, path: Path, options: MediaOptions) -> MediaInfo:
        """See ``Stages``."""
        media = await self._stages.probe(path, options)
        self._watcher.probed(media)
        return media

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """See ``Stages``."""
        own = self._source.folder
        key = self._key(segment, options, options.pose_models[0])
        poses = await asyncio.to_thread(self._segments.get, key, own)
        if poses is None:
            poses = await self._stages.analyze(segment, options)
            role = self._answered(poses, options)
            if role is None:  # for corrections alone: no attempt looks for it
                key = digest_of("several models", key, poses.models)
            else:
                key = self._key(segment, options, role)
            await asyncio.to_thread(self._segments.put, key, poses, own)
        self.keys[segment.index] = key
        self._watcher.analyzed(len(segment.pts))
        return poses

    async def biomechanics(
        self, clip: ClipPoses, min_score: float, max_people_in_frames: int | None, context: Context
    ) -> ClipBiomechanics:
        """See ``Stages``."""
        self._watcher.entered(Stage.BIOMECHANICS)
        return await self._stages.biomechanics(clip, min_score, max_people_in_frames, context)

    async def render(
        self, segment: Segment, overlay: Overlay, folder: Path, options: EncodeOptions
    ) -> EncodedSegment:
        """See ``Stages``."""
        key = digest_of(
            "encoded",
            code_version(),
            self._source.sha256,
            fields_of(segment, _PATH),
            overlay,
            options,
        )
        video = self._source.folder / f"{key}.nut"
        found = await asyncio.to_thread(_encoded, video)
        if found is None:
            found = await self._stages.render(segment, overlay, folder, options)
            found = await asyncio.to_thread(_keep, found, video)
        return found

    async def join(
        self, encoded: Sequence[EncodedSegment], media: MediaInfo, folder: Path, key: str
    ) -> StoredVideo:
        """See ``Stages``."""
        self._watcher.entered(Stage.STORE)
        return await self._stages.join(encoded, media, folder, key)

    def _key(self, segment: Segment, options: AnalysisOptions, role: ModelRole) -> str:
        """Return the key of the segment if the pose model ``role`` answers alone."""
        return digest_of(
            "poses",
            code_version(),
            self._source.sha256,
            fields_of(segment, _PATH),
            fields_of(options, "pose_models"),
            self._identities.get(ModelRole.DETECTOR),
            self._identities.get(role),
        )

    def _answered(self, poses: SegmentPoses, options: AnalysisOptions) -> ModelRole | None:
        """Return the one pose model that answered, None for several or unknown ones.

        A segment without people is that of the model asked first.
        """
        models = self._source.models
        by_name = {models[r].name: r for r in reversed(options.pose_models) if r in models}
        roles = {by_name.get(name) for name in poses.models} or {options.pose_models[0]}
        return roles.pop() if len(roles) == 1 else None


def _encoded(video: Path) -> EncodedSegment | None:
    """Read an encoded segment; its facts are written after it is whole."""
    try:
        facts: dict[str, Any] = json.loads(_facts(video).read_bytes())
        size = facts.pop("size_bytes")
        if video.stat().st_size == size:
            return EncodedSegment(**facts, path=str(video))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("encoded segment %s is damaged and made again: %s", video.stem, error)
        return None
    logger.warning("encoded segment %s is not whole and made again", video.stem)
    return None


def _keep(encoded: EncodedSegment, video: Path) -> EncodedSegment:
    """Move an encoded segment to ``video``; where that fails, it stays where it is."""
    try:
        move_durably(Path(encoded.path), video)
        kept = replace(encoded, path=str(video))
        facts = fields_of(kept, _PATH) | {"size_bytes": video.stat().st_size}
        with durable(_facts(video)) as file:
            file.write(json.dumps(facts).encode())
    except OSError as error:
        logger.warning("encoded segment %s cannot be kept: %s", video.stem, error)
        return replace(encoded, path=str(video)) if video.exists() else encoded
    return kept


def _facts(video: Path) -> Path:
    return video.with_suffix(".json")
