"""Figures whose feet roll, so that ankles and feet leave and meet the ground at different times.

A countermovement jump whose heels rise before the toes leave the ground, and a walker and a runner
whose ankles follow the paths of feet with known contacts.
"""

from dataclasses import dataclass

import numpy as np

from tests.support.moving_figure import GRAVITY, GROUND, STATURE, standing_on
from tests.support.stick_figure import from_the_side, seen

HEIGHT_M = 1.75
BALL_M = np.array([0.157, 0.068])
"""From the ball of the foot back and up to the ankle, the foot being flat."""


@dataclass(frozen=True)
class Rolled:
    """Points (f, 17, 2) of a figure with what is true of it.

    ``takeoff_s`` and ``landing_s`` are those of the toes; ``knee`` (f,) degrees.
    """

    times_s: np.ndarray
    xy: np.ndarray
    takeoff_s: float
    landing_s: float
    height_m: float
    knee: np.ndarray

    @property
    def knee_at_landing(self):
        """Return the flexion of the knees at contact, degrees."""
        return float(np.interp(self.landing_s, self.times_s, self.knee))


def ankle_rise_m(degrees):
    """Height of the ankle over that of a flat foot which rolls on its ball by ``degrees``."""
    length, flat = np.hypot(*BALL_M), np.arctan2(BALL_M[1], BALL_M[0])
    return length * (np.sin(flat + np.radians(degrees)) - np.sin(flat))


def countermovement_jump(
    *,
    height_m=0.30,
    fps=60.0,
    heel_deg=0.0,
    heel_s=0.12,
    foot_deg=0.0,
    foot_s=0.08,
    power=2.0,
    knee_deg=20.0,
    deepest_deg=75.0,
    phase=0.0,
):
    """A jump from heels that rise to ``heel_deg`` in ``heel_s``, onto feet at ``foot_deg``.

    The feet come down to flat within ``foot_s``. The knees are at ``knee_deg`` at contact and bend
    to ``deepest_deg``. ``phase`` shifts the frames, in parts of one.
    """
    times = (np.arange(round(4 * fps)) + phase) / fps
    speed = np.sqrt(2 * GRAVITY * height_m)
    takeoff, landing = 2.2, 2.2 + 2 * speed / GRAVITY
    up = np.clip((times - takeoff + heel_s) / heel_s, 0, 1) ** power
    down = np.clip(1 - (times - landing) / foot_s, 0, 1) ** 1.3
    air = np.clip((times - takeoff) / (landing - takeoff), 0, 1)
    foot = np.where(
        times < takeoff,
        heel_deg * up,
        np.where(times < landing, heel_deg + (foot_deg - heel_deg) * air, foot_deg * down),
    )
    since = np.clip(times - takeoff, 0, landing - takeoff)
    lift_m = speed * since - GRAVITY * since**2 / 2 + ankle_rise_m(foot)
    knee = np.interp(
        times,
        [0, 1.2, 1.75, takeoff, takeoff + 0.1, landing - 0.08, landing, landing + 0.2,
         landing + 0.7],
        [4, 4, 90, 6, 9, 12, knee_deg, deepest_deg, 5],
    )  # fmt: skip
    xy = from_the_side(knee=knee, hip=0.9 * knee, lean=0.35 * knee, shoulder=0.3 * knee, elbow=15.0)
    xy = standing_on(GROUND - lift_m * STATURE / HEIGHT_M, xy)
    return Rolled(times, xy, takeoff, landing, height_m, knee)


def correlated(random, xy, sd_px, correlation=0.5):
    """Points with noise of the first autoregressive order added."""
    steps = random.standard_normal(xy.shape) * sd_px
    noise = np.empty_like(xy)
    noise[0] = steps[0]
    for i in range(1, len(xy)):
        noise[i] = correlation * noise[i - 1] + np.sqrt(1 - correlation**2) * steps[i]
    return xy + noise


def track_of(rolled, *, sd_px=0.0, correlation=0.5, seed=0, sigma=3.0):
    """The track of a figure's points with noise."""
    xy = correlated(np.random.default_rng([seed, 23]), rolled.xy, sd_px, correlation)
    return seen(xy, times_s=rolled.times_s, sigma=sigma, size=(1280, 1280))


@dataclass(frozen=True)
class Gone:
    """Points (f, 17, 2) of a walker or runner, and by side the times of contacts and toe-offs."""

    times_s: np.ndarray
    xy: np.ndarray
    contact_s: dict
    toe_off_s: dict
    stance_s: float
    step_m: float


def locomotion(
    *, run, speed_m_s, stride_s, duty, fps=60.0, seconds=6.0, treadmill=True, facing=1, bounce=None
):
    """A walker or runner whose feet stand still on the ground for ``duty`` of each stride.

    Feet land ahead of the hips by half the way of a stance; the heel rises late in it, so that the
    ankle is above and before its place when the toes leave. Hips are lowest amid the support of
    a runner, and amid both supports of a walker.
    """
    px = STATURE / HEIGHT_M
    times = np.arange(round(seconds * fps)) / fps
    bounce = (0.04 if run else 0.02) if bounce is None else bounce
    low = duty / 2 if run else (duty - 0.5) / 2  # amid support, or both supports, from contact
    hips_m = 0.88 - bounce * np.cos(4 * np.pi * (times / stride_s - low))
    stance_m = speed_m_s * stride_s * duty
    at, flexions, contact, off = {}, {}, {}, {}
    for side, shift in (("left", 0.0), ("right", 0.5)):
        stride = np.floor(times / stride_s - shift)
        phase = times / stride_s - shift - stride
        x, y = _ankle(phase, duty, stride_s, speed_m_s, stance_m, run)
        at[side] = np.stack([x, y + BALL_M[1]], -1)
        flexions[side] = _reach(at[side] - np.stack([0 * hips_m, hips_m], -1))
        every = (np.arange(-1, round(seconds / stride_s) + 1) + shift) * stride_s
        contact[side], off[side] = every, every + duty * stride_s
    hip, knee = (tuple(flexions[s][i] for s in ("left", "right")) for i in (0, 1))
    swing = 20 * np.cos(2 * np.pi * times / stride_s)
    shift = 0.0 if treadmill else facing * speed_m_s * times * px
    hips = np.stack([640.0 + shift + 0 * times, GROUND - hips_m * px], -1)
    lean = 8.0 if run else 3.0
    xy = from_the_side(
        facing=facing,
        at=hips[:, None],
        lean=lean,
        hip=tuple(h + lean for h in hip),
        knee=knee,
        shoulder=(-swing, swing),
        elbow=80.0 if run else 20.0,
        legs=(100.0, 100.0),
    )
    return Gone(times, xy, contact, off, duty * stride_s, speed_m_s * stride_s / 2)


def _ankle(phase, duty, stride_s, speed, stance_m, run):
    """Ankle before the hips and over its height on a flat foot, (f,) metres each."""
    flat = 0.6 * duty
    rolled = 40.0 * np.clip((phase - flat) / (duty - flat), 0, 1) ** 2
    forward = BALL_M[0] - np.hypot(*BALL_M) * np.cos(
        np.arctan2(BALL_M[1], BALL_M[0]) + np.radians(rolled)
    )
    planted = stance_m / 2 - speed * phase * stride_s + forward
    high = ankle_rise_m(rolled)
    u = np.clip((phase - duty) / (1 - duty), 0, 1)
    # Over the ground, so that the foot does not slide when it lands.
    start_x = stance_m / 2 + forward.max()
    ease = u**3 * (10 - 15 * u + 6 * u**2)
    swing_x = start_x + (stance_m / 2 + speed * stride_s - start_x) * ease
    swing_x = swing_x - speed * phase * stride_s
    top = 0.28 if run else 0.10
    swing_y = ankle_rise_m(40.0) * (1 - u) ** 2 + top * np.sin(np.pi * u)
    air = phase >= duty
    return np.where(air, swing_x, planted), np.where(air, swing_y, high)


def _reach(ankle, thigh_px=100.0, shank_px=100.0):
    """Hip and knee flexion, degrees, that bring an ankle where it is from the hip, (f, 2) m."""
    x, down = ankle[:, 0] * STATURE / HEIGHT_M, -ankle[:, 1] * STATURE / HEIGHT_M
    reach = np.minimum(np.hypot(x, down), 0.9995 * (thigh_px + shank_px))
    knee = np.pi - np.arccos((thigh_px**2 + shank_px**2 - reach**2) / (2 * thigh_px * shank_px))
    hip = np.arctan2(x, down) + knee / 2  # thigh and shank are as long
    return np.degrees(hip), np.degrees(knee)
