"""Decoding SimCC, one coordinate an axis: keypoints, scores and their spread.

Everything is torch, so that it runs where the network runs.
"""

import math
from functools import cache

import torch
from torch import Tensor

from deployments.messages import CropPoses

SPLIT_RATIO = 2.0
"""Bins a crop pixel, of the registered RTMPose configs."""

TARGET_SIGMA_BINS = (4.9, 5.66)
"""Standard deviation (x, y) of the training target for 192x256 crops, bins."""

BETA = 10.0
"""Temperature of the softmax that RTMPose is trained through (KLDiscretLoss)."""

WINDOW_BINS = 12
SIGMA_MIN_PX = 0.5


def decode(simcc_x: Tensor, simcc_y: Tensor) -> CropPoses:
    """Keypoints of SimCC vectors, as MMPose's ``SimCCLabel`` decodes them.

    A point is the argmax of each axis, its score the smaller of the two maxima. Where that is not
    positive there is no point: NaN, with score 0.

    The standard deviation comes from the spread about the maximum: a softmax with the trained
    temperature, its flat background taken off, moments within 12 bins; what a perfect prediction
    has is taken off in squares, and half a pixel is added for the grid. Uncalibrated. A model that
    gives SimCC without having been trained through that softmax goes through the same recipe.

    Args:
        simcc_x: (n, k, bins of x). simcc_y: (n, k, bins of y).
    """
    simcc_x, simcc_y = simcc_x.float(), simcc_y.float()
    (max_x, at_x), (max_y, at_y) = simcc_x.max(-1), simcc_y.max(-1)
    raw = torch.minimum(max_x, max_y)
    points = torch.stack((at_x, at_y), -1).float() / SPLIT_RATIO
    points[raw <= 0] = math.nan
    sigma = torch.stack(
        [
            _spread(axis, at, _floor_bins(axis.shape[-1], target))
            for axis, at, target in zip(
                (simcc_x, simcc_y), (at_x, at_y), TARGET_SIGMA_BINS, strict=True
            )
        ],
        -1,
    )
    sigma[raw <= 0] = math.nan
    return CropPoses(
        keypoints=points.cpu().numpy(),
        score=raw.clamp(0, 1).cpu().numpy(),
        raw_score=raw.cpu().numpy(),
        sigma=sigma.cpu().numpy(),
    )


def _spread(response: Tensor, at: Tensor, floor_bins: float) -> Tensor:
    """Standard deviation (n, k) in crop pixels of the responses (n, k, bins) about ``at``."""
    local = _local_sd_bins(response, at)
    excess = (local.square() - floor_bins**2).clamp(min=0) / SPLIT_RATIO**2
    return (excess + SIGMA_MIN_PX**2).sqrt()


def _local_sd_bins(response: Tensor, at: Tensor) -> Tensor:
    probability = torch.softmax(BETA * response, -1)
    # The flat part: most bins are far from the peak, so their median is background.
    probability = probability - probability.median(-1, keepdim=True).values
    offset = torch.arange(response.shape[-1], device=response.device) - at[..., None]
    weight = torch.where(offset.abs() <= WINDOW_BINS, probability.clamp(min=0), 0.0)
    total = weight.sum(-1).clamp(min=torch.finfo(weight.dtype).tiny)
    mean = (weight * offset).sum(-1) / total
    square = (weight * offset.square()).sum(-1) / total
    return (square - mean.square()).clamp(min=0).sqrt()


@cache
def _floor_bins(bins: int, target_sigma: float) -> float:
    """Local standard deviation of a perfect prediction, by the same recipe."""
    at = torch.tensor(bins // 2)
    perfect = torch.exp(-0.5 * ((torch.arange(bins) - at) / target_sigma) ** 2)
    return float(_local_sd_bins(perfect, at))
