"""Run MoveNet MultiPose on the CPU by OpenVINO, from the published ``.tflite``.

The published graph takes one picture, and decodes it inside. Here it is cut before its
normalization and at its heads: it then takes any number of pictures, of any size in whole multiples
of 32, and gives the heatmaps.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deployments.media.picture import LETTERBOX_FILL
from deployments.messages import U8, Detections
from deployments.pose.codecs.movenet import Heads, MoveNetCodec, people_in
from deployments.pose.engines.batch_checks import check_pictures
from deployments.pose.engines.converted import PoseSource
from deployments.pose.engines.openvino_runtime import (
    CALLS_AT_ONCE,
    compile_network,
    corrupt,
    last_line,
)
from deployments.pose.engines.status import status_of
from deployments.pose.families.movenet import MULTIPLE
from deployments.pose.model_options import EngineOptions
from deployments.pose.registry import ModelEntry
from deployments.roles import ModelRole

_MEAN = _STD = [127.5] * 3

# Names of the published graph: the normalized picture, the heads for keypoints, those for boxes,
# and the heads that a sigmoid follows.
_INPUT = "sub_1"
_KEYPOINTS = ("kpt_heatmap_0", "center_0", "kpt_regress_0", "kpt_offset_0")
_BOXES = ("box_scale_0", "box_offset_0")
_MAPS = ("kpt_heatmap_0", "center_0")


def movenet_pose(entry: ModelEntry, checkpoint: Path) -> PoseSource:
    """Return the network for crops of the entry's input size, with the heads of its codec.

    Raises:
        WeightsCorruptError: not a MoveNet MultiPose.
    """
    width, height = entry.input_size
    return PoseSource(
        model=_heads(checkpoint, [-1, 3, height, width], _KEYPOINTS),
        places=tuple(range(len(_KEYPOINTS))),
        codec=MoveNetCodec(),
        reverse_channels=True,
        mean=_MEAN,
        std=_STD,
    )


class MoveNetDetector:
    """A person detector: the network on whole pictures, without what a letterbox fills in."""

    calls_at_once = CALLS_AT_ONCE

    def __init__(self, entry: ModelEntry, checkpoint: Path, options: EngineOptions) -> None:
        """Compile ``checkpoint``.

        Raises:
            WeightsCorruptError: not a MoveNet MultiPose.
        """
        width, height = entry.input_size
        sides = [(MULTIPLE, height), (MULTIPLE, width)]
        model = _heads(checkpoint, [-1, 3, *sides], (*_KEYPOINTS, *_BOXES))
        self._network = compile_network(
            model, checkpoint, options, reverse_channels=False, mean=_MEAN, std=_STD
        )
        torch.set_num_threads(1)  # torch only decodes; see OpenVinoPose
        self.status = status_of(
            entry,
            checkpoint,
            ModelRole.DETECTOR,
            engine="openvino",
            device="cpu",
            precision=self._network.precision,
            nms="peaks of the center map",
        )

    def infer(self, images: U8) -> list[Detections]:
        """See :class:`deployments.pose.interface.PersonDetector`."""
        check_pictures(images, self.status.input_size)
        # OpenVINO 2026.4 loses a reversal of channels where the sides of the pictures may vary.
        shown = _without_fill(images)[..., ::-1]
        found = []
        for outputs in self._network.parts(shown, 1):
            heat, center, displacement, offset, size, middle = map(torch.from_numpy, outputs)
            found += people_in(Heads(heat, center, displacement, offset), size, middle)
        return found


def _without_fill(images: U8) -> U8:
    """Cut off the filled right and bottom that all pictures share, up to whole multiples of 32."""
    filled = (images == LETTERBOX_FILL).all(axis=(0, 3))
    sides = []
    for axis in (0, 1):
        shown = np.flatnonzero(~filled.all(axis=1 - axis))
        last = shown[-1] + 1 if len(shown) else 1
        sides.append(-(-int(last) // MULTIPLE) * MULTIPLE)
    return images[:, : sides[0], : sides[1]]


def _heads(checkpoint: Path, shape: list[Any], names: Sequence[str]) -> Any:
    """Read the graph from its normalized input of ``shape`` to the heads called ``names``.

    Raises:
        WeightsCorruptError: not a graph of these layers.
    """
    import openvino as ov
    from openvino import opset13 as ops

    try:
        model = ov.Core().read_model(checkpoint)
    except RuntimeError as error:
        raise corrupt(checkpoint, f"it is not a readable model ({last_line(error)})") from error
    # A head's last convolution, by the name that its weights have in the published graph.
    convolutions = {
        name.partition("/")[0]: node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Convolution"
        for name in node.input_value(1).get_names()
    }
    normalized = [o for node in model.get_ops() for o in node.outputs() if _INPUT in o.get_names()]
    if len(normalized) != 1 or any(name not in convolutions for name in names):
        raise corrupt(checkpoint, "it has not the layers of the published MoveNet MultiPose")
    picture = ops.parameter(ov.PartialShape(shape), np.float32)
    for consumer in normalized[0].get_target_inputs():
        consumer.replace_source_output(picture.output(0))
    outputs = []
    for name in names:
        (with_bias,) = (i.get_node() for i in convolutions[name].output(0).get_target_inputs())
        outputs.append(ops.sigmoid(with_bias) if name in _MAPS else with_bias)
    return ov.Model(outputs, [picture], "movenet")
