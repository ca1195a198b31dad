"""Compute the center of mass from segments, with mass shares and centers by de Leva (1996).

COCO has no vertex, hands or feet: the head is placed at mid-ears, hands at the wrists, feet at the
ankles.
"""

from typing import Final

import numpy as np

from biomech.kinematics.geometry import Array, Vector, combine
from biomech.skeleton import SIDES, SKELETON
from biomech.time_windows import velocity

_MASS_PERCENT: Final = {
    "head": (6.94, 6.68),
    "trunk": (43.46, 42.57),
    "upper_arm": (2.71, 2.55),
    "forearm": (1.62, 1.38),
    "hand": (0.61, 0.56),
    "thigh": (14.16, 14.78),
    "shank": (4.33, 4.81),
    "foot": (1.37, 1.29),
}
"""Shares of body mass in per cent: male, female."""

_CENTER: Final = {
    "trunk": (0.431, 0.3782),
    "upper_arm": (0.5772, 0.5754),
    "forearm": (0.4574, 0.4559),
    "thigh": (0.4095, 0.3612),
    "shank": (0.4395, 0.4352),
}
"""Position of the center from the proximal end as a share of the length: male, female."""


def _of_sex(pair: tuple[float, float], sex: str | None) -> float:
    return sum(pair) / 2 if sex is None else pair[sex == "female"]


def segment_masses(sex: str | None) -> list[tuple[float, Vector]]:
    """Return percentage of body mass and center by segment; the mean if ``sex`` is None."""
    mass = {name: _of_sex(pair, sex) for name, pair in _MASS_PERCENT.items()}
    share = {name: _of_sex(pair, sex) for name, pair in _CENTER.items()}
    trunk, at = share["trunk"] / 2, SKELETON.mass_points
    segments: list[tuple[float, Vector]] = [
        *((mass["head"] / 2, {f"{side}_{at['head']}": 1.0}) for side in SIDES),
        (
            mass["trunk"],
            {
                "left_shoulder": 0.5 - trunk,
                "right_shoulder": 0.5 - trunk,
                "left_hip": trunk,
                "right_hip": trunk,
            },
        ),
    ]
    for side in SIDES:
        for name, (start, end) in SKELETON.bones.items():
            along = {f"{side}_{start}": 1 - share[name], f"{side}_{end}": share[name]}
            segments.append((mass[name], along))
        segments += [(mass[name], {f"{side}_{at[name]}": 1.0}) for name in ("hand", "foot")]
    return segments


def center_of_mass(xy: Array, sex: str | None = None) -> tuple[Array, Array]:
    """Return the center of mass of the visible segments, and their share of body mass.

    A hidden ear is placed at the other one. Leaving out the head instead would lower the center by
    3 % of stature whenever a head turns aside.

    Args:
        xy: (..., 17, 2). sex: ``male``, ``female``, or None for the mean of both.

    Returns:
        (..., 2) pixels, NaN where nothing is seen, and (...,) share of body mass, 0 to 1.
    """
    return _weighted(_centers(xy, sex), sex)


def velocity_of_mass(times_s: Array, xy: Array, sex: str | None = None) -> tuple[Array, Array]:
    """Return the velocity of the center of mass, and the share of mass with a velocity.

    It is the mean of the segments' velocities. The derivative of their mean position would jump
    whenever a segment appears or disappears.

    Args:
        times_s: (f,) ascending. xy: (f, 17, 2). sex: as for :func:`center_of_mass`.

    Returns:
        (f, 2) pixels a second, NaN where unknown, and (f,) share of body mass, 0 to 1.
    """
    return _weighted(velocity(times_s, _centers(xy, sex)), sex)


def _centers(xy: Array, sex: str | None) -> Array:
    return np.stack([combine(vector, xy) for _, vector in segment_masses(sex)], -2)


def _weighted(values: Array, sex: str | None) -> tuple[Array, Array]:
    """Return the mass-weighted mean of (..., segments, 2) and its share of body mass."""
    ears = values[..., :2, :]
    filled = np.concatenate(
        [np.where(np.isfinite(ears), ears, ears[..., ::-1, :]), values[..., 2:, :]], -2
    )
    mass = np.array([share for share, _ in segment_masses(sex)])
    weight = np.where(np.isfinite(filled).all(-1), mass, 0.0)
    total = weight.sum(-1)
    moment = (np.nan_to_num(filled) * weight[..., None]).sum(-2)
    mean: Array = moment / np.where(total > 0, total, np.nan)[..., None]
    return mean, total / mass.sum()
