"""Compile a network for this CPU by OpenVINO, and call it.

The runtime sends nothing anywhere: OpenVINO's telemetry belongs to its model converter, which is
not used.
"""

import fcntl
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from deployments.errors import InferenceError, WeightsCorruptError
from deployments.messages import F32, U8
from deployments.pose.model_options import EngineOptions

CALLS_AT_ONCE = 2
"""Calls of a network that may be under way: one ends, is decoded and waited for beside the next."""

_PART = 4
"""Pictures that go through the network together."""

_REMEDIES = {
    ".onnx": "The ONNX interfaces of exported RTMPose and RTMDet are read; export the model again.",
    ".tflite": "Get the published file: mmpose-service models download movenet_multipose.",
    ".pth": "Run it by torch: MMPOSE_ENGINE=torch.",
}
"""By the suffix of a file that OpenVINO does not read or run."""


class CompiledNetwork:
    """A network compiled for this CPU.

    Pictures are cut into small parts, each on another stream at the same time:
    threads that share a part wait for each other after every layer. Parts of up to
    ``CALLS_AT_ONCE`` calls take turns, so that a stream that one call has no part for has the
    next one's.

    Attributes:
        precision: ``bf16`` or ``fp32``.
    """

    def __init__(self, compiled: Any, streams: int, precision: str) -> None:
        self.precision = precision
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())
        self._threads = ThreadPoolExecutor(streams, "openvino")
        # OpenVINO makes its table of types at the first look at any tensor's data, and two threads
        # that come first together wait for each other for ever: one picture goes through before.
        sides = [side.get_min_length() for side in compiled.input(0).get_partial_shape()][1:]
        self._part(np.zeros((1, *sides), np.uint8))

    def parts(self, pictures: U8, size: int) -> list[list[F32]]:
        """Return outputs for each ``size`` of the pictures (n, h, w, 3), in the network's order.

        Raises:
            InferenceError: OpenVINO failed.
        """
        parts = [pictures[start : start + size] for start in range(0, len(pictures), size)]
        try:
            return list(self._threads.map(self._part, parts))
        except RuntimeError as error:
            raise InferenceError(f"OpenVINO: {last_line(error)}") from error

    def __call__(self, pictures: U8) -> list[F32]:
        """Return outputs (n, ...) for one picture or more, in the network's order.

        Raises:
            InferenceError: OpenVINO failed.
        """
        parts = self.parts(pictures, _PART)
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _part(self, pictures: U8) -> list[F32]:
        request = self._idle.get_nowait()  # there are as many as threads
        try:
            request.start_async({0: np.ascontiguousarray(pictures)})
            request.wait()
            return [tensor.data.copy() for tensor in request.output_tensors]
        finally:
            self._idle.put(request)


def compile_network(
    model: Any,
    checkpoint: Path,
    options: EngineOptions,
    *,
    reverse_channels: bool,
    mean: Sequence[float],
    std: Sequence[float],
) -> CompiledNetwork:
    """Compile a network that takes uint8 BGR pictures (n, h, w, 3).

    Args:
        model: takes normalized (n, 3, h, w).
        checkpoint: its file, for messages. options: threads, batch and precision.
        reverse_channels: whether it takes RGB.
        mean, std: of the normalization, in the order of the model's channels.

    Raises:
        WeightsCorruptError: OpenVINO cannot run it.
    """
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    pre = PrePostProcessor(model.clone())  # it changes what it is given
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
    streams = min(options.cpu_threads, math.ceil(options.batch / _PART))
    settings = {
        "INFERENCE_NUM_THREADS": options.cpu_threads,
        "NUM_STREAMS": streams,
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "ENABLE_CPU_PINNING": False,
    }
    try:
        with _alone():
            compiled = core.compile_model(pre.build(), "CPU", settings)
        return CompiledNetwork(compiled, streams, "bf16" if bf16 else "fp32")
    except RuntimeError as error:
        raise corrupt(checkpoint, f"OpenVINO cannot run it ({last_line(error)})") from error


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process or thread of this machine compiles a network.

    OpenVINO repeats short tasks until each stream's thread has taken one. Two processes that do so
    on two cores starve each other's last thread: for 641 s once, with 2026.4.1.
    """
    import openvino as ov

    with Path(ov.__file__).open("rb") as file:  # a lock needs a file that all processes can open
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def save_network(model: Any, path: Path) -> None:
    """Save ``model`` as ``path`` (.xml) and its weights in the same folder, atomically.

    The .xml is what is looked for: an old one goes before, and a new one comes after the weights.

    Raises:
        OSError, RuntimeError: it cannot be written.
    """
    import openvino as ov

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        made = Path(name) / path.name
        ov.save_model(model, made, compress_to_fp16=False)
        path.unlink(missing_ok=True)
        for suffix in (".bin", ".xml"):
            os.replace(made.with_suffix(suffix), path.with_suffix(suffix))


def corrupt(checkpoint: Path, what: str) -> WeightsCorruptError:
    """Return the error for a file that is not what it should be."""
    what = what.replace(str(checkpoint), checkpoint.name)  # texts of OpenVINO name the whole path
    return WeightsCorruptError(
        f"{checkpoint.name} cannot be used: {what}",
        hint=_REMEDIES.get(checkpoint.suffix),
        private=str(checkpoint),
        file=checkpoint.name,
    )


def last_line(error: Exception) -> str:
    """Return OpenVINO's message without the place in its source."""
    return (str(error).strip() or repr(error)).splitlines()[-1]
