"""Movements as joint angles over time: each gives angles, place and lift at given times."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.athlete.body import SIDES, Array, pose

Angles = dict[str, Array | float]
"""Degrees by name, over time or constant."""

GRAVITY = 9.81 / 1.75
"""Statures a second squared, of somebody of 1.75 m."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement at T times.

    Attributes:
        angles: (T,) degrees by name. at: (T,2) place on the ground, statures. lift: (T,) statures.
        repetitions: how many whole ones there are.
    """

    angles: dict[str, Array]
    at: Array
    lift: Array
    repetitions: int


@dataclass(frozen=True, slots=True)
class Style:
    """Parameters of a movement.

    Attributes:
        period_s: of one repetition or stride. depth: 0.6 to 1.2, how far it goes.
        lean: degrees added to the trunk's. wide: degrees of abduction of the legs.
        uneven: degrees by which the right side differs. heading: degrees.
    """

    period_s: float = 2.0
    depth: float = 1.0
    lean: float = 0.0
    wide: float = 6.0
    uneven: float = 0.0
    heading: float = 0.0

    @staticmethod
    def sample(random: np.random.Generator) -> "Style":
        """One of many."""
        return Style(
            period_s=float(random.uniform(1.2, 3.0)),
            depth=float(random.uniform(0.65, 1.15)),
            lean=float(random.normal(0, 4)),
            wide=float(random.uniform(2, 14)),
            uneven=float(random.normal(0, 5)),
            heading=float(random.uniform(-180, 180)),
        )


Make = Callable[[Array, Style], Movement]

_STRIDE = {"gait": 0.55, "run": 0.35}
"""Of the style's period: a stride is shorter than a repetition."""
_STANDING_S = {"jump": 0.8}


def period_s(movement: str, style: Style) -> float:
    """Parameters of one repetition or stride."""
    return style.period_s * _STRIDE.get(movement, 1.0) + _STANDING_S.get(movement, 0.0)


def squat(times_s: Array, style: Style) -> Movement:
    """Bending and stretching both legs, arms raised forward for balance."""
    bend = _down_and_up(times_s, style.period_s) * style.depth
    knee = 8 + 100 * bend
    both: Angles = {"hip_abduction": style.wide, "hip_rotation": 10.0, "knee_flexion": knee}
    both |= {"hip_flexion": 6 + 85 * bend, "ankle_flexion": 28 * bend + 2}
    both |= {"shoulder_flexion": 10 + 75 * bend, "shoulder_abduction": 8.0}
    both |= {"elbow_flexion": 12 + 10 * bend}
    return _symmetric(times_s, style, both, trunk_lean=4 + 32 * bend + style.lean)


def lunge(times_s: Array, style: Style) -> Movement:
    """A split stance lowered and raised, the left leg in front."""
    bend = _down_and_up(times_s, style.period_s) * style.depth
    angles = pose(
        len(times_s),
        heading=style.heading,
        trunk_lean=3 + 8 * bend + style.lean,
        left_hip_flexion=25 + 55 * bend,
        left_knee_flexion=12 + 78 * bend,
        left_ankle_flexion=0 + 10 * bend,
        right_hip_flexion=-18 - 2 * bend,
        right_knee_flexion=15 + 75 * bend + style.uneven,
        right_ankle_flexion=5 - 30 * bend,
        left_hip_abduction=style.wide / 2,
        right_hip_abduction=style.wide / 2,
        **_arms(hanging=True, wide=style.wide),
    )
    return _in_place(angles, times_s, style)


def arm_raise(times_s: Array, style: Style) -> Movement:
    """Both arms raised sideways and lowered."""
    up = _down_and_up(times_s, style.period_s)
    both: Angles = {"shoulder_abduction": 8 + 150 * up * style.depth, "elbow_flexion": 10 + 15 * up}
    both |= {"hip_abduction": style.wide, "knee_flexion": 4.0, "hip_flexion": 2.0}
    return _symmetric(times_s, style, both, trunk_lean=1 + style.lean)


def gait(times_s: Array, style: Style) -> Movement:
    """Walking: hips and knees by smooth curves over the stride, arms against legs."""
    return _locomotion(times_s, style, stride_s=period_s("gait", style), run=False)


def run(times_s: Array, style: Style) -> Movement:
    """Running: longer steps, bent arms, both feet off the ground between steps."""
    return _locomotion(times_s, style, stride_s=period_s("run", style), run=True)


def jump(times_s: Array, style: Style) -> Movement:
    """Crouch, take off, fly, land and stand up again; the pelvis follows a parabola in flight."""
    period = period_s("jump", style)
    phase = (times_s % period) / period
    height = 0.16 * style.depth
    flight_s = 2 * np.sqrt(2 * height / GRAVITY)
    share = flight_s / period
    start, crouch_end = 0.45, 0.45
    end = start + share
    flying = (phase > start) & (phase < end)
    t = (phase - start) * period
    lift = np.where(flying, np.sqrt(2 * GRAVITY * height) * t - GRAVITY * t**2 / 2, 0.0)
    down = _bump(phase, 0.05, crouch_end - 0.02) + 0.8 * _bump(phase, end, min(end + 0.3, 1.0))
    knee = 8 + 80 * down * style.depth
    swing = _bump(phase, 0.3, min(end + 0.1, 0.99))
    both: Angles = {"knee_flexion": knee, "hip_flexion": 5 + 62 * down * style.depth}
    both |= {"ankle_flexion": np.where(flying, -35.0, 24 * down), "hip_abduction": style.wide}
    both |= {"shoulder_flexion": -25 * down + 120 * swing, "shoulder_abduction": 10.0}
    both |= {"elbow_flexion": 25.0 + 20 * swing}
    moved = _symmetric(times_s, style, both, trunk_lean=3 + 25 * down + style.lean)
    return Movement(moved.angles, moved.at, np.maximum(lift, 0.0), _whole(times_s, period))


def freely(times_s: Array, style: Style, random: np.random.Generator) -> Movement:
    """Angles anywhere in their ranges, changing slowly: for training."""
    reach = {
        "trunk_lean": (-15, 70), "trunk_side": (-20, 20), "trunk_twist": (-25, 25),
        "pelvis_tilt": (-10, 25), "head_yaw": (-50, 50), "head_pitch": (-20, 30),
        "hip_flexion": (-25, 110), "hip_abduction": (-5, 40), "hip_rotation": (-20, 25),
        "knee_flexion": (0, 130), "ankle_flexion": (-35, 25), "shoulder_flexion": (-45, 170),
        "shoulder_abduction": (0, 110), "shoulder_rotation": (-60, 60), "elbow_flexion": (0, 140),
    }  # fmt: skip
    angles = pose(len(times_s), heading=style.heading)
    for name in angles:
        low, high = reach.get(name.split("_", 1)[1] if name.startswith(SIDES) else name, (0, 0))
        a, b = random.beta(0.9, 1.3, 2)
        s = 0.5 - 0.5 * np.cos(2 * np.pi * times_s / style.period_s + random.uniform(0, 6))
        angles[name] = angles[name] + low + (high - low) * (a + (b - a) * s)
    return _in_place(angles, times_s, style)


MOVEMENTS: dict[str, Make] = {
    "squat": squat,
    "lunge": lunge,
    "gait": gait,
    "run": run,
    "jump": jump,
    "arm_raise": arm_raise,
}


def _locomotion(times_s: Array, style: Style, stride_s: float, *, run: bool) -> Movement:
    cycle = 2 * np.pi * times_s / stride_s
    degrees: Angles = {}
    for side, shift in zip(SIDES, (0.0, np.pi), strict=True):
        c = cycle + shift
        swing = 0.5 - 0.5 * np.cos(c)  # 0 in stance, 1 in swing
        reach = (34 if run else 22) * style.depth
        degrees |= {
            f"{side}_hip_flexion": (16 if run else 8) + reach * np.sin(c - 0.5),
            f"{side}_knee_flexion": 10
            + (85 if run else 52) * style.depth * swing**2
            + (25 if run else 8) * (0.5 - 0.5 * np.cos(2 * c + 1.0)),
            f"{side}_ankle_flexion": 8 * np.sin(c + 1.2) - (8 if run else 3),
            f"{side}_hip_abduction": 0.2 * style.wide,
            f"{side}_shoulder_flexion": -(32 if run else 18) * np.sin(c - 0.5),
            f"{side}_shoulder_abduction": 9.0,
            f"{side}_elbow_flexion": (85 if run else 18) + 10 * np.sin(c),
        }
    lean = (10 if run else 3) + style.lean
    twist = 6 * np.sin(cycle)
    angles = pose(
        len(times_s), heading=style.heading, trunk_lean=lean, trunk_twist=twist, **degrees
    )
    speed = (2.6 if run else 0.75) * style.depth / stride_s * 0.6  # statures a second, about
    ahead = np.radians(style.heading)
    along = (times_s - times_s.mean())[:, None] * speed
    at = along * np.array([np.cos(ahead), np.sin(ahead)])
    lift = (0.035 * np.maximum(np.sin(2 * cycle + 0.8), 0.0)) if run else np.zeros(len(times_s))
    return Movement(angles, at, lift, _whole(times_s, stride_s))


def _symmetric(times_s: Array, style: Style, both: Angles, **trunk: Array | float) -> Movement:
    degrees = {f"{side}_{name}": value for side in SIDES for name, value in both.items()}
    degrees["right_knee_flexion"] = np.maximum(degrees["right_knee_flexion"] + style.uneven, 0.0)
    angles = pose(len(times_s), heading=style.heading, **trunk, **degrees)
    return _in_place(angles, times_s, style)


def _arms(*, hanging: bool, wide: float) -> Angles:
    flexed = 12.0 if hanging else 60.0
    return {
        f"{side}_{name}": value
        for side in SIDES
        for name, value in (("elbow_flexion", flexed), ("shoulder_abduction", 6 + wide / 2))
    }


def _in_place(angles: dict[str, Array], times_s: Array, style: Style) -> Movement:
    frames = len(times_s)
    count = _whole(times_s, style.period_s)
    return Movement(angles, np.zeros((frames, 2)), np.zeros(frames), count)


def _whole(times_s: Array, period_s: float) -> int:
    """Whole periods within the times."""
    span = float(times_s[-1] - times_s[0]) if len(times_s) else 0.0
    return int(span / period_s + 1e-6)  # none may be lost to rounding of the times


def _down_and_up(times_s: Array, period_s: float) -> Array:
    """From 0 to 1 and back once a period, resting a little above."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * times_s / period_s)) ** 1.3


def _bump(phase: Array, start: float, end: float) -> Array:
    """A smooth rise and fall between two phases, 0 elsewhere."""
    inside = np.clip((phase - start) / max(end - start, 1e-6), 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(2 * np.pi * inside)
