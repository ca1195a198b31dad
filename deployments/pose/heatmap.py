"""Decoding heatmaps: keypoints, scores and their spread. Torch, on the network's device."""

import math
from functools import cache

import torch
from torch import Tensor

from deployments.messages import CropPoses

STRIDE = 4.0
"""Crop pixels a heatmap pixel, of the registered HRNet config."""

TARGET_SIGMA = 2.0
"""Standard deviation of the training target, heatmap pixels (``MSRAHeatmap``)."""

WINDOW = 6
SIGMA_MIN_PX = 0.5


def decode(heatmaps: Tensor) -> CropPoses:
    """Keypoints of heatmaps (n, k, h, w), as MMPose's ``MSRAHeatmap`` decodes them.

    The maximum, moved a quarter pixel toward its larger neighbour on each axis. Where the maximum
    is not positive there is no point: NaN, with score 0. The standard deviation comes from the
    moments of the row and the column through the maximum within 6 pixels, less what the training
    target itself has; uncalibrated.
    """
    heatmaps = heatmaps.float()
    n, k, height, width = heatmaps.shape
    raw, flat = heatmaps.reshape(n, k, -1).max(-1)
    x, y = flat % width, flat // width
    row = heatmaps.gather(2, y[..., None, None].expand(n, k, 1, width))[:, :, 0]
    column = heatmaps.gather(3, x[..., None, None].expand(n, k, height, 1))[..., 0]
    # The bounds, uneven as they are, are those of MMPose's refine_keypoints.
    inside_x = (x > 1) & (x < width - 1) & (y > 0)
    inside_y = (y > 1) & (y < height - 1) & (x > 0)
    points = torch.stack(
        (
            x + 0.25 * torch.where(inside_x, _slope_sign(row, x), 0.0),
            y + 0.25 * torch.where(inside_y, _slope_sign(column, y), 0.0),
        ),
        -1,
    )
    sigma = torch.stack((_spread(row, x), _spread(column, y)), -1)
    missing = raw <= 0
    points, sigma = points * STRIDE, sigma * STRIDE
    sigma = (sigma.square() + SIGMA_MIN_PX**2).sqrt()
    points[missing] = math.nan
    sigma[missing] = math.nan
    return CropPoses(
        keypoints=points.cpu().numpy(),
        score=raw.clamp(0, 1).cpu().numpy(),
        raw_score=raw.cpu().numpy(),
        sigma=sigma.cpu().numpy(),
    )


def _slope_sign(line: Tensor, at: Tensor) -> Tensor:
    """Sign of the difference of the two neighbours of ``at`` (n, k) on ``line`` (n, k, length)."""
    last = line.shape[-1] - 1
    after = line.gather(2, (at + 1).clamp(max=last)[..., None])[..., 0]
    before = line.gather(2, (at - 1).clamp(min=0)[..., None])[..., 0]
    return (after - before).sign()


def _spread(line: Tensor, at: Tensor) -> Tensor:
    """What the response spreads beyond a perfect one, heatmap pixels (n, k)."""
    return (_local_sd(line, at).square() - _floor(line.shape[-1]) ** 2).clamp(min=0).sqrt()


def _local_sd(line: Tensor, at: Tensor) -> Tensor:
    line = line - line.median(-1, keepdim=True).values
    offset = torch.arange(line.shape[-1], device=line.device) - at[..., None]
    weight = torch.where(offset.abs() <= WINDOW, line.clamp(min=0), 0.0)
    total = weight.sum(-1).clamp(min=torch.finfo(weight.dtype).tiny)
    mean = (weight * offset).sum(-1) / total
    square = (weight * offset.square()).sum(-1) / total
    return (square - mean.square()).clamp(min=0).sqrt()


@cache
def _floor(length: int) -> float:
    at = torch.tensor(length // 2)
    perfect = torch.exp(-0.5 * ((torch.arange(length) - at) / TARGET_SIGMA) ** 2)
    return float(_local_sd(perfect, at))
