"""RTMPose that also learns, from its backbone's last two levels, roughly where each point is.

From random weights the head alone is slow to teach the backbone anything. The two layers that say
in which cell of a level a point lies do so sooner; they are left out of what is exported.
"""

from typing import Any

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import Tensor
from torch.nn.functional import log_softmax


@MODELS.register_module(force=True)
class CoarselySupervised(TopdownPoseEstimator):  # type: ignore[misc]
    """A top-down estimator of SimCC labels with a loss on the cells of its backbone's levels.

    Args:
        channels: of each level that the backbone gives, finest first.
        weight: of the added loss.
    """

    def __init__(self, channels: list[int], weight: float = 0.1, **parts: Any) -> None:
        super().__init__(**parts)
        points = self.head.out_channels
        self.cells = torch.nn.ModuleList([torch.nn.Conv2d(c, points, 1) for c in channels])
        self._weight = weight
        self.to(memory_format=torch.channels_last)  # before gradients are shared

    def loss(self, inputs: Tensor, data_samples: list[Any]) -> dict[str, Tensor]:
        """The head's own loss, and ``loss_cells``."""
        levels = self.extract_feat(inputs)
        labels = [sample.gt_instance_labels for sample in data_samples]
        x = torch.cat([label.keypoint_x_labels for label in labels])
        y = torch.cat([label.keypoint_y_labels for label in labels])
        weights = torch.cat([label.keypoint_weights for label in labels])
        missed = torch.stack(
            [
                cross_entropy(layer(level), x, y, weights)
                for layer, level in zip(self.cells, levels, strict=True)
            ]
        )
        return {
            **self.head.loss(levels, data_samples, train_cfg=self.train_cfg),
            "loss_cells": self._weight * missed.sum(),
        }


def cross_entropy(scores: Tensor, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Mean of what ``scores`` miss of where the points are, nats.

    Args:
        scores: (b, k, h, w) of cells, any scale. x, y: (b, k, w * s), (b, k, h * t) SimCC labels.
        weights: (b, k) of the points.
    """
    batch, points, height, width = scores.shape
    across = x.view(batch, points, width, -1).sum(-1)
    down = y.view(batch, points, height, -1).sum(-1)
    there = (down[..., :, None] * across[..., None, :]).flatten(2)
    there = there / there.sum(-1, keepdim=True).clamp(min=1e-6)
    missed = -(log_softmax(scores.flatten(2), -1) * there).sum(-1)
    return (missed * weights).sum() / weights.sum().clamp(min=1)
