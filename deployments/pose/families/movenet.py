"""Define MoveNet MultiPose: one published graph, for crops and for whole pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deployments.pose.families.family import Family
from deployments.pose.interface import PersonDetector
from deployments.pose.model_options import EngineOptions

if TYPE_CHECKING:
    from deployments.pose.engines.converted import PoseSource
    from deployments.pose.registry import ModelEntry

MULTIPLE: Final = 32
"""Pixels of which the sides of the input are whole multiples."""


class MoveNet(Family):
    """The graph in ``.tflite``, by OpenVINO whatever the options say."""

    def pose_source(
        self, entry: "ModelEntry", checkpoint: Path, options: EngineOptions, quantized: Any | None
    ) -> "PoseSource":
        """Return the graph up to its heads for keypoints."""
        from deployments.pose.engines.movenet_graph import movenet_pose

        return movenet_pose(entry, checkpoint)

    def detector(
        self, entry: "ModelEntry", checkpoint: Path, options: EngineOptions
    ) -> PersonDetector:
        """Load the graph up to its heads for boxes."""
        from deployments.pose.engines.movenet_graph import MoveNetDetector

        return MoveNetDetector(entry, checkpoint, options)


FAMILY: Final = MoveNet(
    "movenet", codec="centers", formats=(".tflite",), multiple=MULTIPLE, of_openmmlab=False
)
