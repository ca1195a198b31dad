"""Balance: the extrapolated centre of mass in its base of support, and sway.

Along the picture's horizontal only.
"""

from dataclasses import dataclass

import numpy as np

from biomech.config import BmConfig
from biomech.geometry import Array
from biomech.mass import centre_of_mass, velocity_of_mass
from biomech.reasons import Flags
from biomech.skeleton import INDEX
from biomech.timeline import Windows, ratio, velocity
from biomech.view import SAGITTAL, View

GRAVITY_M_S2 = 9.81

_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the person appears: stature in pixels, and in metres where that is known."""

    stature_px: float
    height_m: float | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Balance of one person over a clip; NaN unknown.

    Attributes:
        margin: (f,) see :func:`margin_of`.
        sway: (f,) 0 to 1, 1 still.
        omega0: (f,) rad/s of the inverted pendulum. omega0_source: ``height`` or ``default``.
        travel: (f,) mean speed along the picture, H a second, without sign.
        mass: (f,) share of body mass that the centre of mass is of.
        ankles: (f,) whether both ankles are seen: an unseen foot may bear.
        known: (f,) whether the velocities are known that balance depends on.
        grounded: (f,) whether an ankle bears, below the centre of mass.
        static: a single picture, judged as if still.
    """

    margin: Array
    sway: Array
    omega0: Array
    omega0_source: str
    travel: Array
    mass: Array
    ankles: Flags
    known: Flags
    grounded: Flags
    static: bool


def balance_of(
    times_s: Array, xy: Array, view: View, size: Size, sex: str | None, config: BmConfig
) -> Balance:
    """Balance from the seen points (f, 17, 2) of one person."""
    static = len(times_s) == 1
    centre, mass = centre_of_mass(xy, sex)
    ankles = xy[:, _ANKLES]
    if static:
        speed = travel = sway_rms = np.zeros(1)
        ankle_speed = np.zeros((1, 2))
    else:
        moving, moving_mass = velocity_of_mass(times_s, xy, sex)
        speed = np.where(moving_mass >= config.min_mass, moving[:, 0], np.nan)
        windows = Windows.of(times_s, config.sway_window_s)
        travel = np.abs(windows.mean(speed)) / size.stature_px
        enough = windows.span_s(times_s, speed) >= config.sway_min_span_s
        sway_rms = np.where(enough, windows.deviation(speed) / size.stature_px, np.nan)
        ankle_speed = np.hypot(*np.moveaxis(velocity(times_s, ankles), -1, 0))
    down = contacts(ankles[..., 1], ankle_speed, size.stature_px, config)
    low, high = base_of_support(ankles[..., 0], down, view, size.stature_px, config)
    above_px = ankles[..., 1].max(1) - centre[:, 1]
    omega0 = pendulum_rate(above_px, size, config)
    return Balance(
        margin=margin_of(centre[:, 0] + speed / omega0, low, high),
        sway=sway_score(sway_rms, config),
        omega0=omega0,
        omega0_source="default" if size.height_m is None else "height",
        travel=travel,
        mass=mass,
        ankles=np.asarray(np.isfinite(ankles).all((1, 2))),
        known=np.isfinite(speed) & np.isfinite(ankle_speed).all(1),
        grounded=down.any(1) & (above_px > 0),
        static=static,
    )


def contacts(ankle_y: Array, ankle_speed: Array, stature_px: float, config: BmConfig) -> Flags:
    """(f, 2) whether each ankle bears, that is near the lower of both, and slow.

    Args:
        ankle_y: (f, 2) pixels, down. ankle_speed: (f, 2) pixels a second.
        stature_px: of the person.
        config: bounds of height and speed.
    """
    height = ankle_y.max(1, keepdims=True) - ankle_y
    near = height <= config.contact_height * stature_px
    return np.asarray(near & (ankle_speed < config.contact_speed * stature_px))


def base_of_support(
    ankle_x: Array, down: Flags, view: View, stature_px: float, config: BmConfig
) -> tuple[Array, Array]:
    """Left and right edge (f,) in pixels of the ground under the ankles (f, 2) that bear.

    NaN where neither does. Half a foot's breadth to both sides seen from the front, heel and toe
    seen from the side.
    """
    breadth = config.half_foot_breadth * stature_px
    heel = config.heel_share * config.foot_length * stature_px
    toe = config.foot_length * stature_px - heel
    sagittal = view.kind == SAGITTAL
    to_left = np.where(sagittal, np.where(view.facing > 0, heel, toe), breadth)
    to_right = np.where(sagittal, np.where(view.facing > 0, toe, heel), breadth)
    low = np.where(down, ankle_x, np.inf).min(1) - to_left
    high = np.where(down, ankle_x, -np.inf).max(1) + to_right
    some = down.any(1)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def pendulum_rate(above_px: Array, size: Size, config: BmConfig) -> Array:
    """(f,) rad/s: sqrt(g / height of the centre of mass over the lower ankle) (Hof 2005).

    The default where the person's height in metres is not known; NaN where not above the ankle.
    """
    if size.height_m is None:
        return np.full(len(above_px), config.omega0_default)
    metres = np.where(above_px > 0, above_px, np.nan) * size.height_m / size.stature_px
    rate: Array = np.sqrt(GRAVITY_M_S2 / metres)
    return rate


def margin_of(extrapolated: Array, low: Array, high: Array) -> Array:
    """(f,) 1 in the middle of the base, 0.5 on an edge, 0 half a base beyond it."""
    nearer = np.minimum(extrapolated - low, high - extrapolated)
    return np.clip(0.5 + 0.5 * ratio(nearer, (high - low) / 2), 0.0, 1.0)


def sway_score(sway_rms: Array, config: BmConfig) -> Array:
    """(f,) from the rms of horizontal speed about its mean, H a second."""
    score: Array = 1.0 / (1.0 + (sway_rms / config.sway_scale) ** 2)
    return score
