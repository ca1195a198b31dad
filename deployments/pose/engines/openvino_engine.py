"""Run models on the CPU by OpenVINO: exported ``.onnx`` files, and pose networks from ``.pth``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biomech.skeleton import KEYPOINTS
from deployments.messages import F32, U8, CropPoses, Detections
from deployments.pose.codecs.simcc import SimccCodec, target_sigma_bins
from deployments.pose.engines.batch_checks import check_pictures
from deployments.pose.engines.converted import PoseSource
from deployments.pose.engines.openvino_runtime import (
    CALLS_AT_ONCE,
    compile_network,
    corrupt,
    last_line,
)
from deployments.pose.engines.quantized import quantized_network
from deployments.pose.engines.status import status_of
from deployments.pose.families import FAMILIES
from deployments.pose.model_options import EngineOptions
from deployments.pose.registry import ModelEntry
from deployments.roles import ModelRole

PERSON = 0
# Means and deviations of the exported interfaces, in the order of their channels.
_RGB_MEAN, _RGB_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
_BGR_MEAN, _BGR_STD = _RGB_MEAN[::-1], _RGB_STD[::-1]


class OpenVinoPose:
    """A pose network: one exported with RTMPose's interface, or converted from a checkpoint.

    Scaling, channel order and layout are compiled into the network, so that uint8 pictures go in.
    """

    calls_at_once = CALLS_AT_ONCE

    def __init__(
        self,
        entry: ModelEntry,
        checkpoint: Path,
        options: EngineOptions,
        role: ModelRole,
        source: PoseSource | None = None,
    ) -> None:
        """Compile ``checkpoint``, of any family; ``source`` instead, if that is given.

        Raises:
            WeightsCorruptError, ConfigurationError: as of :func:`pose_source`.
        """
        source = source or pose_source(entry, checkpoint, options)
        self._codec, self._places = source.codec, source.places
        self._network = compile_network(
            source.model,
            checkpoint,
            options,
            reverse_channels=source.reverse_channels,
            mean=source.mean,
            std=source.std,
        )
        # Torch only decodes: more threads would spin while those of OpenVINO wait for a core.
        torch.set_num_threads(1)
        self._options = options
        self.status = status_of(
            entry,
            checkpoint,
            role,
            engine="openvino",
            device="cpu",
            precision=("int8+" if source.quantized else "") + self._network.precision,
        )

    def infer(self, crops: U8) -> CropPoses:
        """See :class:`deployments.pose.interface.PoseModel`."""
        check_pictures(crops, self.status.input_size)
        batch = self._options.batch
        return CropPoses.concatenate(
            [self._batch(crops[i : i + batch]) for i in range(0, len(crops), batch)]
        )

    def _batch(self, crops: U8) -> CropPoses:
        responses = self._run(crops)
        if self._options.flip_test:
            mirrored = self._codec.mirror(self._run(crops[:, :, ::-1]))
            responses = [(a + b) * 0.5 for a, b in zip(responses, mirrored, strict=True)]
        return self._codec.decode(responses)

    def _run(self, crops: U8) -> list[Tensor]:
        out = self._network(crops)
        return [torch.from_numpy(out[i]).float() for i in self._places]


class OpenVinoDetector:
    """A person detector as MMDeploy exports RTMDet, suppression inside.

    Input ``(1, 3, h, w)``; outputs ``dets (1, n, 5)`` and ``labels (1, n)``.
    """

    calls_at_once = CALLS_AT_ONCE

    def __init__(self, entry: ModelEntry, checkpoint: Path, options: EngineOptions) -> None:
        """Compile ``checkpoint``.

        Raises:
            WeightsCorruptError: not a model of this interface.
        """
        model = _read(checkpoint, entry.input_size, batch=1)
        _output_shapes(model, checkpoint, {"dets": 3, "labels": 2})
        self._places = _places(model, "dets", "labels")
        self._network = compile_network(
            model, checkpoint, options, reverse_channels=False, mean=_BGR_MEAN, std=_BGR_STD
        )
        self.status = status_of(
            entry,
            checkpoint,
            ModelRole.DETECTOR,
            engine="openvino",
            device="cpu",
            precision=self._network.precision,
            nms="in the model",
        )

    def infer(self, images: U8) -> list[Detections]:
        """See :class:`deployments.pose.interface.PersonDetector`."""
        check_pictures(images, self.status.input_size)
        return [self._people(outputs) for outputs in self._network.parts(images, 1)]

    def _people(self, outputs: list[F32]) -> Detections:
        rows, labels = (outputs[i][0] for i in self._places)
        # MMDeploy's graph adds a row of zeros, so that its output is never empty.
        rows = rows[(labels == PERSON) & (rows[:, 4] > 0)]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        return Detections(boxes=rows[:, :4].copy(), score=rows[:, 4].copy())


def pose_source(entry: ModelEntry, checkpoint: Path, options: EngineOptions) -> PoseSource:
    """Return the pose network of ``checkpoint``; in int8 where the options have it.

    Raises:
        WeightsCorruptError: not a model of this interface, or of another network; or its file in
            int8 is damaged.
        ConfigurationError: the entry does not fit its config.
    """
    model = None
    if options.quantized:
        model = quantized_network(entry, checkpoint, options.quantized)
    source = FAMILIES[entry.family].pose_source(entry, checkpoint, options, model)
    return source if model is None else replace(source, model=model, quantized=True)


def exported_pose(entry: ModelEntry, checkpoint: Path) -> PoseSource:
    """Return an exported pose network: input ``(n, 3, h, w)``, outputs ``simcc_x``, ``simcc_y``.

    Raises:
        WeightsCorruptError: not a model of this interface.
    """
    model = _read(checkpoint, entry.input_size, batch=-1)
    shapes = _output_shapes(model, checkpoint, {"simcc_x": 3, "simcc_y": 3})
    return PoseSource(
        model=model,
        places=_places(model, "simcc_x", "simcc_y"),
        codec=_codec_of(shapes, entry, checkpoint),
        reverse_channels=True,
        mean=_RGB_MEAN,
        std=_RGB_STD,
    )


def _places(model: Any, *names: str) -> tuple[int, ...]:
    """Return the positions of the outputs called ``names``."""
    by_name = {name: i for i, o in enumerate(model.outputs) for name in o.get_names()}
    return tuple(by_name[name] for name in names)


def _read(checkpoint: Path, input_size: tuple[int, int], batch: int) -> Any:
    """Read the model, taking ``batch`` pictures (-1: any number) of (width, height)."""
    import openvino as ov

    width, height = input_size
    wanted = ov.PartialShape([batch, 3, height, width])
    try:
        model = ov.Core().read_model(checkpoint)
        if len(model.inputs) != 1:
            raise corrupt(checkpoint, f"it has {len(model.inputs)} inputs, one picture is needed")
        shape = model.inputs[0].get_partial_shape()
        if not shape.compatible(wanted):
            raise corrupt(checkpoint, f"its input is {shape}, not {wanted} as in the registry")
        model.reshape(wanted)
    except RuntimeError as error:
        raise corrupt(
            checkpoint, f"it is not a readable ONNX model ({last_line(error)})"
        ) from error
    return model


def _output_shapes(model: Any, checkpoint: Path, wanted: dict[str, int]) -> dict[str, Any]:
    """Return the shapes of the outputs ``wanted``, given as name and number of dimensions.

    Raises:
        WeightsCorruptError: there are none of that name, or of another rank.
    """
    shapes = {name: o.get_partial_shape() for o in model.outputs for name in o.get_names()}
    for name, rank in wanted.items():
        if name not in shapes:
            raise corrupt(checkpoint, f"its outputs are {sorted(shapes)}, not {sorted(wanted)}")
        if shapes[name].rank.is_dynamic or len(shapes[name]) != rank:
            raise corrupt(checkpoint, f"its output {name} is {shapes[name]}, not of rank {rank}")
    return shapes


def _codec_of(shapes: dict[str, Any], entry: ModelEntry, checkpoint: Path) -> SimccCodec:
    """Choose the codec by the numbers of bins: an exported model states none."""
    ratios = set()
    for name, pixels in zip(("simcc_x", "simcc_y"), entry.input_size, strict=True):
        pictures, keypoints, bins = shapes[name]
        if pictures.is_static:  # which would answer for the first picture of a batch alone
            raise corrupt(checkpoint, f"its batch is always {pictures}, any number is needed")
        if not (keypoints.is_static and keypoints.get_length() == len(KEYPOINTS)):
            raise corrupt(checkpoint, f"it has {keypoints} keypoints, {len(KEYPOINTS)} are needed")
        if not bins.is_static:
            raise corrupt(checkpoint, f"its output {name} is {shapes[name]}, of no known length")
        ratios.add(bins.get_length() / pixels)
    if len(ratios) != 1:
        raise corrupt(checkpoint, f"its outputs have {sorted(ratios)} bins a pixel, one is needed")
    return SimccCodec(ratios.pop(), target_sigma_bins(entry.input_size))
