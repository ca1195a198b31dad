"""Centre of mass from segments.

Mass shares and centres by de Leva (1996), mean of the sexes. The head is taken at mid-ears, hands
at the wrists, feet at the ankles: COCO has no other points there.
"""

from typing import Final

import numpy as np

from biomech.geometry import Array, Vector, combine


def _at(name: str) -> Vector:
    return {name: 1.0}


def _along(start: str, end: str, share: float) -> Vector:
    return {start: 1.0 - share, end: share}


def _mean(male: float, female: float) -> float:
    return (male + female) / 2


def _segments() -> list[tuple[float, Vector]]:
    trunk = _mean(0.431, 0.3782)
    segments: list[tuple[float, Vector]] = [
        (_mean(6.94, 6.68), {"left_ear": 0.5, "right_ear": 0.5}),
        (
            _mean(43.46, 42.57),
            {
                "left_shoulder": (1 - trunk) / 2,
                "right_shoulder": (1 - trunk) / 2,
                "left_hip": trunk / 2,
                "right_hip": trunk / 2,
            },
        ),
    ]
    for s in ("left", "right"):
        segments += [
            (_mean(2.71, 2.55), _along(f"{s}_shoulder", f"{s}_elbow", _mean(0.5772, 0.5754))),
            (_mean(1.62, 1.38), _along(f"{s}_elbow", f"{s}_wrist", _mean(0.4574, 0.4559))),
            (_mean(0.61, 0.56), _at(f"{s}_wrist")),
            (_mean(14.16, 14.78), _along(f"{s}_hip", f"{s}_knee", _mean(0.4095, 0.3612))),
            (_mean(4.33, 4.81), _along(f"{s}_knee", f"{s}_ankle", _mean(0.4395, 0.4352))),
            (_mean(1.37, 1.29), _at(f"{s}_ankle")),
        ]
    return segments


SEGMENTS: Final = tuple(_segments())
"""(share of body mass in per cent, where its centre is)."""


def centre_of_mass(xy: Array) -> tuple[Array, Array]:
    """Centre of mass of what is seen, and how much that is.

    Args:
        xy: (..., 17, 2).

    Returns:
        (..., 2) pixels, NaN where nothing is seen, and (...,) share of body mass, 0 to 1.
    """
    points = np.stack([combine(vector, xy) for _, vector in SEGMENTS], -2)
    mass = np.array([share for share, _ in SEGMENTS])
    seen = np.asarray(np.isfinite(points).all(-1))
    weight = np.where(seen, mass, 0.0)
    total = weight.sum(-1)
    moment = np.where(seen[..., None], points, 0.0) * weight[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        centre: Array = moment.sum(-2) / total[..., None]
    return centre, total / mass.sum()
