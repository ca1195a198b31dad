"""The decode stage: reads media, asks the models, holds the pictures of a segment."""

import asyncio
from collections.abc import Mapping
from typing import Any

import ray
from ray import serve

from deployments.concurrency import in_thread
from deployments.decode.probe import MediaLimits, probe
from deployments.decode.segment_analysis import analyze_segment
from deployments.media_choice import MediaOptions
from deployments.messages import (
    U8,
    AnalysisOptions,
    CropPoses,
    Detections,
    MediaInfo,
    Segment,
    SegmentPoses,
)
from deployments.pose_calls import first_answer, in_calls
from deployments.process_setup import ASSIGNING, SharedHeap, load_scipy
from deployments.roles import ModelRole
from deployments.serve_handles import await_response, log_as_serve

_MOST_AT_ONCE = 4


class DecodeReplica:
    """Segments in, poses out.

    More than a few segments at once only hold more pictures; the rest waits here, in order: a
    replica that Serve takes for full is asked again and again, up to half a second apart.
    """

    def __init__(self, limits: MediaLimits, detector: Any, poses: Mapping[ModelRole, Any]) -> None:
        """Take the limits on media, the detector's handle and the pose models' handles by role."""
        log_as_serve()
        self._heap = SharedHeap()
        load_scipy(*ASSIGNING)
        self._limits = limits
        self._detector = detector
        self._poses = poses
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)

    async def probe(self, path: str, options: MediaOptions) -> MediaInfo:
        """See :func:`deployments.decode.probe.probe`."""
        return await in_thread(lambda cancelled: probe(path, self._limits, cancelled, options))

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """See :func:`deployments.decode.segment_analysis.analyze_segment`."""

        async def estimate(crops: U8) -> tuple[str, CropPoses]:
            reference = ray.put(crops)

            async def ask(role: ModelRole) -> tuple[str, CropPoses]:
                return await await_response(self._poses[role].estimate.remote([reference]), role)

            return await first_answer(options.pose_models, ask)

        with self._heap.used():
            async with self._gate:
                return await analyze_segment(segment, in_calls(options), self._detect, estimate)

    async def _detect(self, images: U8) -> list[Detections]:
        return await await_response(self._detector.detect.remote([ray.put(images)]), "Detector")


Decode = serve.deployment(DecodeReplica, name="Decode")
