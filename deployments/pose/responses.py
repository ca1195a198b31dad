"""What both codecs share: the spread of a response, and what is returned of it. Torch."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from deployments.messages import CropPoses

SIGMA_MIN_PX = 0.5
"""Least standard deviation of a coordinate, crop pixels."""


class Codec(Protocol):
    """How the responses of a pose network, float32 tensors (n, k, ...), become keypoints."""

    def mirror(self, responses: Sequence[Tensor]) -> list[Tensor]:
        """Responses to a mirrored crop as those to the crop itself."""
        ...

    def decode(self, responses: Sequence[Tensor]) -> CropPoses:
        """Keypoints of n crops, in crop pixels."""
        ...


def local_variance(response: Tensor, at: Tensor, window: int) -> Tensor:
    """Variance (n, k) of responses (n, k, length) within ``window`` of ``at`` (n, k), in bins.

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


def _median(response: Tensor) -> Tensor:
    """(n, k, 1), the lower one of an even number."""
    if response.device.type != "cpu":
        return response.median(-1, keepdim=True).values
    middle = (response.shape[-1] - 1) // 2  # torch's own takes seven times as long on a CPU
    return torch.from_numpy(np.partition(response.numpy(), middle, -1)[..., middle : middle + 1])


def to_poses(points: Tensor, raw: Tensor, excess: Tensor) -> CropPoses:
    """Keypoints as they leave an engine.

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
