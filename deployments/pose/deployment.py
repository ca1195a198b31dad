"""Pose networks and the person detector as deployments with dynamic batching."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray import serve

from deployments.errors import ConfigurationError, InferenceError, NotReadyError
from deployments.messages import U8, CropPoses, Detections, ModelStatus
from deployments.pose.batching import run_batch
from deployments.pose.load import ModelChoice
from deployments.pose.options import EngineOptions

UNHEALTHY_AFTER = 5
"""Network calls in a row that fail before the replica asks to be replaced."""


class BatchConfig(BaseModel):
    """``user_config`` of a model deployment; changes without a restart."""

    model_config = ConfigDict(extra="forbid")

    max_batch_size: int = Field(64, ge=1, le=1024, description="Most pictures in a batch.")
    batch_wait_timeout_s: float = Field(
        0.01, ge=0, le=1, description="How long the first call of a batch waits for others."
    )


def count_pictures(items: Sequence[U8]) -> int:
    """Size of a batch for Serve: pictures, not calls."""
    return sum(len(item) for item in items)


class ModelReplica:
    """One loaded model; the batch goes to a thread, so that the replica stays responsive."""

    def __init__(self, choice: ModelChoice, search: Sequence[Path], options: EngineOptions) -> None:
        self._engine: Any = choice.load(search, options)
        self._thread = ThreadPoolExecutor(1, choice.role)
        self._failures = 0

    async def status(self) -> ModelStatus:
        """What the model says of itself."""
        return self._engine if isinstance(self._engine, ModelStatus) else self._engine.status

    def check_health(self) -> None:
        """Called by Serve; raising has the replica replaced."""
        if self._failures >= UNHEALTHY_AFTER:
            raise RuntimeError(f"the last {self._failures} calls of the network failed")

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take new batching settings.

        Raises:
            ConfigurationError: unknown key or wrong value; Serve then reports the deployment
                unhealthy.
        """
        try:
            config = BatchConfig.model_validate(user_config)
        except ValidationError as error:
            raise ConfigurationError(f"user_config of a model: {error}") from error
        self._batched.set_max_batch_size(config.max_batch_size)
        self._batched.set_batch_wait_timeout_s(config.batch_wait_timeout_s)

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.01, batch_size_fn=count_pictures)  # type: ignore[untyped-decorator]
    async def _batched(self, items: list[U8]) -> list[Any]:
        return await run_batch(items, self._infer)

    async def _infer(self, pictures: U8) -> Any:
        call: Callable[[U8], Any] = self._engine.infer
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, call, pictures)
        except Exception:
            self._failures += 1
            raise
        self._failures = 0
        return answer

    async def _answer(self, nested: list[Any]) -> Any:
        """The answer for pictures that come as a nested object reference.

        A nested reference survives both of Serve's transports; an array of this size as an argument
        does not.
        """
        if isinstance(self._engine, ModelStatus):
            raise NotReadyError(f"{self._engine.role}: {self._engine.reason}")
        outcome = await self._batched(await nested[0])
        if isinstance(outcome, InferenceError):
            raise outcome
        return outcome


class PoseReplica(ModelReplica):
    """Crops in, keypoints out: RTMPose or HRNet."""

    async def estimate(self, nested: list[Any]) -> tuple[str, CropPoses]:
        """Display name of the model, and poses of ``[reference to crops (n, h, w, 3)]``.

        Raises:
            NotReadyError: no model is loaded. InferenceError: the network failed on these crops.
        """
        poses = await self._answer(nested)
        return (await self.status()).name, poses


class DetectorReplica(ModelReplica):
    """Letterboxed pictures in, people out."""

    async def detect(self, nested: list[Any]) -> list[Detections]:
        """People in ``[reference to pictures (n, h, w, 3)]``.

        Raises:
            NotReadyError: no model is loaded. InferenceError: the network failed.
        """
        return list(await self._answer(nested))


RTMPose = serve.deployment(PoseReplica, name="RTMPose")
HRNet = serve.deployment(PoseReplica, name="HRNet")
Detector = serve.deployment(DetectorReplica, name="Detector")
