"""Decode MoveNet MultiPose's heads: the people of a picture, and the keypoints of a crop.

The network finds people by their centers, as CenterNet does (Zhou et al., 2019, arXiv:1904.07850).
A peak of the center map is a person, displacements regressed at the peak give the rough places of
the keypoints, and each keypoint is the maximum of its heatmap near its place, refined by an offset.

Places are cells of the heads, or pixels of the input whose first pixel spans 0 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from biomech.skeleton import MIRROR
from deployments.messages import CropPoses, Detections
from deployments.pose.codecs.responses import excess_variance, lines_through, to_poses

STRIDE: Final = 4
"""Pixels of the input a cell."""

MOST_PEOPLE: Final = 6
"""People found in a picture at most, as in the published graph."""

WINDOW_CELLS: Final = 4

TARGET_SIGMA_CELLS: Final = 1.0
"""Standard deviation of a perfect response.

It is not published, and varies with the person's size. One is the root of the tenth percentile of
the spread of 108 keypoints of score over 0.6 on the four labelled photographs. With it, sigma has a
root mean square of 4.3 pixels of the crop there, and the error 3.8.
"""

# Constants of the published graph; the last is that of the published network for one person.
_PEAK_CELLS = 5
_NEARNESS = 0.3
_SEEN = 0.127
_CENTER_CELLS = 1.8


@dataclass(frozen=True, slots=True)
class Heads:
    """Responses for n pictures, float32 (n, channels, h, w); pairs have y before x.

    Attributes:
        heat: (n, k, h, w) keypoint heatmaps in [0, 1].
        center: (n, 1, h, w) center map in [0, 1].
        displacement: (n, 2k, h, w) cells from a center to its keypoints.
        offset: (n, 2k, h, w) cells from the corner of a cell to the keypoint in it.
    """

    heat: Tensor
    center: Tensor
    displacement: Tensor
    offset: Tensor

    def keypoints(
        self, row: Tensor, column: Tensor, inside: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Find the keypoints of one person a picture.

        Args:
            row, column: (n,) cell of the person's center.
            inside: (n, h, w) where keypoints may be; None for everywhere.

        Returns:
            (n, k, 2) x, y in pixels; (n, k) scores; (n, k) flat index of the keypoints' cells.
        """
        n, k, height, width = self.heat.shape
        center = (row * width + column)[:, None, None].expand(n, 2 * k, 1)
        moved = self.displacement.flatten(2).gather(2, center).view(n, k, 2)
        dy = torch.arange(height) - (row[:, None] + moved[..., 0])[..., None]
        dx = torch.arange(width) - (column[:, None] + moved[..., 1])[..., None]
        scale = -1 / (_NEARNESS * min(height, width))
        near = (dy.square() * scale).exp()[..., None] * (dx.square() * scale).exp()[:, :, None]
        if inside is not None:
            near = near * inside[:, None]
        score, cell = (self.heat * near).flatten(2).max(-1)
        offsets = self.offset.view(n, k, 2, height * width)
        offsets = offsets.gather(3, cell[..., None, None].expand(n, k, 2, 1))
        place = torch.stack((cell % width, cell // width), -1) + offsets[..., 0].flip(-1)
        return place * STRIDE, score, cell


@dataclass(frozen=True, slots=True)
class MoveNetCodec:
    """Keypoints of crops; responses are heat, center, displacement and offset of :class:`Heads`."""

    def mirror(self, responses: Sequence[Tensor]) -> list[Tensor]:
        """Mirror responses to a mirrored crop back: sides swapped, x reversed."""
        heat, center, displacement, offset = (r.flip(-1) for r in responses)
        n, k, height, width = heat.shape
        displacement, offset = (
            r.view(n, k, 2, height, width)[:, MIRROR] for r in (displacement, offset)
        )
        sign = torch.tensor([1.0, -1.0])[:, None, None]
        return [
            heat[:, MIRROR],
            center,
            (displacement * sign).flatten(1, 2),
            torch.stack((offset[:, :, 0], 1 - offset[:, :, 1]), 2).flatten(1, 2),
        ]

    def decode(self, responses: Sequence[Tensor]) -> CropPoses:
        """Find the keypoints of the person in the middle of each crop.

        The person's center is the maximum of the center map, weighted by 1.8 / (1.8 + distance) to
        the middle of the crop in cells, as in the published network for one person.

        The standard deviation comes from the moments of the heatmap's row and column through the
        keypoint's cell within 4 cells; the variance of a perfect response is taken off, that of
        half a crop pixel added. It is not calibrated.
        """
        heads = Heads(*responses)
        height, width = heads.heat.shape[2:]
        dy, dx = ((torch.arange(size) - (size - 1) / 2).square() for size in (height, width))
        apart = (dy[:, None] + dx).sqrt()
        weighted = heads.center[:, 0] * (_CENTER_CELLS / (_CENTER_CELLS + apart))
        center = weighted.flatten(1).argmax(1)
        points, _, cell = heads.keypoints(center // width, center % width)
        score = heads.heat.flatten(2).gather(2, cell[..., None])[..., 0]
        x, y = cell % width, cell // width
        lines = lines_through(heads.heat, x, y)
        excess = excess_variance(lines, (x, y), WINDOW_CELLS, TARGET_SIGMA_CELLS)
        return to_poses(points=points, raw=score, excess=excess * STRIDE**2)


def people_in(heads: Heads, size: Tensor, offset: Tensor) -> list[Detections]:
    """Find the people of each picture, as the published graph does.

    Args:
        heads: of n pictures.
        size: (n, 2, h, w) height and width of a center's box, cells.
        offset: (n, 2, h, w) cells from the corner of a center's cell to the middle of its box.

    Returns:
        Boxes x1, y1, x2, y2 in pixels, inside the picture, best first; none of score 0, of which
        the published graph fills its six places. The score of a person is the
        geometric mean of the center's and of the mean of the keypoints that are seen; the published
        graph has its square, which is lower than what a threshold for detectors expects.
        Keypoints count as near this person; where people overlap, the published graph counts a
        keypoint as near any of them, so that its square is up to 0.02 higher.
    """
    return [
        _people(Heads(*(r[i : i + 1] for r in _fields(heads))), size[i], offset[i])
        for i in range(len(heads.heat))
    ]


def _people(heads: Heads, size: Tensor, offset: Tensor) -> Detections:
    center = heads.center[0, 0]
    height, width = center.shape
    highest = functional.max_pool2d(center[None, None], _PEAK_CELLS, 1, _PEAK_CELLS // 2)[0, 0]
    score, cell = torch.where(center == highest, center, 0.0).flatten().topk(MOST_PEOPLE)
    cell = cell[score > 0]
    n, row, column = len(cell), cell // width, cell % width
    middle = torch.stack((row, column)) + offset[:, row, column]
    half = size[:, row, column].clamp(min=0) / 2
    limits = torch.tensor([height, width])[:, None]
    low, high = (edge.clamp(min=0).minimum(limits) for edge in (middle - half, middle + half))
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    inside = (
        (rows >= low[0, :, None, None])
        & (rows < high[0, :, None, None])
        & (columns >= low[1, :, None, None])
        & (columns < high[1, :, None, None])
    )
    repeated = Heads(*(r.expand(n, *r.shape[1:]) for r in _fields(heads)))
    _, seen, _ = repeated.keypoints(row, column, inside)
    counted = torch.where(seen > _SEEN, seen, 0.0)
    mean = counted.sum(1) / (counted > 0).sum(1).clamp(min=1)
    total = (score[: len(cell)] * mean).sqrt()
    boxes = torch.stack((low[1], low[0], high[1], high[0]), 1) * STRIDE
    order = total.argsort(descending=True, stable=True)[: int((total > 0).sum())]
    return Detections(boxes=boxes[order].float().numpy(), score=total[order].numpy())


def _fields(heads: Heads) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return heads.heat, heads.center, heads.displacement, heads.offset
