"""Compute the geometry of crops: which part of a picture a pose network sees.

The equal of MMPose's ``GetBBoxCenterScale`` followed by ``TopdownAffine`` (without UDP): the box
grows by ``padding``, then to the aspect of the network's input, about its center.
"""

import numpy as np
from numpy.typing import NDArray

from deployments.messages import F32, F64

PADDING = 1.25
"""Growth of a box before it is cropped, as in the published pipelines."""


def crop_transforms(
    boxes: NDArray[np.floating], input_size: tuple[int, int], padding: float = PADDING
) -> F64:
    """Return affine maps from crop pixels to image pixels.

    Args:
        boxes: (n, 4) x1, y1, x2, y2 in image pixels.
        input_size: (width, height) of the crop.
        padding: factor on the box's size.

    Returns:
        (n, 2, 3) float64.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = (boxes[:, 2:] - boxes[:, :2]) * padding
    width, height = input_size
    # Pixels of the image for one of the crop, by the tighter side.
    step = np.maximum(np.maximum(size[:, 0] / width, size[:, 1] / height), 1e-6)
    maps = np.zeros((len(boxes), 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = step
    maps[:, :, 2] = center - step[:, None] * np.array([width / 2, height / 2])
    return maps


def to_image(points: NDArray[np.floating], image_from_crop: F64) -> F32:
    """Map points (n, k, 2) of n crops to image pixels, float32."""
    linear, offset = image_from_crop[:, :, :2], image_from_crop[:, :, 2]
    mapped = np.einsum("nij,nkj->nki", linear, np.asarray(points, np.float64)) + offset[:, None]
    image: F32 = mapped.astype(np.float32)
    return image


def sigma_to_image(sigma: NDArray[np.floating], image_from_crop: F64) -> F32:
    """Map standard deviations (n, k, 2) of n crops to image pixels, float32."""
    scale = np.abs(np.einsum("nii->ni", image_from_crop[:, :, :2]))
    image: F32 = (np.asarray(sigma, np.float64) * scale[:, None]).astype(np.float32)
    return image
