"""Decode SimCC, one vector of responses an axis: keypoints, scores and their spread.

Everything is torch, so that it runs where the network runs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from biomech.skeleton import MIRROR
from deployments.messages import CropPoses
from deployments.pose.codecs.responses import local_variance, to_poses

BETA = 10.0
"""Temperature of the softmax that RTMPose is trained through (``KLDiscretLoss``)."""

WINDOW_BINS = 12


def target_sigma_bins(input_size: tuple[int, int]) -> tuple[float, float]:
    """Return deviations (x, y) of the training target, bins, for crops of (width, height).

    RTMPose's configs have 4.9, 5.66, 6 and 6.93 for 192, 256, 288 and 384 pixels: the root of an
    eighth of the size.
    """
    width, height = input_size
    return round(math.sqrt(width / 8), 2), round(math.sqrt(height / 8), 2)


@dataclass(frozen=True, slots=True)
class SimccCodec:
    """Responses are (n, k, bins of x) and (n, k, bins of y).

    Attributes:
        split_ratio: bins a crop pixel.
        target_sigma: standard deviation (x, y) of the training target, bins.
    """

    split_ratio: float
    target_sigma: tuple[float, float]

    def mirror(self, responses: Sequence[Tensor]) -> list[Tensor]:
        """Mirror responses to a mirrored crop back: sides swapped, x reversed."""
        x, y = responses
        return [x[:, MIRROR].flip(-1), y[:, MIRROR]]

    def decode(self, responses: Sequence[Tensor]) -> CropPoses:
        """Decode keypoints as MMPose's ``SimCCLabel`` does.

        A point is the argmax of each axis, its score the smaller of the two maxima. Where that is
        not positive there is no point: NaN, with score 0.

        The standard deviation comes from the spread about the maximum: a softmax with the trained
        temperature, its flat background taken off, moments within 12 bins; the variance of a
        perfect prediction is taken off, that of half a crop pixel added. It is not calibrated. A
        model that gives SimCC without having been trained through that softmax goes through the
        same recipe.
        """
        maxima, places = zip(*(r.max(-1) for r in responses), strict=True)
        excess = torch.stack(
            [
                _variance(response, at) - _floor(response.shape[-1], sigma)
                for response, at, sigma in zip(responses, places, self.target_sigma, strict=True)
            ],
            -1,
        )
        whole = torch.maximum(*maxima).isfinite()  # else the smaller would hide an overflow
        return to_poses(
            points=torch.stack(places, -1) / self.split_ratio,
            raw=torch.where(whole, torch.minimum(*maxima), math.nan),
            excess=excess / self.split_ratio**2,
        )


def _variance(response: Tensor, at: Tensor) -> Tensor:
    return local_variance(torch.softmax(BETA * response, -1), at, WINDOW_BINS)


@cache
def _floor(bins: int, target_sigma: float) -> float:
    """Return the variance of a perfect prediction by the same recipe, square bins."""
    at = torch.tensor(bins // 2)
    perfect = torch.exp(-0.5 * ((torch.arange(bins) - at) / target_sigma) ** 2)
    return float(_variance(perfect, at))
