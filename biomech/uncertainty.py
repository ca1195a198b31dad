"""From the keypoints' standard deviations to those of angles, in closed form.

First-order propagation through the table of :mod:`biomech.geometry`: the direction of a vector w
moves by ``(-w_y, w_x)/|w|^2`` a pixel. Keypoint errors are taken as independent.
"""

from typing import Final

import numpy as np

from biomech.geometry import ANGLES, TRUNK, Array, Vector, combine
from biomech.skeleton import INDEX, KEYPOINTS

_KAPPA: Final[dict[str, float]] = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
"""COCO's per-keypoint constants (the sigmas of pycocotools)."""

_KAPPAS = np.array([_KAPPA[name.split("_")[-1]] for name in KEYPOINTS])
_AREA_SHARE = 0.53


def direction_jacobian(vector: Vector, xy: Array) -> Array:
    """(..., 17, 2) radians a pixel of the direction of ``vector``."""
    w = combine(vector, xy)
    square = (w**2).sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = np.stack([-w[..., 1], w[..., 0]], -1) / square
    jacobian = np.zeros(xy.shape)
    for name, weight in vector.items():
        jacobian[..., INDEX[name], :] = weight * normal
    return jacobian


def flexion_jacobian(name: str, xy: Array) -> Array:
    """(..., 17, 2) radians a pixel of the flexion ``name``."""
    total: Array = np.sum(
        [sign * direction_jacobian(vector, xy) for sign, vector in ANGLES[name]], axis=0
    )
    return total


def tilt_vector(part: str) -> Vector:
    """The line whose direction varies as the tilt of ``part`` does."""
    return {f"right_{part}": 1.0, f"left_{part}": -1.0}


def propagate(jacobian: Array, sigma: Array) -> Array:
    """Standard deviation (...,) in degrees from sigmas (..., 17, 2) in pixels.

    Points that the angle does not depend on do not matter, missing or not.
    """
    terms = np.where(jacobian == 0, 0.0, jacobian * sigma)
    deviation: Array = np.degrees(np.sqrt((terms**2).sum((-2, -1))))
    return deviation


def flexion_sigma(name: str, xy: Array, sigma: Array) -> Array:
    """Standard deviation of the flexion ``name``, degrees."""
    return propagate(flexion_jacobian(name, xy), sigma)


def lean_sigma(xy: Array, sigma: Array) -> Array:
    """Standard deviation of the trunk's inclination, degrees."""
    return propagate(direction_jacobian(TRUNK, xy), sigma)


def tilt_sigma(part: str, xy: Array, sigma: Array) -> Array:
    """Standard deviation of the tilt of ``part``, degrees."""
    return propagate(direction_jacobian(tilt_vector(part), xy), sigma)


def oks_sigma(box: Array) -> Array:
    """Standard deviations (..., 17, 2) for boxes (..., 4) by COCO's constants; wide on purpose."""
    area = np.prod(box[..., 2:] - box[..., :2], axis=-1)
    sigma = np.sqrt(_AREA_SHARE * area)[..., None] * _KAPPAS
    return np.repeat(sigma[..., None], 2, axis=-1)
