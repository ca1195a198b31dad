"""Serve the biomechanics stage."""

import asyncio

from ray import serve

from biomech.applications.norms_and_limits import NO_GUIDELINES, Guidelines
from biomech.config import ALL_OUTPUTS, NO_CONTEXT, Context, EnabledOutputs
from deployments.biomechanics.clip_analysis import analyze
from deployments.messages import ClipBiomechanics, ClipPoses
from deployments.process_setup import BIOMECHANICS, load_scipy


class BiomechanicsReplica:
    """Replica that computes angles, scores and alignment from the poses of a clip."""

    def __init__(
        self,
        enabled: bool,
        parts: EnabledOutputs = ALL_OUTPUTS,
        guidelines: Guidelines = NO_GUIDELINES,
    ) -> None:
        load_scipy(*BIOMECHANICS)
        self._enabled = enabled
        self._parts = parts
        self._guidelines = guidelines

    async def analyze(
        self,
        clip: ClipPoses,
        min_score: float,
        max_people_in_frames: int | None = None,
        context: Context = NO_CONTEXT,
    ) -> ClipBiomechanics:
        """See :func:`deployments.biomechanics.clip_analysis.analyze`."""
        return await asyncio.to_thread(
            analyze,
            clip,
            min_score,
            enabled=self._enabled,
            parts=self._parts,
            context=context,
            guidelines=self._guidelines,
            max_people_in_frames=max_people_in_frames,
        )


Biomechanics = serve.deployment(BiomechanicsReplica, name="Biomechanics")
