"""Convert networks of MMPose and MMDetection for OpenVINO, from the same ``.pth`` checkpoints.

On a CPU OpenVINO needs about half of torch's time for the same network. The network is traced and
read by OpenVINO's own reader of TorchScript; what comes out is kept beside other caches, since
building and converting take longer than loading.
"""

import hashlib
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deployments.file_digest import sha256_of
from deployments.messages import F32, U8, Detections
from deployments.pose import compat
from deployments.pose.codecs.responses import Codec
from deployments.pose.engines.batch_checks import check_pictures
from deployments.pose.engines.openvino_runtime import (
    CALLS_AT_ONCE,
    compile_network,
    corrupt,
    last_line,
    save_network,
)
from deployments.pose.engines.rtmdet import people_of
from deployments.pose.engines.status import status_of
from deployments.pose.model_options import EngineOptions
from deployments.pose.network import codec_of, load_network, read_model_config
from deployments.pose.registry import ModelEntry
from deployments.roles import ModelRole

logger = logging.getLogger("mmpose_service")

_FORMAT = 1  # version of the cache; another number invalidates it


@dataclass(frozen=True, slots=True)
class PoseSource:
    """A pose network that OpenVINO can compile.

    Attributes:
        model: takes normalized (n, 3, h, w).
        places: of the codec's responses among the outputs.
        codec: how they are decoded.
        reverse_channels: whether it takes RGB.
        mean, std: of the normalization, in the order of its channels.
        quantized: whether the model is in int8, but for its last operations.
    """

    model: Any
    places: tuple[int, ...]
    codec: Codec
    reverse_channels: bool
    mean: Sequence[float]
    std: Sequence[float]
    quantized: bool = False

    def inputs(self, crops: U8) -> F32:
        """Return the model's input for BGR pictures (n, h, w, 3)."""
        ordered = crops[..., ::-1] if self.reverse_channels else crops
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        normalized: F32 = ((ordered - mean) / std).transpose(0, 3, 1, 2)
        return normalized


def converted_pose(
    entry: ModelEntry, checkpoint: Path, options: EngineOptions, quantized: Any | None = None
) -> PoseSource:
    """Build a pose network from its MMPose config and ``.pth``; in int8 nothing is converted.

    Raises:
        ConfigurationError: the config cannot be had, or another codec is needed.
        WeightsCorruptError: the file is damaged or of another network.
    """
    config = read_model_config(entry)
    codec = codec_of(config, entry)

    def build() -> Any:
        module = load_network(entry, checkpoint, use_compiled_ops=options.use_compiled_ops).module
        return _converted(lambda inputs: module.head(module.extract_feat(inputs)), module, entry)

    model = quantized
    if model is None:
        model = _kept(entry, checkpoint, options.cache_dir, build)
    normalization = config.data_preprocessor
    return PoseSource(
        model=model,
        places=tuple(range(len(model.outputs))),
        codec=codec,
        reverse_channels=bool(normalization.get("bgr_to_rgb", False)),
        mean=normalization.mean,
        std=normalization.std,
        quantized=quantized is not None,
    )


class ConvertedDetector:
    """RTMDet from a ``.pth``: the network by OpenVINO, boxes and suppression by its own head."""

    calls_at_once = CALLS_AT_ONCE

    def __init__(self, entry: ModelEntry, checkpoint: Path, options: EngineOptions) -> None:
        """Build the network of ``entry``, load ``checkpoint``, convert and compile.

        Raises:
            ConfigurationError: the config cannot be had.
            WeightsCorruptError: the file is damaged or of another network.
        """
        network = load_network(entry, checkpoint, use_compiled_ops=options.use_compiled_ops)
        module = network.module
        model = _kept(
            entry,
            checkpoint,
            options.cache_dir,
            lambda: _converted(
                lambda inputs: module.bbox_head(module.extract_feat(inputs)), module, entry
            ),
        )
        self._network = compile_network(
            model,
            checkpoint,
            options,
            reverse_channels=network.bgr_to_rgb,
            mean=network.mean.tolist(),
            std=network.std.tolist(),
        )
        self._head, self._batch = module.bbox_head, options.batch
        self.status = status_of(
            entry,
            checkpoint,
            ModelRole.DETECTOR,
            engine="openvino",
            device="cpu",
            precision=self._network.precision,
            nms=compat.nms_kind(),
        )

    def infer(self, images: U8) -> list[Detections]:
        """See :class:`deployments.pose.interface.PersonDetector`."""
        check_pictures(images, self.status.input_size)
        batches = (images[i : i + self._batch] for i in range(0, len(images), self._batch))
        return [people for batch in batches for people in self._people(batch)]

    @torch.inference_mode()
    def _people(self, images: U8) -> list[Detections]:
        levels = [torch.from_numpy(out) for out in self._network(images)]
        half = len(levels) // 2
        return people_of(self._head, (levels[:half], levels[half:]), images.shape[1:3])


class _Flat(torch.nn.Module):
    """A network whose outputs come as one flat tuple."""

    def __init__(self, module: Any, forward: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._module = module  # so that its parameters are found
        self._call = forward

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(_leaves(self._call(inputs)))


def _leaves(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    return [leaf for part in outputs for leaf in _leaves(part)]


def _converted(forward: Callable[[Tensor], Any], module: Any, entry: ModelEntry) -> Any:
    """Convert the traced network to OpenVINO's model, any number of pictures at a time."""
    import openvino as ov
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    width, height = entry.input_size
    example = torch.zeros(2, 3, height, width)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace
        traced = trace(_Flat(module, forward), example, check_trace=False)
        # A copy of the weights: torch's own go with the network.
        decoder = TorchScriptPythonDecoder(traced, shared_memory=False)
        front_end = FrontEndManager().load_by_framework("pytorch")
        model = front_end.convert(front_end.load(decoder))
    model.reshape(ov.PartialShape([-1, 3, height, width]))
    if any(output.get_partial_shape()[0].is_static for output in model.outputs):
        # Python's numbers are constants to a trace: it would answer for as many as the example has.
        raise RuntimeError("its outputs are for a fixed number of pictures")
    return model


def _kept(
    entry: ModelEntry, checkpoint: Path, folder: Path | None, build: Callable[[], Any]
) -> Any:
    """Return the result of ``build``, from the cache if file and packages are the same.

    A folder that cannot be read or written costs time, not the answer.
    """
    import openvino as ov

    try:
        if folder is None:
            return build()
        facts = (_FORMAT, sha256_of(checkpoint), entry.mm_config, entry.input_size)
        packages = [version(name) for name in ("openvino", "torch", "mmpose", "mmdet")]
        name = hashlib.sha256(repr((facts, packages)).encode()).hexdigest()[:32]
        path = folder / f"{name}.xml"
        try:
            return ov.Core().read_model(path)
        except RuntimeError:
            model = build()
        try:
            save_network(model, path)
        except (OSError, RuntimeError) as error:
            logger.warning("the converted network cannot be kept in %s: %s", folder, error)
    except RuntimeError as error:
        raise corrupt(checkpoint, f"OpenVINO cannot convert it ({last_line(error)})") from error
    return model
