"""What OpenVINO is asked to do: compile a network for this CPU, and call it.

The runtime sends nothing anywhere: OpenVINO's telemetry belongs to its model converter, which is
not used.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deployments.errors import InferenceError, WeightsCorruptError
from deployments.messages import F32, U8
from deployments.pose.options import EngineOptions


def compile_network(
    model: Any,
    checkpoint: Path,
    options: EngineOptions,
    *,
    reverse_channels: bool,
    mean: Sequence[float],
    std: Sequence[float],
) -> tuple[Any, str]:
    """A model that takes uint8 BGR pictures (n, h, w, 3), and the precision it runs in.

    Args:
        model: takes normalised (n, 3, h, w).
        checkpoint: its file, for messages. options: threads and precision.
        reverse_channels: whether it takes RGB.
        mean, std: of the normalisation, in the order of the model's channels.

    Raises:
        WeightsCorruptError: OpenVINO cannot run it.
    """
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    pre = PrePostProcessor(model)
    tensor = pre.input().tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.set_color_format(ColorFormat.BGR)
    steps = pre.input().preprocess()
    if reverse_channels:
        steps.convert_color(ColorFormat.RGB)
    steps.convert_element_type(ov.Type.f32).mean(list(mean)).scale(list(std))
    pre.input().model().set_layout(ov.Layout("NCHW"))
    core = ov.Core()
    capable = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    bf16 = options.precision == "mixed" and capable
    settings = {
        "INFERENCE_NUM_THREADS": options.cpu_threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "ENABLE_CPU_PINNING": False,
    }
    try:
        compiled = core.compile_model(pre.build(), "CPU", settings)
    except RuntimeError as error:
        raise corrupt(checkpoint, f"OpenVINO cannot run it ({last_line(error)})") from error
    return compiled, "bf16" if bf16 else "fp32"


def call(compiled: Any, pictures: U8) -> list[F32]:
    """Outputs of a compiled network for pictures (n, h, w, 3), in the order of ``outputs``.

    Raises:
        InferenceError: OpenVINO failed.
    """
    try:
        results = compiled(np.ascontiguousarray(pictures))
    except RuntimeError as error:
        raise InferenceError(f"OpenVINO: {last_line(error)}") from error
    return [results[output] for output in compiled.outputs]


def corrupt(checkpoint: Path, what: str) -> WeightsCorruptError:
    """The error for a file that is not what it should be."""
    return WeightsCorruptError(
        f"{checkpoint} cannot be used: {what}",
        hint="The ONNX interfaces of exported RTMPose and RTMDet are read; export the model again.",
        file=checkpoint.name,
    )


def last_line(error: Exception) -> str:
    """What OpenVINO says after where in its source it says it."""
    return (str(error).strip() or repr(error)).splitlines()[-1]
