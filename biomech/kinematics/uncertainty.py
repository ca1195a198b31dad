"""Propagate standard deviations of keypoints to angles, in closed form.

First-order propagation through the table of :mod:`biomech.kinematics.geometry`: the direction of a
vector w turns by ``(-w_y, w_x)/|w|^2`` radians a pixel. Keypoint errors are taken as independent,
between points and between axes. Unsigned angles share the standard deviation of the signed ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from biomech.kinematics.geometry import ANGLES, LEVELS, SEGMENTS, TRUNK, Array, Vector, combine
from biomech.skeleton import INDEX, SKELETON

_SEGMENT_AREA_SHARE: Final = 0.53
"""Typical share of a box that the person fills; COCO's scale is the square root of that area."""


def oks_sigma(box: Array) -> Array:
    """Return standard deviations (..., 17, 2) in pixels for boxes (..., 4) by COCO's constants.

    The constants describe disagreement between annotators. They are deliberately wide.
    """
    area = np.prod(np.maximum(box[..., 2:] - box[..., :2], 0.0), axis=-1)
    sigma = np.sqrt(_SEGMENT_AREA_SHARE * area)[..., None] * np.array(SKELETON.oks_sigmas)
    return np.repeat(sigma[..., None], 2, axis=-1)


def _direction_terms(terms: Iterable[tuple[int, Vector]], xy: Array) -> dict[str, Array]:
    """Return the derivative by keypoint (..., 2), radians a pixel, of a sum of directions."""
    derivative: dict[str, Array] = {}
    for sign, vector in terms:
        w = combine(vector, xy)
        square = (w**2).sum(-1, keepdims=True)
        turn = np.stack([-w[..., 1], w[..., 0]], -1) / np.where(square == 0, np.nan, square)
        for name, weight in vector.items():
            derivative[name] = derivative.get(name, 0.0) + sign * weight * turn
    return derivative


def _deviation(terms: Iterable[tuple[int, Vector]], xy: Array, sigma: Array) -> Array:
    variance = sum(
        ((derivative * sigma[..., INDEX[name], :]) ** 2).sum(-1)
        for name, derivative in _direction_terms(terms, xy).items()
    )
    degrees: Array = np.degrees(np.sqrt(variance))
    return degrees


def flexion_sigma(
    angle: str, xy: Array, sigma: Array, segments: Mapping[str, Vector] = SEGMENTS
) -> Array:
    """Return the standard deviation of the flexion ``angle`` in degrees (...,).

    Args:
        angle: of :data:`biomech.kinematics.geometry.ANGLES`. xy, sigma: (..., 17, 2) pixels.
        segments: the table of segments in use.
    """
    return _deviation([(sign, segments[name]) for sign, name in ANGLES[angle]], xy, sigma)


def lean_sigma(xy: Array, sigma: Array, trunk: Vector = TRUNK) -> Array:
    """Return the standard deviation of the trunk's inclination in degrees (...,)."""
    return _deviation([(1, trunk)], xy, sigma)


def tilt_sigma(part: str, xy: Array, sigma: Array) -> Array:
    """Return the standard deviation of the tilt of ``part`` in degrees (...,)."""
    return _deviation([(1, LEVELS[part])], xy, sigma)


DRAWS: Final = 2000
_SEED: Final = 20240229
_CELLS: Final = 1 << 20
_TAILS: Final = (2.5, 97.5)


def monte_carlo_intervals(
    terms: Sequence[tuple[int, Vector]],
    fold: Callable[[Array], Array],
    xy: Array,
    sigma: Array,
    roll_sigma_deg: float = 0.0,
) -> Array:
    """Return 95 % Monte Carlo intervals (n, 2) of an angle, where the closed form fails.

    The closed form fails if a segment is hardly longer than the errors of its ends. All frames use
    the same 2,000 draws, so that an interval depends only on its own frame.

    Args:
        terms: (sign, segment); the signed directions add up to the angle.
        fold: maps the signed sum of directions in degrees to the reported angle.
        xy, sigma: (n, 17, 2) pixels.
        roll_sigma_deg: of the camera's roll, for angles relative to the vertical.
    """
    names = sorted({name for _, vector in terms for name in vector})
    normal = np.random.default_rng(_SEED).standard_normal((DRAWS, 2 * len(names) + 1))
    z = normal[:, :-1].reshape(DRAWS, len(names), 2)
    roll = np.exp(1j * np.radians(roll_sigma_deg) * normal[:, -1])
    out = np.empty((len(xy), 2))
    step = max(_CELLS // DRAWS, 1)
    for start in range(0, len(xy), step):
        part = slice(start, start + step)
        total = np.broadcast_to(roll, (len(xy[part]), DRAWS))
        for sign, vector in terms:
            w = combine(vector, xy[part])[:, None, :] + sum(
                weight * sigma[part, None, INDEX[name]] * z[None, :, names.index(name)]
                for name, weight in vector.items()
            )
            total = total * (w[..., 0] + 1j * sign * w[..., 1])
        angles = fold(np.degrees(np.angle(total)))
        out[part] = np.percentile(angles, _TAILS, axis=1).T
    return out


def end_sigma(vector: Vector, sigma: Array) -> Array:
    """Return the standard deviation of a segment's less certain end, pixels (...,), over both axes.

    An end is the weighted mean of the points on one side of the segment.
    """
    variance: dict[bool, Array] = {}
    for name, weight in vector.items():
        term = weight**2 * (sigma[..., INDEX[name], :] ** 2).mean(-1)
        variance[weight > 0] = variance.get(weight > 0, 0.0) + term
    worse: Array = np.sqrt(np.maximum(*variance.values()))
    return worse
