"""Turn network responses into keypoints with their spread, for all codecs (torch)."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from deployments.messages import CropPoses

SIGMA_MIN_PX = 0.5
"""Least standard deviation of a coordinate, crop pixels."""


class Codec(Protocol):
    """Decode responses of a pose network, float32 tensors (n, k, ...), into keypoints."""

    def mirror(self, responses: Sequence[Tensor]) -> list[Tensor]:
        """Mirror responses to a mirrored crop back."""
        ...

    def decode(self, responses: Sequence[Tensor]) -> CropPoses:
        """Decode keypoints of n crops, in crop pixels."""
        ...


def local_variance(response: Tensor, at: Tensor, window: int) -> Tensor:
    """Return the variance (n, k) of responses (n, k, length) in ``window`` of ``at`` (n, k), bins.

    The background is taken off first: most bins are far from the peak, so it is their median.
    """
    offset = torch.arange(-window, window + 1, device=response.device)
    bins = at[..., None] + offset
    last = response.shape[-1] - 1
    near = response.gather(-1, bins.clamp(0, last)) - _median(response)
    weight = torch.where((bins >= 0) & (bins <= last), near.clamp(min=0), 0.0)
    total = weight.sum(-1).clamp(min=torch.finfo(weight.dtype).tiny)
    mean = (weight * offset).sum(-1) / total
    return (weight * offset.square()).sum(-1) / total - mean.square()


def lines_through(heatmaps: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the row (n, k, w) and column (n, k, h) of heatmaps through the cells x, y (n, k)."""
    n, k, height, width = heatmaps.shape
    row = heatmaps.gather(2, y[..., None, None].expand(n, k, 1, width))[:, :, 0]
    column = heatmaps.gather(3, x[..., None, None].expand(n, k, height, 1))[..., 0]
    return row, column


def excess_variance(
    lines: Sequence[Tensor], places: Sequence[Tensor], window: int, target_sigma: float
) -> Tensor:
    """Return the variance (n, k, 2) of two lines about their places beyond a perfect response's.

    Args:
        lines: row and column, each (n, k, length). places: of the maximum in each, (n, k).
        window: cells about it. target_sigma: standard deviation of a perfect response, cells.
    """
    return torch.stack(
        [
            local_variance(line, at, window)
            - _perfect_variance(line.shape[-1], window, target_sigma)
            for line, at in zip(lines, places, strict=True)
        ],
        -1,
    )


@cache
def _perfect_variance(length: int, window: int, target_sigma: float) -> float:
    """Return the variance of a perfect response by the same recipe, square cells."""
    at = torch.tensor(length // 2)
    perfect = torch.exp(-0.5 * ((torch.arange(length) - at) / target_sigma) ** 2)
    return float(local_variance(perfect, at, window))


def _median(response: Tensor) -> Tensor:
    """Return the median (n, k, 1), the lower one of an even number."""
    if response.device.type != "cpu":
        return response.median(-1, keepdim=True).values
    middle = (response.shape[-1] - 1) // 2  # torch's own takes seven times as long on a CPU
    return torch.from_numpy(np.partition(response.numpy(), middle, -1)[..., middle : middle + 1])


def to_poses(points: Tensor, raw: Tensor, excess: Tensor) -> CropPoses:
    """Return keypoints as they leave an engine.

    Where the response is not positive, or not finite as after an overflow in half precision, there
    is no point: NaN, with score 0.

    Args:
        points: (n, k, 2) crop pixels. raw: (n, k) maxima.
        excess: (n, k, 2) variance beyond that of a perfect response, crop pixels squared.
    """
    finite = raw.isfinite()
    missing = ~(finite & (raw > 0))
    sigma = (excess.clamp(min=0) + SIGMA_MIN_PX**2).sqrt()
    raw = torch.where(finite, raw, 0.0)
    return CropPoses(
        keypoints=points.masked_fill(missing[..., None], math.nan).cpu().numpy(),
        score=raw.clamp(0, 1).cpu().numpy(),
        raw_score=raw.cpu().numpy(),
        sigma=sigma.masked_fill(missing[..., None], math.nan).cpu().numpy(),
    )
