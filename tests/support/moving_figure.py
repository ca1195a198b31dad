"""A stick figure that moves by known angles at known times, from the side: the truth of events.

Lengths in pixels; the ground is at y = ``GROUND``. Angles are those that
:func:`tests.support.stick_figure.from_the_side` takes, so that every flexion and every time of an
event is known before noise is added.
"""

from dataclasses import dataclass, field

import numpy as np

from biomech.skeleton import INDEX
from tests.support.stick_figure import from_the_side

STATURE = 320.0 / 0.779
"""Of the figure from the side at scale 1: trunk 120, thigh 100, shank 100."""
GROUND = 560.0
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
JOINTS = ("hip", "knee", "shoulder", "elbow")
_DENSE = 1e-4


@dataclass
class Motion:
    """Points over time, and what is true of them.

    Attributes:
        times_s: (f,). xy: (f, 17, 2). angles: degrees (f,) by name of the flexion.
        events: seconds by kind.
    """

    times_s: np.ndarray
    xy: np.ndarray
    angles: dict[str, np.ndarray] = field(default_factory=dict)
    events: dict[str, np.ndarray] = field(default_factory=dict)

    def noisy(self, sigma, seed=0):
        """The same with independent noise of ``sigma`` pixels on every coordinate."""
        rng = np.random.default_rng(seed)
        xy = self.xy + rng.normal(0, sigma, self.xy.shape)
        return Motion(self.times_s, xy, self.angles, self.events)


def frames(seconds, fps, jitter=0.0, seed=0):
    """Time stamps at ``fps``, each off by up to ``jitter`` of an interval."""
    times = np.arange(round(seconds * fps)) / fps
    return times + np.random.default_rng(seed).uniform(-jitter, jitter, len(times)) / fps


def standing_on(ground, xy):
    """Points moved up or down in each frame until the lower ankle is at ``ground`` (f,)."""
    lowest = xy[:, ANKLES, 1].max(1)
    return xy + np.stack([np.zeros(len(xy)), ground - lowest], -1)[:, None]


def gait_angles(phase):
    """Hip and knee flexion of the definitions' walker, degrees, by the phase of a stride."""
    hip = 10 + 22 * np.cos(phase)
    loading = 10 * np.exp(6 * (np.cos(phase - np.pi / 4) - 1))
    return hip, 8 + 52 * np.exp(3 * (np.cos(phase - 3 * np.pi / 2) - 1)) + loading


def walk(times_s, *, stride_hz=0.9, speed=0.0, facing=1, start=(300.0, 0.0), legs=(100.0, 100.0)):
    """Strides of ``stride_hz``, the right leg first forward at 0 s; ``speed`` pixels a second."""
    phases = {"right": 2 * np.pi * stride_hz * times_s}
    phases["left"] = phases["right"] + np.pi
    angles, ends = {}, float(times_s[-1])
    for side, phase in phases.items():
        angles[f"{side}_hip"], angles[f"{side}_knee"] = gait_angles(phase)
        swing = 15 * np.cos(phase + np.pi)  # arms against legs
        angles[f"{side}_shoulder"], angles[f"{side}_elbow"] = swing, np.full(len(times_s), 20.0)
    at = np.stack([start[0] + facing * speed * times_s, np.zeros(len(times_s))], -1)[:, None]
    xy = from_the_side(
        facing=facing,
        at=at,
        legs=legs,
        **{
            j: (angles[f"left_{j}"], angles[f"right_{j}"])
            for j in ("hip", "knee", "shoulder", "elbow")
        },
    )
    return Motion(times_s, standing_on(GROUND, xy), angles, _steps(stride_hz, ends, legs))


def _steps(stride_hz, ends, legs):
    """Times at which each ankle is farthest before and behind the hip."""
    dense = np.arange(-1 / stride_hz, ends + 1 / stride_hz, _DENSE)
    events = {}
    for side, offset in (("right", 0.0), ("left", np.pi)):
        hip, knee = np.radians(gait_angles(2 * np.pi * stride_hz * dense + offset))
        ahead = legs[0] * np.sin(hip) + legs[1] * np.sin(hip - knee)
        for kind, signal in (("contact", ahead), ("toe_off", -ahead)):
            inner = (signal[1:-1] > signal[:-2]) & (signal[1:-1] >= signal[2:])
            peaks = dense[1:-1][inner & (signal[1:-1] > 0.5 * signal.max())]
            events[f"{side}_{kind}"] = peaks[(peaks >= 0) & (peaks <= ends)]
    return events


def bump(times_s, start, rise, fall):
    """0 to 1 and back as half cosines: up in ``rise`` seconds from ``start``, down in ``fall``."""
    up = np.clip((times_s - start) / rise, 0, 1)
    down = np.clip((times_s - start - rise) / fall, 0, 1)
    return 0.5 * (np.cos(np.pi * down) - np.cos(np.pi * up))


def squats(times_s, starts, *, down=0.8, up=0.8, depth=100.0, facing=1, rest=5.0):
    """One squat from each of ``starts``; ``depth`` a number, or one for each, of knee flexion."""
    depths = np.broadcast_to(depth, len(starts))
    share = sum(d / 100.0 * bump(times_s, s, down, up) for s, d in zip(starts, depths, strict=True))
    knee = rest + (100.0 - rest) * share
    xy = from_the_side(
        facing=facing, knee=knee, hip=0.9 * knee, lean=0.35 * knee, shoulder=0.8 * knee, elbow=5.0
    )
    starts = np.asarray(starts, float)
    return Motion(
        times_s,
        standing_on(GROUND, xy),
        {"left_knee": knee, "right_knee": knee, "trunk_lean": 0.35 * knee},
        {"start": starts, "peak": starts + down, "end": starts + down + up},
    )


def arm_raises(times_s, starts, *, up=0.7, down=0.7, top=150.0, facing=1):
    """Both arms raised forward to ``top`` degrees from each of ``starts``, elbows straight."""
    angle = top * sum(bump(times_s, s, up, down) for s in starts)
    xy = from_the_side(facing=facing, shoulder=angle, knee=3.0, hip=2.0)
    starts = np.asarray(starts, float)
    return Motion(
        times_s,
        standing_on(GROUND, xy),
        {"left_shoulder": angle, "right_shoulder": angle},
        {"start": starts, "peak": starts + up, "end": starts + up + down},
    )


GRAVITY = 9.81


def jumps(times_s, takeoffs, *, flight_s=0.5, height_m=1.75, drop_px=0.0, stiff=False):
    """A jump from each of ``takeoffs`` (s), with a countermovement and a soft landing.

    The feet leave the ground, and come back to it, at the speed that makes the flight last. After
    ``drop_px`` the ground is lower: a drop from a box.
    """
    px_per_m = STATURE / height_m
    knee, lift = np.full(len(times_s), 8.0), np.zeros(len(times_s))
    ground = np.full(len(times_s), GROUND - drop_px)
    for takeoff in takeoffs:
        landing = takeoff + flight_s
        knee = knee + 62 * bump(times_s, takeoff - 0.75, 0.45, 0.30)
        knee = knee + (14 if stiff else 55) * bump(times_s, landing, 0.25, 0.55)
        air = np.clip(times_s - takeoff, 0, flight_s)
        lift = lift + 0.5 * GRAVITY * px_per_m * air * (flight_s - air)
        if drop_px:
            # Falls from one ground to the other in the same arc, then stays on the lower.
            ground = ground + drop_px * np.clip((times_s - takeoff) / flight_s, 0, 1)
    xy = from_the_side(knee=knee, hip=knee * 0.9, lean=knee * 0.3, shoulder=10.0, elbow=15.0)
    return Motion(
        times_s,
        standing_on(ground - lift, xy),
        {"left_knee": knee},
        {"takeoff": np.asarray(takeoffs, float), "landing": np.asarray(takeoffs) + flight_s},
    )
