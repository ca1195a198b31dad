"""Deploy pose networks and the person detector with dynamic batching."""

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import ray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray import serve
from ray.serve import Deployment

from deployments.errors import ConfigurationError, InferenceError, NotReadyError
from deployments.messages import U8, CropPoses, Detections, ModelStatus
from deployments.pose.batching import run_batch
from deployments.pose.loading import ModelChoice
from deployments.pose.model_options import EngineOptions
from deployments.roles import ModelRole
from deployments.serve_handles import log_as_serve

UNHEALTHY_AFTER = 5
"""Network calls in a row that fail before the replica asks to be replaced."""


class BatchConfig(BaseModel):
    """``user_config`` of a model deployment; changes without a restart."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_batch_size: int = Field(64, ge=1, le=1024, description="Most pictures in a batch.")
    batch_wait_timeout_s: float = Field(
        0.0, ge=0, le=1, description="How long the first call of a batch waits for others."
    )


def _threads(options: EngineOptions) -> int | None:
    """Return ``options.threads``, else Ray's CPU allocation of this replica if at least 1.

    Shares of a CPU are how several replicas are fitted onto a machine, not how fast one may be.
    """
    if options.threads or not ray.is_initialized():  # to ask would start a cluster
        return options.threads
    context = ray.get_runtime_context()
    share = context.get_assigned_resources().get("CPU", 0) if context.get_actor_id() else 0
    return int(share) if share >= 1 else None


class ModelReplica:
    """One loaded model; batches go to threads, so that the replica stays responsive."""

    def __init__(self, choice: ModelChoice, search: Sequence[Path], options: EngineOptions) -> None:
        log_as_serve()
        self._engine: Any = choice.load(search, replace(options, threads=_threads(options)))
        gc.freeze()  # loaded objects stay: no collection needs to look at them
        self._share = options.share_batches
        at_once = 1 if isinstance(self._engine, ModelStatus) else self._engine.calls_at_once
        self._threads = ThreadPoolExecutor(at_once, choice.role)
        self._failures = 0
        self._config = BatchConfig()

        @serve.batch(
            max_batch_size=self._config.max_batch_size,
            batch_wait_timeout_s=self._config.batch_wait_timeout_s,
            max_concurrent_batches=at_once,
            batch_size_fn=self.batch_size,
        )  # type: ignore[untyped-decorator]
        async def together(items: list[U8]) -> list[Any]:
            return await run_batch(items, self._infer)

        self._together = together

    async def status(self) -> ModelStatus:
        """Return the state of the model."""
        return self._engine if isinstance(self._engine, ModelStatus) else self._engine.status

    def check_health(self) -> None:
        """Check the replica; Serve calls this, and replaces the replica if it raises."""
        if self._failures >= UNHEALTHY_AFTER:
            raise RuntimeError(f"the last {self._failures} calls of the network failed")

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take new batching settings.

        Raises:
            ConfigurationError: unknown key or wrong value; Serve then reports the deployment
                unhealthy.
        """
        try:
            self._config = BatchConfig.model_validate(user_config)
        except ValidationError as error:
            raise ConfigurationError(f"user_config of a model: {error}") from error
        self._together.set_max_batch_size(self._config.max_batch_size)
        self._together.set_batch_wait_timeout_s(self._config.batch_wait_timeout_s)

    def batch_size(self, items: Sequence[U8]) -> int:
        """Size of a batch for Serve: pictures, not calls.

        One alone always fits. It was cut to the limit, but that may have been lowered since, and
        Serve fails what is too large; if its caller has gone, Serve's queue ends with it.
        """
        pictures = sum(len(item) for item in items)
        return min(pictures, self._config.max_batch_size) if len(items) == 1 else pictures

    async def _infer(self, pictures: U8) -> Any:
        call: Callable[[U8], Any] = self._engine.infer
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, call, pictures)
        except Exception:
            self._failures += 1
            raise
        self._failures = 0
        return answer

    async def _answer(self, nested: list[Any]) -> list[Any]:
        """Answer for pictures that come as a nested object reference, in pieces to be joined.

        A nested reference survives both of Serve's transports; an array of this size as an argument
        does not.
        """
        if isinstance(self._engine, ModelStatus):
            raise NotReadyError(f"{self._engine.role}: {self._engine.reason}")
        pictures: U8 = await nested[0]
        if self._share:
            most = self._config.max_batch_size
            pieces = [pictures[i : i + most] for i in range(0, len(pictures), most)]
            outcomes = await asyncio.gather(*(self._together(piece) for piece in pieces))
        else:
            outcomes = await run_batch([pictures], self._infer)
        for outcome in outcomes:
            if isinstance(outcome, InferenceError):
                raise outcome
        return outcomes


class PoseReplica(ModelReplica):
    """Crops in, keypoints out."""

    async def estimate(self, nested: list[Any]) -> tuple[str, CropPoses]:
        """Display name of the model, and poses of ``[reference to crops (n, h, w, 3)]``.

        Raises:
            NotReadyError: no model is loaded. InferenceError: the network failed on these crops.
        """
        poses = CropPoses.concatenate(await self._answer(nested))
        return (await self.status()).name, poses


class DetectorReplica(ModelReplica):
    """Letterboxed pictures in, people out."""

    async def detect(self, nested: list[Any]) -> list[Detections]:
        """Detect the people in ``[reference to pictures (n, h, w, 3)]``.

        Raises:
            NotReadyError: no model is loaded. InferenceError: the network failed.
        """
        return list(chain.from_iterable(await self._answer(nested)))


# Named as the specification and the serve config name them; the registry says what runs in each.
RTMPose = serve.deployment(PoseReplica, name="RTMPose")
HRNet = serve.deployment(PoseReplica, name="HRNet")
Detector = serve.deployment(DetectorReplica, name="Detector")

MODELS: Final[Mapping[ModelRole, Deployment]] = {
    ModelRole.PRIMARY: RTMPose,
    ModelRole.FALLBACK: HRNet,
    ModelRole.DETECTOR: Detector,
}
