"""Exported ``.onnx`` models on CPU by OpenVINO."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from biomech.skeleton import KEYPOINTS, MIRROR
from deployments.errors import InferenceError, WeightsCorruptError
from deployments.messages import F32, U8, CropPoses, Detections, ModelStatus
from deployments.pose import simcc
from deployments.pose.options import EngineOptions
from deployments.pose.registry import ModelEntry

PERSON = 0
# Means and deviations of the exported interfaces, in the order of their channels.
_RGB_MEAN, _RGB_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
_BGR_MEAN, _BGR_STD = _RGB_MEAN[::-1], _RGB_STD[::-1]


class OpenVinoPose:
    """A pose network with RTMPose's exported interface. One call at a time.

    Input ``(n, 3, h, w)``, outputs ``simcc_x`` and ``simcc_y``. Scaling, channel order and layout
    are compiled into the network, so that uint8 pictures go in.
    """

    def __init__(
        self, entry: ModelEntry, checkpoint: Path, options: EngineOptions, role: str
    ) -> None:
        """Compile ``checkpoint``.

        Raises:
            WeightsCorruptError: not a model of this interface.
        """
        model = _read(checkpoint, {"simcc_x", "simcc_y"})
        self._compiled, precision = _compile(
            model, entry.input_size, options, swap=True, mean=_RGB_MEAN, std=_RGB_STD, batch=-1
        )
        shape = self._compiled.output("simcc_x").partial_shape
        if shape[1].get_length() != len(KEYPOINTS):
            raise WeightsCorruptError(f"{checkpoint.name} has {shape[1]} keypoints, 17 are needed")
        self._options = options
        self.status = status_of(entry, checkpoint, role, precision)

    def infer(self, crops: U8) -> CropPoses:
        """See :class:`deployments.pose.interface.PoseModel`."""
        batch = self._options.batch
        return CropPoses.concatenate(
            [self._batch(crops[i : i + batch]) for i in range(0, len(crops), batch)]
        )

    def _batch(self, crops: U8) -> CropPoses:
        x, y = self._run(crops)
        if self._options.flip_test:
            flipped_x, flipped_y = self._run(np.ascontiguousarray(crops[:, :, ::-1]))
            mirror = list(MIRROR)
            x = (x + flipped_x[:, mirror, ::-1]) * 0.5
            y = (y + flipped_y[:, mirror]) * 0.5
        return simcc.decode(torch.from_numpy(x), torch.from_numpy(y))

    def _run(self, crops: U8) -> tuple[F32, F32]:
        out = _call(self._compiled, crops)
        return out["simcc_x"], out["simcc_y"]


class OpenVinoDetector:
    """A person detector as MMDeploy exports RTMDet, suppression inside. One call at a time.

    Input ``(1, 3, h, w)``; outputs ``dets (1, n, 5)`` and ``labels (1, n)``.
    """

    def __init__(self, entry: ModelEntry, checkpoint: Path, options: EngineOptions) -> None:
        """Compile ``checkpoint``.

        Raises:
            WeightsCorruptError: not a model of this interface.
        """
        model = _read(checkpoint, {"dets", "labels"})
        self._compiled, precision = _compile(
            model, entry.input_size, options, swap=False, mean=_BGR_MEAN, std=_BGR_STD, batch=1
        )
        self.status = status_of(entry, checkpoint, "detector", precision)

    def infer(self, images: U8) -> list[Detections]:
        """See :class:`deployments.pose.interface.PersonDetector`."""
        return [self._one(image[None]) for image in images]

    def _one(self, image: U8) -> Detections:
        out = _call(self._compiled, image)
        rows, labels = out["dets"][0], out["labels"][0]
        rows = rows[labels == PERSON]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        return Detections(boxes=rows[:, :4].copy(), score=rows[:, 4].copy())


def status_of(entry: ModelEntry, checkpoint: Path, role: str, precision: str) -> ModelStatus:
    """What an OpenVINO engine says of itself."""
    return ModelStatus(
        role=role,
        loaded=True,
        key=entry.key,
        name=entry.name,
        config=entry.config,
        source="mmpose_hub" if entry.sha256 else "local_file",
        engine="openvino",
        device="cpu",
        precision=precision,
        input_size=entry.input_size,
        checkpoint=checkpoint.name,
        nms="in the model" if role == "detector" else "",
        notice=entry.notice,
    )


def _read(checkpoint: Path, outputs: set[str]) -> Any:
    # Before the import: OpenVINO's telemetry must not look for the network.
    os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")
    import openvino as ov

    try:
        model = ov.Core().read_model(checkpoint)
    except RuntimeError as error:
        raise WeightsCorruptError(
            f"{checkpoint.name} is not a readable ONNX model: {str(error).splitlines()[-1]}",
            file=checkpoint.name,
        ) from error
    names = {name for output in model.outputs for name in output.get_names()}
    if len(model.inputs) != 1 or not outputs <= names:
        raise WeightsCorruptError(
            f"{checkpoint.name} has outputs {sorted(names)}, {sorted(outputs)} are needed",
            file=checkpoint.name,
        )
    return model


def _compile(
    model: Any,
    input_size: tuple[int, int],
    options: EngineOptions,
    *,
    swap: bool,
    mean: list[float],
    std: list[float],
    batch: int,
) -> tuple[Any, str]:
    """The network with its preprocessing, and the precision it runs in."""
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    width, height = input_size
    model.reshape([batch, 3, height, width])
    pre = PrePostProcessor(model)
    tensor = pre.input().tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.set_color_format(ColorFormat.BGR)
    steps = pre.input().preprocess()
    if swap:
        steps.convert_color(ColorFormat.RGB)
    steps.convert_element_type(ov.Type.f32).mean(mean).scale(std)
    pre.input().model().set_layout(ov.Layout("NCHW"))
    core = ov.Core()
    capable = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    bf16 = options.precision == "mixed" and capable
    compiled = core.compile_model(
        pre.build(),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": options.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "ENABLE_CPU_PINNING": False,
        },
    )
    return compiled, "bf16" if bf16 else "fp32"


def _call(compiled: Any, images: U8) -> dict[str, F32]:
    try:
        results = compiled(np.ascontiguousarray(images))
    except RuntimeError as error:
        raise InferenceError(f"OpenVINO: {str(error).splitlines()[-1]}") from error
    return {name: results[output] for output in compiled.outputs for name in output.get_names()}
