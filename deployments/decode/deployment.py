"""The decode stage: reads media, asks the models, holds the pictures of a segment."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ray
from ray import serve

from deployments.concurrency import in_thread
from deployments.decode.probe import MediaLimits, probe
from deployments.decode.segment_analysis import analyze_segment
from deployments.errors import ModelError, NotReadyError, ServiceError
from deployments.messages import (
    U8,
    AnalysisOptions,
    CropPoses,
    Detections,
    MediaInfo,
    Segment,
    SegmentPoses,
)
from deployments.process_setup import ASSIGNING, SharedHeap, load_scipy
from deployments.serve_handles import await_response, log_as_serve

_MOST_AT_ONCE = 4
_LEAST_CROPS = 32  # in a call of a pose model, which costs some 5 ms beside the network


def crops_a_call(batch: int) -> int:
    """Crops in a full call of a pose model: whole batches, 32 crops at least."""
    return -(-_LEAST_CROPS // batch) * batch


def in_calls(options: AnalysisOptions) -> AnalysisOptions:
    """``options`` with what goes to the pose model in a call as the batch.

    Small batches go several in a call, as many crops in all being under way.
    """
    size = crops_a_call(options.batch)
    return replace(
        options,
        batch=size,
        pose_calls_in_flight=-(-options.pose_calls_in_flight * options.batch // size),
    )


class DecodeReplica:
    """Segments in, poses out.

    More than a few segments at once only hold more pictures; the rest waits here, in order: a
    replica that Serve takes for full is asked again and again, up to half a second apart.
    """

    def __init__(self, limits: MediaLimits, detector: Any, poses: Mapping[str, Any]) -> None:
        """Take the limits on media, the detector's handle and the pose models' handles by role."""
        log_as_serve()
        self._heap = SharedHeap()
        load_scipy(*ASSIGNING)
        self._limits = limits
        self._detector = detector
        self._poses = poses
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)

    async def probe(self, path: str) -> MediaInfo:
        """See :func:`deployments.decode.probe.probe`."""
        return await in_thread(lambda cancelled: probe(path, self._limits, cancelled))

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """See :func:`deployments.decode.segment_analysis.analyze_segment`."""

        async def estimate(crops: U8) -> tuple[str, CropPoses]:
            return await self._estimate(crops, options.pose_models)

        with self._heap.used():
            async with self._gate:
                return await analyze_segment(segment, in_calls(options), self._detect, estimate)

    async def _detect(self, images: U8) -> list[Detections]:
        return await await_response(self._detector.detect.remote([ray.put(images)]), "Detector")

    async def _estimate(self, crops: U8, roles: tuple[str, ...]) -> tuple[str, CropPoses]:
        """Ask the models in order; the next one where one is not loaded, failing or dead."""
        reference = ray.put(crops)
        failure: ServiceError | None = None
        for role in roles:
            try:
                return await await_response(self._poses[role].estimate.remote([reference]), role)
            except ServiceError as error:
                if not (error.retryable or isinstance(error, ModelError)):
                    raise
                failure = error
        raise failure or NotReadyError("no pose model is to be asked")


Decode = serve.deployment(DecodeReplica, name="Decode")
