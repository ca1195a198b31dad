"""Define what differs between families of networks.

Registries are read before any network is built, so the engines are imported where they are used.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.pose.interface import PersonDetector
from deployments.pose.model_options import EngineOptions

if TYPE_CHECKING:
    from deployments.pose.codecs.responses import Codec
    from deployments.pose.engines.converted import PoseSource
    from deployments.pose.registry import ModelEntry


@dataclass(frozen=True, slots=True)
class Family:
    """Networks of MMPose or MMDetection: from a ``.pth`` with its config, or exported as ONNX.

    A family of another origin overrides ``pose_source`` and ``detector``.

    Attributes:
        name, codec: as the registry file has them.
        decoder: type of the codec in MMPose's configs; empty where there is none.
        formats: suffixes of its checkpoints.
        multiple: pixels of which the sides of its input are whole multiples.
        of_openmmlab: whether its published checkpoints are from there.
    """

    name: str
    codec: str
    decoder: str = ""
    formats: tuple[str, ...] = (".pth", ".onnx")
    multiple: int = 1
    of_openmmlab: bool = True

    def codec_of(self, model_config: Any, entry: "ModelEntry") -> "Codec":
        """Return the codec that a config with this family's decoder states."""
        raise NotImplementedError(f"family {self.name} has no decoder in MMPose's configs")

    def pose_source(
        self, entry: "ModelEntry", checkpoint: Path, options: EngineOptions, quantized: Any | None
    ) -> "PoseSource":
        """Return a pose network for OpenVINO; ``quantized`` is its int8 model, if there is one.

        Raises:
            WeightsCorruptError: damaged, or another network.
            ConfigurationError: the entry does not fit its config.
        """
        from deployments.pose.engines.converted import converted_pose
        from deployments.pose.engines.openvino_engine import exported_pose

        if checkpoint.suffix == ".onnx":
            return exported_pose(entry, checkpoint)
        return converted_pose(entry, checkpoint, options, quantized)

    def detector(
        self, entry: "ModelEntry", checkpoint: Path, options: EngineOptions
    ) -> PersonDetector:
        """Load a person detector.

        Raises:
            WeightsCorruptError: damaged, or another network.
            ConfigurationError: the device is not here, or its config.
        """
        if checkpoint.suffix == ".onnx":
            from deployments.pose.engines.openvino_engine import OpenVinoDetector

            return OpenVinoDetector(entry, checkpoint, options)
        if by_openvino(checkpoint, options):
            from deployments.pose.engines.converted import ConvertedDetector

            return ConvertedDetector(entry, checkpoint, options)
        from deployments.pose.engines.torch_engine import TorchDetector

        return TorchDetector(entry, checkpoint, options)


def by_openvino(checkpoint: Path, options: EngineOptions) -> bool:
    """Return whether OpenVINO runs ``checkpoint``: torch reads ``.pth`` only.

    Raises:
        ConfigurationError: the device is not here.
    """
    if checkpoint.suffix != ".pth":
        return True
    if options.engine != "auto":
        return options.engine == "openvino"
    from deployments.pose.engines.torch_engine import choose_device

    return choose_device(options.device).type == "cpu"
