"""Run networks of MMPose and MMDetection in torch from ``.pth``: the reference engine.

One call of an engine at a time. Torch's number of threads belongs to the process, not to an engine.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from deployments.errors import ConfigurationError, InferenceError
from deployments.messages import U8, CropPoses, Detections
from deployments.pose import compat
from deployments.pose.engines.batch_checks import check_pictures
from deployments.pose.engines.rtmdet import people_of
from deployments.pose.engines.status import status_of
from deployments.pose.model_options import EngineOptions
from deployments.pose.network import Network, codec_of, load_network
from deployments.pose.registry import ModelEntry
from deployments.roles import ModelRole

logger = logging.getLogger("mmpose_service")

Answer = TypeVar("Answer")


class _Runner:
    """A network on its device, with its normalization and precision."""

    def __init__(self, network: Network, entry: ModelEntry, options: EngineOptions) -> None:
        self.device = choose_device(options.device)
        if self.device.type == "cpu":
            torch.set_num_threads(options.cpu_threads)
        self._half = _half_precision(self.device) if options.precision == "mixed" else None
        if self._half is None:
            # Else convolutions on a GPU would be computed with 10 bits of mantissa.
            torch.backends.cudnn.allow_tf32 = False
        self.module = network.module.to(self.device)
        if self._half is not None:
            self.module = self.module.to(memory_format=torch.channels_last)
        self._mean = network.mean.to(self.device).view(1, 3, 1, 1)
        self._std = network.std.to(self.device).view(1, 3, 1, 1)
        self._bgr_to_rgb = network.bgr_to_rgb
        self._input_size = entry.input_size
        self._batch = options.batch

    @property
    def gpu(self) -> str | None:
        """Name of the GPU; None on the CPU."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None

    @property
    def precision(self) -> str:
        """``fp32``, ``bf16`` or ``fp16``."""
        names = {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
        return names[self._half]

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the network is called."""
        if self._half is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self._half)

    def in_batches(self, call: Callable[[U8], Answer], pictures: U8) -> list[Answer]:
        """Return the answers of ``call`` for the pictures, as many at a time as the options allow.

        If the device's memory is too small, batches are halved, for later calls too.

        Raises:
            InferenceError: ``pictures`` are of another size, ``call`` failed, or the memory does
                not hold one.
        """
        check_pictures(pictures, self._input_size)
        answers: list[Answer] = []
        done = 0
        while done < len(pictures):
            part = pictures[done : done + self._batch]
            try:
                answers.append(call(part))
                done += len(part)
                continue
            except torch.OutOfMemoryError as error:
                if len(part) == 1:
                    raise InferenceError(
                        f"torch: the memory of {self.device} does not hold one picture: {error}",
                        hint="Give the model a larger share of the GPU, or use mixed precision.",
                    ) from error
            except RuntimeError as error:
                raise InferenceError(f"torch: {error}") from error
            # Out here the error no longer holds on to the tensors of the call.
            self._batch = len(part) // 2
            logger.warning(
                "the memory of %s does not hold %d pictures: %d at a time from now on",
                self.device,
                len(part),
                self._batch,
            )
            torch.cuda.empty_cache()
        return answers

    def normalize(self, pictures: U8) -> Tensor:
        """Convert pictures (n, h, w, 3) uint8 BGR to the input (n, 3, h, w) on the device."""
        # A copy: arrays out of the object store are read-only, which torch does not allow.
        batch = torch.from_numpy(np.array(pictures)).to(self.device)
        if self._bgr_to_rgb:
            batch = batch.flip(-1)
        batch = batch.permute(0, 3, 1, 2)
        layout = torch.contiguous_format if self._half is None else torch.channels_last
        return ((batch.float() - self._mean) / self._std).contiguous(memory_format=layout)


class TorchPose:
    """A pose network."""

    calls_at_once = 1

    def __init__(
        self, entry: ModelEntry, checkpoint: Path, options: EngineOptions, role: ModelRole
    ) -> None:
        """Build the network of ``entry`` and load ``checkpoint``.

        Raises:
            ConfigurationError: the device or the config cannot be had, or another codec is needed.
            WeightsCorruptError: the file is damaged or of another network.
        """
        network = load_network(entry, checkpoint, use_compiled_ops=options.use_compiled_ops)
        self._codec = codec_of(network.model_config, entry)
        self._runner = _Runner(network, entry, options)
        self._options = options
        self.status = status_of(
            entry,
            checkpoint,
            role,
            engine="torch",
            device=str(self._runner.device),
            precision=self._runner.precision,
            gpu=self._runner.gpu,
        )

    def infer(self, crops: U8) -> CropPoses:
        """See :class:`deployments.pose.interface.PoseModel`."""
        return CropPoses.concatenate(self._runner.in_batches(self._batch, crops))

    @torch.inference_mode()
    def _batch(self, crops: U8) -> CropPoses:
        inputs = self._runner.normalize(crops)
        responses = self._forward(inputs)
        if self._options.flip_test:
            mirrored = self._codec.mirror(self._forward(inputs.flip(-1)))
            responses = [(a + b) * 0.5 for a, b in zip(responses, mirrored, strict=True)]
        return self._codec.decode(responses)

    def _forward(self, inputs: Tensor) -> list[Tensor]:
        module = self._runner.module
        with self._runner.autocast():
            out = module.head(module.extract_feat(inputs))
        return [t.float() for t in (out if isinstance(out, tuple) else (out,))]


class TorchDetector:
    """A person detector: RTMDet, of people alone or with people as its first class."""

    calls_at_once = 1

    def __init__(self, entry: ModelEntry, checkpoint: Path, options: EngineOptions) -> None:
        """Build the network of ``entry`` and load ``checkpoint``.

        Raises:
            ConfigurationError: the device or the config cannot be had.
            WeightsCorruptError: the file is damaged or of another network.
        """
        network = load_network(entry, checkpoint, use_compiled_ops=options.use_compiled_ops)
        self._runner = _Runner(network, entry, options)
        self.status = status_of(
            entry,
            checkpoint,
            ModelRole.DETECTOR,
            engine="torch",
            device=str(self._runner.device),
            precision=self._runner.precision,
            gpu=self._runner.gpu,
            nms=compat.nms_kind(),
        )

    def infer(self, images: U8) -> list[Detections]:
        """See :class:`deployments.pose.interface.PersonDetector`."""
        return [d for part in self._runner.in_batches(self._batch, images) for d in part]

    @torch.inference_mode()
    def _batch(self, images: U8) -> list[Detections]:
        module = self._runner.module
        inputs = self._runner.normalize(images)
        with self._runner.autocast():
            levels = module.bbox_head(module.extract_feat(inputs))
        return people_of(module.bbox_head, levels, images.shape[1:3])


def choose_device(name: str) -> torch.device:
    """Return the device called ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    ``auto`` is the first GPU, else the CPU; ``cuda`` is the first GPU.

    Raises:
        ConfigurationError: this process has no such device.
    """
    gpus = torch.cuda.device_count()
    if name == "auto":
        return torch.device("cuda:0" if gpus else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigurationError(f"device {name!r}: use auto, cpu or cuda:N") from error
    if device.type == "cpu":
        return device
    if device.type == "cuda" and (device.index or 0) < gpus:
        return torch.device("cuda", device.index or 0)
    raise ConfigurationError(f"device {name!r} is not here: this process has {gpus} GPUs by CUDA")


def _half_precision(device: torch.device) -> torch.dtype | None:
    """Return the type of ``mixed`` precision on ``device``; None if a CPU would emulate it."""
    if device.type == "cuda":
        return torch.float16
    abilities = torch.cpu.get_capabilities()
    fast = any(abilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if fast else None
