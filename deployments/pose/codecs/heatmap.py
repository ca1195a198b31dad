"""Decode heatmaps: keypoints, scores and their spread. Torch, where the network runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from biomech.skeleton import MIRROR
from deployments.messages import CropPoses
from deployments.pose.codecs.responses import excess_variance, lines_through, to_poses

WINDOW = 6
"""Heatmap pixels about the maximum: where the training target ends, three times its sigma."""


@dataclass(frozen=True, slots=True)
class HeatmapCodec:
    """Responses are one tensor of heatmaps (n, k, h, w).

    Attributes:
        stride: crop pixels a heatmap pixel, (x, y).
        target_sigma: standard deviation of the training target, heatmap pixels.
        shift: whether a mirrored crop's heatmaps are moved one pixel right to lie over the crop's.
    """

    stride: tuple[float, float]
    target_sigma: float
    shift: bool

    def mirror(self, responses: Sequence[Tensor]) -> list[Tensor]:
        """Mirror heatmaps of a mirrored crop back: sides swapped, x reversed."""
        (heatmaps,) = responses
        heatmaps = heatmaps[:, MIRROR].flip(-1)
        if self.shift:
            heatmaps = torch.cat((heatmaps[..., :1], heatmaps[..., :-1]), -1)
        return [heatmaps]

    def decode(self, responses: Sequence[Tensor]) -> CropPoses:
        """Decode keypoints as MMPose's ``MSRAHeatmap`` does.

        The maximum, moved a quarter pixel toward its larger neighbour on each axis. Where the
        maximum is not positive there is no point: NaN, with score 0.

        The standard deviation comes from the moments of the row and the column through the maximum
        within 6 pixels; the variance of a perfect response is taken off, that of half a crop pixel
        added. It is not calibrated.
        """
        (heatmaps,) = responses
        height, width = heatmaps.shape[2:]
        raw, flat = heatmaps.flatten(2).max(-1)
        x, y = flat % width, flat // width
        row, column = lines_through(heatmaps, x, y)
        excess = excess_variance((row, column), (x, y), WINDOW, self.target_sigma)
        # The bounds, uneven as they are, are those of MMPose's refine_keypoints.
        inside_x = (x > 1) & (x < width - 1) & (y > 0)
        inside_y = (y > 1) & (y < height - 1) & (x > 0)
        quarter = torch.stack(
            (
                torch.where(inside_x, _slope_sign(row, x), 0.0),
                torch.where(inside_y, _slope_sign(column, y), 0.0),
            ),
            -1,
        )
        scale = torch.tensor(self.stride, device=heatmaps.device)
        return to_poses(
            points=(torch.stack((x, y), -1) + 0.25 * quarter) * scale,
            raw=raw,
            excess=excess * scale.square(),
        )


def _slope_sign(line: Tensor, at: Tensor) -> Tensor:
    """Sign of the difference of the two neighbours of ``at`` (n, k) on ``line`` (n, k, length)."""
    last = line.shape[-1] - 1
    after = line.gather(2, (at + 1).clamp(max=last)[..., None])[..., 0]
    before = line.gather(2, (at - 1).clamp(min=0)[..., None])[..., 0]
    return (after - before).sign()
