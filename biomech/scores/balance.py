"""Measure balance: the extrapolated center of mass in its base of support, and sway.

Only motion along the picture's horizontal is used.
"""

from dataclasses import dataclass

import numpy as np

from biomech.config import BiomechanicsConfig
from biomech.kinematics.center_of_mass import center_of_mass, velocity_of_mass
from biomech.kinematics.geometry import Array, flexion
from biomech.kinematics.view import FRONTAL, SAGITTAL, View
from biomech.preprocessing.noise import Noise
from biomech.reasons import Flags
from biomech.skeleton import INDEX, SIDES
from biomech.time_windows import Windows, ratio, velocity

GRAVITY_M_S2 = 9.81

_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_KNEES = [INDEX["left_knee"], INDEX["right_knee"]]
_HIPS = [INDEX["left_hip"], INDEX["right_hip"]]
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]


@dataclass(frozen=True, slots=True)
class Size:
    """Stature of the person in pixels, and in metres if known."""

    stature_px: float
    height_m: float | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Balance of one person over a clip; NaN unknown.

    Attributes:
        margin: (f,) see :func:`margin_of`.
        sway: (f,) 0 to 1, 1 still; NaN for a single picture.
        omega0: (f,) rad/s of the inverted pendulum. omega0_source: ``height`` or ``default``.
        travel: (f,) mean speed along the picture, H a second, without sign.
        mass: (f,) share of body mass that the center of mass includes.
        ankles: (f,) whether both ankles are seen; a hidden foot may bear weight.
        known: (f,) whether the velocities that balance depends on are known.
        grounded: (f,) whether the feet, and apparently only they, bear weight.
        noisy: whether sway is less than the noise of the points.
        static: whether this is a single picture, scored by its margin only.
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
    noisy: bool = False


def balance_of(
    times_s: Array,
    xy: Array,
    view: View,
    size: Size,
    sex: str | None,
    config: BiomechanicsConfig,
    noise_px_s: float = 0.0,
) -> Balance:
    """Return the balance of the seen points (f, 17, 2) of one person.

    ``noise_px_s`` is the noise of the averaged velocity of the center of mass.
    """
    static = len(times_s) == 1
    height = size.stature_px
    center, mass = center_of_mass(xy, sex)
    ankles = xy[:, _ANKLES]
    windows = Windows.of(times_s, config.sway_window_s)
    noise = noise_px_s / height if np.isfinite(noise_px_s) else 0.0
    noisy = bool(noise > config.sway_most_noise * config.sway_scale)
    sway_rms = np.full(len(times_s), np.nan)
    if static:
        speed = travel = np.zeros(1)
        ankle_speed = np.zeros((1, 2))
    else:
        moving, moving_mass = velocity_of_mass(times_s, xy, sex)
        whole = (moving_mass >= config.min_mass)[:, None]
        averaged = _averaged(times_s, np.where(whole, moving, np.nan), config)
        speed = averaged[:, 0]
        travel = np.abs(windows.mean(speed)) / height
        enough = windows.span_s(times_s, speed) >= config.sway_min_span_s
        if not noisy:
            bend = _knee_bend(xy, view)
            turn = Windows.of(times_s, config.sway_smooth_s).mean(velocity(times_s, bend))
            sway = sway_of(windows, speed / height, bend, turn, config)
            sway_rms = np.where(enough, np.sqrt(np.maximum(sway**2 - noise**2, 0.0)), np.nan)
        ankle_speed = np.hypot(*np.moveaxis(velocity(times_s, ankles), -1, 0))
    down = contacts(ankles[..., 1], ankle_speed, height, config)
    low, high = base_of_support(ankles[..., 0], down, view, height, config)
    above_px = ankles[..., 1].max(1) - center[:, 1]
    omega0 = pendulum_rate(above_px, size, config)
    beside = np.maximum(np.maximum(low - center[:, 0], center[:, 0] - high), 0.0) / height
    over_base = windows.mean(beside) <= config.unsupported
    stands = on_feet(xy, down, above_px, height, config) & over_base
    stands &= ~seated(times_s, xy, windows, height, config) | (view.kind != FRONTAL)
    return Balance(
        margin=margin_of(center[:, 0] + speed / omega0, low, high),
        sway=sway_score(sway_rms, config),
        omega0=omega0,
        omega0_source="default" if size.height_m is None else "height",
        travel=travel,
        mass=mass,
        ankles=np.asarray(np.isfinite(ankles).all((1, 2))),
        known=np.isfinite(speed) & np.isfinite(ankle_speed).all(1),
        grounded=down.any(1) & stands,
        static=static,
        noisy=noisy,
    )


def sway_noise_px_s(
    taken: Array, noise: Noise, rate_hz: float | None, config: BiomechanicsConfig
) -> float:
    """Return the noise of the averaged velocity of a point; NaN if it cannot be estimated.

    Args:
        taken: (f,) pixels of the point's motion that the filter removed. noise: of the clip.
        rate_hz: frames a second. config: with the span of the average.
    """
    if rate_hz is None:
        return float("nan")
    span_s = max(config.sway_smooth_s, 2.0 / rate_hz)
    shared = noise.correlation ** (span_s * rate_hz) if noise.known else 0.0
    return float(np.sqrt(2.0 * (1.0 - shared)) * noise.smooth_sd(taken) / span_s)


def _averaged(times_s: Array, moving: Array, config: BiomechanicsConfig) -> Array:
    """Return velocities (f, 2) averaged over a short window, NaN where missing."""
    near = Windows.of(times_s, config.sway_smooth_s)
    means = np.stack([near.mean(moving[:, axis]) for axis in range(2)], -1)
    return np.where(np.isfinite(moving), means, np.nan)


def sway_of(
    windows: Windows, across: Array, bend: Array, turn: Array, config: BiomechanicsConfig
) -> Array:
    """Return the rms (f,) of horizontal speed that is unrelated to bending the knees.

    A squat moves the hips back and the trunk forward on purpose. The horizontal velocity is
    therefore regressed, in each window, on the knees' angular velocity and on its product with
    their angle, which allows a curved path. The residual is sway. Without knee motion, all motion
    is sway.

    Args:
        windows: about each frame. across: (f,) statures a second.
        bend, turn: (f,) radians and radians a second of the knees. config: the least turn.
    """
    known = np.isfinite(across) & np.isfinite(turn)
    middle = float(np.median(bend[known])) if known.any() else 0.0
    a, b, c = (np.where(known, s, np.nan) for s in (across, turn, turn * (bend - middle)))
    pairs = ((a, a), (a, b), (a, c), (b, b), (b, c), (c, c))
    aa, ab, ac, bb, bc, cc = (
        windows.mean(p * q) - windows.mean(p) * windows.mean(q) for p, q in pairs
    )
    least = config.sway_least_turn**2  # no scaling of radians: a squat turns by one or two
    determinant = (bb + least) * (cc + least) - bc**2
    on_b = (ab * (cc + least) - ac * bc) / determinant
    on_c = (ac * (bb + least) - ab * bc) / determinant
    explained = 2 * (on_b * ab + on_c * ac)
    explained -= on_b**2 * bb + 2 * on_b * on_c * bc + on_c**2 * cc
    left: Array = np.sqrt(np.maximum(aa - explained, 0.0))
    return left


def _knee_bend(xy: Array, view: View) -> Array:
    """Return the mean flexion (f,) of the knees seen from the side, radians; 0 in other views."""
    both = np.radians(np.abs(np.stack([flexion(f"{side}_knee", xy) for side in SIDES])))
    left, right = np.where(np.isfinite(both), both, both[::-1])
    return np.where(view.kind == SAGITTAL, np.nan_to_num((left + right) / 2), 0.0)


def on_feet(
    xy: Array, down: Flags, com_px: Array, stature_px: float, config: BiomechanicsConfig
) -> Flags:
    """Return where (f,) a foot bears weight under an upright shank and no hand is on the ground.

    This excludes lying, kneeling, planks and handstands.

    Args:
        xy: (f, 17, 2) pixels. down: (f, 2) bearing ankles. com_px: height of the center of mass
            over the lower ankle. stature_px: of the person. config: heights.
    """
    ankle_y, knee_y, wrist_y = (xy[:, points, 1] for points in (_ANKLES, _KNEES, _WRISTS))
    upright = down & (ankle_y - knee_y >= config.shank_upright * stature_px)
    above = ankle_y.max(1, keepdims=True) - wrist_y
    hands = (above < config.hand_height * stature_px).any(1)
    high = com_px >= config.least_com_height * stature_px
    return np.asarray(upright.any(1) & high & ~hands)


def seated(
    times_s: Array, xy: Array, windows: Windows, stature_px: float, config: BiomechanicsConfig
) -> Flags:
    """Return where (f,) the hips rest as low as the knees, as on a seat seen from the front."""
    hips, knees = xy[:, _HIPS, 1], xy[:, _KNEES, 1]
    low = (knees - hips).max(1) < config.seat_height * stature_px
    if len(times_s) == 1:
        return np.asarray(low)
    rise = _averaged(times_s, velocity(times_s, xy[:, _HIPS].mean(1)), config)[:, 1] / stature_px
    rests = np.sqrt(windows.mean(rise**2)) < config.seat_speed
    return np.asarray(low & rests)


def contacts(
    ankle_y: Array, ankle_speed: Array, stature_px: float, config: BiomechanicsConfig
) -> Flags:
    """Return whether each ankle (f, 2) bears weight: it is near the lower one, and slow.

    Args:
        ankle_y: (f, 2) pixels, down. ankle_speed: (f, 2) pixels a second.
        stature_px: of the person.
        config: bounds of height and speed.
    """
    height = ankle_y.max(1, keepdims=True) - ankle_y
    near = height <= config.contact_height * stature_px
    return np.asarray(near & (ankle_speed < config.contact_speed * stature_px))


def base_of_support(
    ankle_x: Array, down: Flags, view: View, stature_px: float, config: BiomechanicsConfig
) -> tuple[Array, Array]:
    """Return the left and right edge (f,), in pixels, of the support under bearing ankles (f, 2).

    NaN where neither bears weight. The base extends half a foot's breadth to both sides in a
    frontal view, and from heel to toe in a view from the side.
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


def pendulum_rate(above_px: Array, size: Size, config: BiomechanicsConfig) -> Array:
    """Return omega0 (f,) in rad/s: sqrt(g / height of center of mass over lower ankle) (Hof 2005).

    The default is returned if the person's height is unknown; NaN where not above the ankle.
    """
    if size.height_m is None:
        return np.full(len(above_px), config.omega0_default)
    metres = np.where(above_px > 0, above_px, np.nan) * size.height_m / size.stature_px
    rate: Array = np.sqrt(GRAVITY_M_S2 / metres)
    return rate


def margin_of(extrapolated: Array, low: Array, high: Array) -> Array:
    """Return the margin (f,): 1 in the middle of the base, 0.5 on an edge, 0 half a base beyond."""
    nearer = np.minimum(extrapolated - low, high - extrapolated)
    return np.clip(0.5 + 0.5 * ratio(nearer, (high - low) / 2), 0.0, 1.0)


def sway_score(sway_rms: Array, config: BiomechanicsConfig) -> Array:
    """Return the sway score (f,) from the rms of horizontal speed about its mean, H a second."""
    score: Array = 1.0 / (1.0 + (sway_rms / config.sway_scale) ** 2)
    return score
