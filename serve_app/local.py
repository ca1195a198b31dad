"""Run the stages in this process: no Ray, no server."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from biomech.config import Context
from deployments.annotated_video import EncodedSegment, EncodeOptions, Overlay, StoredVideo
from deployments.biomechanics.clip_analysis import analyze as analyze_biomechanics
from deployments.concurrency import in_thread
from deployments.decode.probe import MediaLimits, probe
from deployments.decode.segment_analysis import analyze_segment
from deployments.errors import NotReadyError
from deployments.media_choice import AS_IT_IS, MediaOptions
from deployments.messages import (
    U8,
    AnalysisOptions,
    ClipBiomechanics,
    ClipPoses,
    CropPoses,
    Detections,
    MediaInfo,
    ModelStatus,
    Segment,
    SegmentPoses,
)
from deployments.pose.batching import run_alone
from deployments.pose.interface import PersonDetector
from deployments.pose_calls import first_answer, in_calls
from deployments.process_setup import ASSIGNING, BIOMECHANICS, SharedHeap, load_scipy, usable_cpus
from deployments.render.render import join_and_store, render_segment
from deployments.render.storage import VideoStore, open_store
from deployments.roles import ModelRole
from serve_app.model_plan import ModelPlan, plan_models, pose_order
from serve_app.service import PoseService
from serve_app.settings import Settings

Result = TypeVar("Result")

_MOST_RENDERING = 4
"""Segments drawn and encoded at once; each has its own encoder threads."""


@contextmanager
def local_service(
    settings: Settings, detector: PersonDetector | None = None
) -> Iterator[PoseService]:
    """Run the engines in this process, as `mmpose-service analyze` does.

    Args:
        settings: of the service. detector: used instead of the one that the settings name.

    Raises:
        ConfigurationError: a setting or the registry is wrong.
        WeightsMissingError, NotReadyError: no pose model, or no detector, can be loaded; says why.
    """
    plan = plan_models(settings)
    store = open_store(
        settings.output,
        Path(settings.output).resolve().as_uri(),
        s3_endpoint=settings.s3_endpoint,
        url_s=settings.keep_results_s,
    )
    stages = LocalStages(plan, settings.media_limits, store, settings.biomechanics, detector)
    try:
        pose_order(stages.statuses, "auto")
        yield PoseService(settings, plan, stages, lambda: stages.statuses)
    finally:
        stages.close()


class LocalStages:
    """Engines in threads of this process; see :class:`serve_app.pipeline.Stages`.

    Each model answers as many calls at once as it can.
    """

    def __init__(
        self,
        plan: ModelPlan,
        limits: MediaLimits,
        store: VideoStore,
        biomechanics: bool = True,
        detector: PersonDetector | None = None,
    ) -> None:
        """Load the models; one that cannot be loaded says so in ``statuses``."""
        self._heap = SharedHeap()
        load_scipy(*ASSIGNING, *BIOMECHANICS)
        self.limits = limits
        self._store = store
        self._biomechanics = biomechanics
        self._parts = plan.parts
        self._guidelines = plan.guidelines
        given = {ModelRole.DETECTOR: detector} if detector else {}
        self._engines = {
            role: given.get(role) or plan.choices[role].load(plan.search, plan.options)
            for role in ModelRole
        }
        gc.freeze()  # what is loaded stays: no collection needs to look at it
        self._threads = {
            role: ThreadPoolExecutor(engine.calls_at_once, f"model-{role}")
            for role, engine in self._engines.items()
            if not isinstance(engine, ModelStatus)
        }
        # An encoder alone leaves a part of every CPU idle; more than a few only take memory.
        self._render_threads = ThreadPoolExecutor(min(usable_cpus(), _MOST_RENDERING), "render")

    @property
    def statuses(self) -> Mapping[ModelRole, ModelStatus]:
        """Return the state of each model, by role."""
        return {
            role: engine if isinstance(engine, ModelStatus) else engine.status
            for role, engine in self._engines.items()
        }

    def close(self) -> None:
        """End the threads."""
        for pool in (*self._threads.values(), self._render_threads):
            pool.shutdown(cancel_futures=True)

    async def probe(self, path: Path, options: MediaOptions = AS_IT_IS) -> MediaInfo:
        """See ``Stages``."""
        return await in_thread(lambda cancelled: probe(path, self.limits, cancelled, options))

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """See ``Stages``."""

        async def detect(images: U8) -> list[Detections]:
            return list(await self._infer(ModelRole.DETECTOR, images))

        async def estimate(crops: U8) -> tuple[str, CropPoses]:
            async def ask(role: ModelRole) -> tuple[str, CropPoses]:
                poses: Any = await self._infer(role, crops)
                return self.engine(role).status.name, poses

            return await first_answer(options.pose_models, ask)

        with self._heap.used():
            return await analyze_segment(segment, in_calls(options), detect, estimate)

    async def biomechanics(
        self, clip: ClipPoses, min_score: float, max_people_in_frames: int | None, context: Context
    ) -> ClipBiomechanics:
        """See ``Stages``."""
        return await asyncio.to_thread(
            analyze_biomechanics,
            clip,
            min_score,
            enabled=self._biomechanics,
            parts=self._parts,
            context=context,
            guidelines=self._guidelines,
            max_people_in_frames=max_people_in_frames,
        )

    async def render(
        self, segment: Segment, overlay: Overlay, folder: Path, options: EncodeOptions
    ) -> EncodedSegment:
        """See ``Stages``."""
        with self._heap.used():
            return await in_thread(
                lambda cancelled: render_segment(segment, overlay, folder, options, cancelled),
                self._render_threads,
            )

    async def join(
        self, encoded: Sequence[EncodedSegment], media: MediaInfo, folder: Path, key: str
    ) -> StoredVideo:
        """See ``Stages``."""
        return await in_thread(
            lambda cancelled: join_and_store(encoded, media, folder, key, self._store, cancelled)
        )

    def engine(self, role: ModelRole) -> Any:
        """Return the model of ``role``.

        Raises:
            NotReadyError: it could not be loaded; says why.
        """
        engine = self._engines[role]
        if isinstance(engine, ModelStatus):
            raise NotReadyError(f"{role}: {engine.reason}")
        return engine

    async def _infer(self, role: ModelRole, pictures: U8) -> Sequence[Any]:
        engine = self.engine(role)
        return await run_alone(pictures, lambda part: self._in(role, lambda: engine.infer(part)))

    async def _in(self, role: ModelRole, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads[role], call)
