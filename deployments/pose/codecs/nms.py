"""Suppress overlapping boxes, where mmcv's compiled operator is not installed.

``torchvision.ops.nms`` differs: it compares float32 overlaps with a float64 threshold (at 0.6 it
drops a box that overlaps by 60 of 100 pixels), and takes neither ``offset`` nor bfloat16. Its build
on PyPI is for CUDA, and is not imported with a CPU build of torch.
"""

import numpy as np
import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Suppress boxes greedily, with the arguments and the order of mmcv's ``_ext.nms``.

    A box is dropped if its intersection over union with a better one that stays is greater than the
    threshold. One without area suppresses nothing and stays.

    Args:
        boxes: (n, 4) x1, y1, x2, y2. scores: (n,).
        iou_threshold: compared in float32, as in mmcv.
        offset: 1 where x2 and y2 are the last pixels inside the box, else 0.

    Returns:
        Indices of the boxes that stay, int64, best first, on the device of ``boxes``.
    """
    order = scores.sort(descending=True)[1]  # mmcv's own call, so that ties come out alike
    x1, y1, x2, y2 = boxes[order].detach().float().cpu().numpy().T
    area = (x2 - x1 + np.float32(offset)) * (y2 - y1 + np.float32(offset))
    threshold = np.float32(iou_threshold)
    remaining = np.arange(len(area))
    kept = []
    with np.errstate(divide="ignore", invalid="ignore"):  # boxes without area
        while len(remaining):
            best, rest = remaining[0], remaining[1:]
            kept.append(best)
            width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
            height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
            common = np.maximum(width + np.float32(offset), 0)
            common = common * np.maximum(height + np.float32(offset), 0)
            overlap = common / (area[best] + area[rest] - common)
            remaining = rest[~(overlap > threshold)]
    return order[torch.as_tensor(np.array(kept, np.int64), device=order.device)]
