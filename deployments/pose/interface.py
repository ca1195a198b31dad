"""Define the two verbs every model has, whatever runs it.

``calls_at_once`` is how many of a model's calls may be under way, each in another thread.
"""

from typing import Protocol

from deployments.messages import U8, CropPoses, Detections, ModelStatus


class PoseModel(Protocol):
    """Crops in, keypoints out."""

    status: ModelStatus
    calls_at_once: int

    def infer(self, crops: U8) -> CropPoses:
        """Return the keypoints of ``crops`` (n, height, width, 3) uint8 BGR, n >= 0.

        Raises:
            InferenceError: the network failed.
        """
        ...


class PersonDetector(Protocol):
    """Letterboxed pictures in, people out."""

    status: ModelStatus
    calls_at_once: int

    def infer(self, images: U8) -> list[Detections]:
        """Detect people in ``images`` (n, height, width, 3) uint8 BGR, boxes in input pixels.

        A picture is scaled to fit the input with its aspect kept, put at the top left, and the rest
        is filled with 114.

        Raises:
            InferenceError: the network failed.
        """
        ...
