"""Overlap of boxes x1, y1, x2, y2: two measures, both with broadcasting."""

import numpy as np
from numpy.typing import NDArray

from deployments.messages import F64

_LEAST_AREA = 1e-9  # so that boxes without area overlap by 0

Boxes = NDArray[np.floating]


def intersection_over_union(a: Boxes, b: Boxes) -> F64:
    """Return the common area of boxes (..., 4) as a part of the area that they cover together."""
    common = _common(a, b)
    return common / np.maximum(_area(a) + _area(b) - common, _LEAST_AREA)


def intersection_over_smaller(a: Boxes, b: Boxes) -> F64:
    """Return the common area of boxes (..., 4) as a part of the smaller of the two."""
    return _common(a, b) / np.maximum(np.minimum(_area(a), _area(b)), _LEAST_AREA)


def _area(box: Boxes) -> F64:
    sides = np.maximum(box[..., 2:].astype(np.float64) - box[..., :2], 0)
    area: F64 = sides[..., 0] * sides[..., 1]
    return area


def _common(a: Boxes, b: Boxes) -> F64:
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    return _area(np.concatenate([low, high], axis=-1))
