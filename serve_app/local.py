"""The stages in this process: no Ray, no server."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from deployments.biomechanics.analyse import analyse as analyse_biomechanics
from deployments.decode.analyse import analyse_segment
from deployments.decode.probe import MediaLimits, probe
from deployments.errors import InferenceError, NotReadyError
from deployments.messages import (
    U8,
    AnalysisOptions,
    ClipBiomechanics,
    ClipPoses,
    CropPoses,
    Detections,
    EncodedSegment,
    EncodeOptions,
    MediaInfo,
    ModelStatus,
    Overlay,
    Segment,
    SegmentPoses,
    StoredVideo,
)
from deployments.pose.interface import PersonDetector, PoseModel
from deployments.render.render import join_and_store, render_segment
from deployments.render.storage import VideoStore
from serve_app.models import ModelPlan

Result = TypeVar("Result")


class LocalStages:
    """Engines in threads of this process; see :class:`serve_app.pipeline.Stages`.

    Each model answers one call at a time, as its interface asks.
    """

    def __init__(
        self,
        plan: ModelPlan,
        limits: MediaLimits,
        store: VideoStore,
        biomechanics: bool = True,
        roles: Sequence[str] = ("rtmpose", "detector"),
    ) -> None:
        """Load the models of ``roles``; one that cannot be loaded says so in ``statuses``."""
        self._limits = limits
        self._store = store
        self._biomechanics = biomechanics
        self._engines = {role: plan.choices[role].load(plan.search, plan.options) for role in roles}
        self._threads = {role: ThreadPoolExecutor(1, f"model-{role}") for role in roles}
        self._render_thread = ThreadPoolExecutor(1, "render")

    @property
    def statuses(self) -> Mapping[str, ModelStatus]:
        """What each model says of itself, by role."""
        return {
            role: engine if isinstance(engine, ModelStatus) else engine.status
            for role, engine in self._engines.items()
        }

    def close(self) -> None:
        """End the threads."""
        for pool in (*self._threads.values(), self._render_thread):
            pool.shutdown()

    async def probe(self, path: Path) -> MediaInfo:
        """See ``Stages``."""
        return await asyncio.to_thread(probe, path, self._limits)

    async def analyse(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """See ``Stages``."""

        async def detect(images: U8) -> list[Detections]:
            detector: PersonDetector = self._loaded("detector")
            return await self._in("detector", lambda: detector.infer(images))

        async def estimate(crops: U8) -> tuple[str, CropPoses]:
            failure: InferenceError | None = None
            for role in options.pose_models:
                model: PoseModel = self._loaded(role)
                try:
                    return model.status.name, await self._in(role, lambda: model.infer(crops))  # noqa: B023  awaited before the next turn
                except InferenceError as error:
                    failure = error
            raise failure or NotReadyError("no pose model is to be asked")

        return await analyse_segment(segment, options, detect, estimate)

    async def biomechanics(self, clip: ClipPoses, min_score: float) -> ClipBiomechanics:
        """See ``Stages``."""
        return await asyncio.to_thread(
            analyse_biomechanics, clip, min_score, enabled=self._biomechanics
        )

    async def render(
        self, segment: Segment, overlay: Overlay, folder: Path, options: EncodeOptions
    ) -> EncodedSegment:
        """See ``Stages``."""
        return await asyncio.get_running_loop().run_in_executor(
            self._render_thread, render_segment, segment, overlay, folder, options
        )

    async def join(
        self, encoded: Sequence[EncodedSegment], media: MediaInfo, folder: Path, key: str
    ) -> StoredVideo:
        """See ``Stages``."""
        return await asyncio.to_thread(join_and_store, encoded, media, folder, key, self._store)

    def _loaded(self, role: str) -> Any:
        engine = self._engines.get(role)
        if engine is None or isinstance(engine, ModelStatus):
            reason = engine.reason if isinstance(engine, ModelStatus) else "not loaded"
            raise NotReadyError(f"{role}: {reason}")
        return engine

    async def _in(self, role: str, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads[role], call)
