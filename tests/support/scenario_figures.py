"""People in postures and movements of known kind, for scores that must tell them apart.

Each is (times (f,), points (f, 17, 2)) without noise, 30 frames a second. Those from the side are
figures of ``tests.support.stick_figure``; from the front one is drawn here whose legs bend and who
leans.
"""

import numpy as np

from biomech.skeleton import INDEX
from tests.support.autoregression import autoregressive
from tests.support.moving_figure import GROUND, bump, frames, gait_angles, jumps, standing_on, walk
from tests.support.stick_figure import from_the_side, rotated, seen

FPS = 30.0
TRUNK, THIGH, SHANK, UPPER, FORE = 120.0, 100.0, 100.0, 75.0, 65.0
SIZE = (1920, 1080)


def times_of(seconds):
    """Time stamps at 30 frames a second."""
    return frames(seconds, FPS)


def from_the_front(t, *, lean=0.0, thigh=0.0, lifted=0.0, stance=50.0, shift=0.0, tilt=0.0):
    """(f, 17, 2) of someone who faces the camera.

    Args:
        t: (f,) seconds. lean: degrees of the whole body about the ankles, to image right.
        thigh: degrees by which the thighs turn toward the camera: 90 on a seat.
        lifted: pixels by which the right foot is off the ground, its knee bent to the front.
        stance: pixels between the ankles. shift: pixels of the hips to image right.
        tilt: degrees of the trunk over the hips.
    """
    lean, thigh, shift, tilt = (
        np.broadcast_to(np.asarray(v, float), t.shape) for v in (lean, thigh, shift, tilt)
    )
    upper = THIGH * np.cos(np.radians(thigh))
    xy = np.zeros((len(t), 17, 2))
    over = stance / 2 + 4.0 if lifted else 0.0  # the weight of the lifted leg is beside the foot
    hips = np.stack([over + shift, -(upper + SHANK)], -1)
    a = np.radians(tilt)
    up = np.stack([np.sin(a), -np.cos(a)], -1)
    across = np.stack([np.cos(a), np.sin(a)], -1)
    neck = hips + TRUNK * up
    # The shoulders of somebody who faces the camera are 0.76 of the trunk apart.
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip = hips + np.array([sign * 22.0, 0.0])
        ankle = np.tile([stance / 2 * sign, 0.0], (len(t), 1))
        if lifted and side == "right":
            ankle = hip + np.stack([0 * t, upper + SHANK - lifted], -1)
        knee = hip + (ankle - hip) * (upper / (upper + SHANK))[:, None] + [2.0 * sign, 0.0]
        shoulder = neck + sign * 45.0 * across
        elbow = shoulder + np.array([sign * 12.0, UPPER])
        wrist = elbow + np.array([sign * 6.0, FORE])
        ear = neck - [0.0, 48.0] + [sign * 16.0, 0.0]
        named = {"hip": hip, "knee": knee, "ankle": ankle, "shoulder": shoulder, "elbow": elbow}
        named |= {"wrist": wrist, "ear": ear, "eye": ear + np.array([-sign * 8.0, -6.0])}
        for joint, point in named.items():
            xy[:, INDEX[f"{side}_{joint}"]] = point
    xy[:, INDEX["nose"]] = neck - [0.0, 46.0]
    about = np.array([stance / 2 if lifted else 0.0, 0.0])
    c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
    turn = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)
    return (xy - about) @ turn + about + [960.0, 900.0]


def sway(t, size, hz=0.9):
    """(f,) of a wobble whose rhythm is not even."""
    return size * (np.sin(2 * np.pi * hz * t) + 0.4 * np.sin(2 * np.pi * 1.7 * hz * t + 1.0))


def planted(xy):
    """Points (f, 17, 2) shifted so that the ankles' mean stays where it is at first."""
    feet = xy[:, [INDEX["left_ankle"], INDEX["right_ankle"]]].mean(1, keepdims=True)
    return xy - feet + feet[:1]


def placed(xy, at=(900.0, 0.0)):
    """Points shifted to within the picture."""
    return xy + np.asarray(at)


def squat_set(t, bends, *, wobble=0.0, lean=0.35, uneven=0.0, tremor=0.0, facing=1):
    """Squats from the side; ``bends`` of (start, down, up, depth in degrees of knee flexion)."""
    knee = 5.0 + sum((d - 5.0) * bump(t, s, down, up) for s, down, up, d in bends)
    late = np.clip(t / t[-1], 0, 1)
    shake = tremor * late * np.sin(2 * np.pi * 3.5 * t) * (knee > 15)
    bent = knee + shake
    xy = from_the_side(
        facing=facing,
        knee=(bent, bent - uneven * late * (knee - 5.0) / 90.0),
        hip=0.9 * bent,
        lean=lean * knee + sway(t, wobble, 1.1) * late,
        shoulder=0.8 * knee,
        elbow=5.0,
    )
    return placed(standing_on(GROUND, planted(xy)))


FRESH = [(0.8 + 2.2 * i, 0.8, 0.8, 95.0) for i in range(8)]
TIRED = [(0.8 + 2.2 * i, 0.8 + 0.05 * i, 0.8 + 0.06 * i, 95.0 - 4.0 * i) for i in range(8)]


def _thighs(t, bends):
    """(f,) degrees by which the thighs turn toward the camera in squats."""
    return sum(0.8 * d * bump(t, s, down, up) for s, down, up, d in bends)


def uneven_walk(t, *, late=0.0, stiff=1.0):
    """A walk on a treadmill; the left leg is ``late`` by a share of a stride, or its knee stiff."""
    phase = 2 * np.pi * 0.9 * t
    angles = {}
    for side, p in (("right", phase), ("left", phase + np.pi + 2 * np.pi * late)):
        hip, knee = gait_angles(p)
        angles[side] = (hip, knee * (stiff if side == "left" else 1.0))
    xy = from_the_side(
        hip=(angles["left"][0], angles["right"][0]),
        knee=(angles["left"][1], angles["right"][1]),
        shoulder=(-15 * np.cos(phase + np.pi), -15 * np.cos(phase)),
        elbow=20.0,
    )
    return placed(standing_on(GROUND, xy))


def run_in_place_of_view(t):
    """A run across the picture: strides of 1.4 a second, both feet off the ground between steps."""
    phase = 2 * np.pi * 1.4 * t
    parts = {}
    for side, p in (("right", phase), ("left", phase + np.pi)):
        hip, knee = gait_angles(p)
        parts[side] = (1.3 * hip, 1.4 * knee)
    xy = from_the_side(
        at=np.stack([100.0 + 260.0 * t, np.zeros(len(t))], -1)[:, None],
        lean=10.0,
        hip=(parts["left"][0], parts["right"][0]),
        knee=(parts["left"][1], parts["right"][1]),
        shoulder=(-30 * np.cos(phase + np.pi), -30 * np.cos(phase)),
        elbow=90.0,
    )
    rise = 20.0 * np.abs(np.sin(phase - 0.4)) ** 2
    return standing_on(GROUND - rise, xy)


def _scenarios():
    t = times_of(8.0)
    long = times_of(20.0)
    still = np.zeros(len(t))[:, None, None]
    stand = from_the_side(knee=5.0, hip=3.0, at=(900.0, 300.0))
    seat = from_the_side(knee=90.0, hip=90.0, at=(900.0, 300.0))
    plank = rotated(from_the_side(shoulder=80.0, at=(900.0, 300.0)), 80.0, (900.0, 300.0))
    lying = rotated(from_the_side(shoulder=10.0, at=(900.0, 300.0)), -90.0, (900.0, 300.0))
    crouch = from_the_side(knee=70.0, hip=75.0, lean=40.0, shoulder=60.0, at=(900.0, 300.0))
    handstand = rotated(from_the_side(shoulder=175.0, at=(900.0, 500.0)), 180.0, (900.0, 500.0))
    return {
        "standing": (t, from_the_front(t, lean=sway(t, 0.08, 0.3))),
        "standing, side": (t, stand + still),
        "wobbling": (t, from_the_front(t, lean=sway(t, 1.5), tilt=sway(t, 2.0, 1.3))),
        "one leg": (t, from_the_front(t, lifted=60.0, lean=sway(t, 0.12, 0.4))),
        "one leg, wobbling": (
            t,
            from_the_front(t, lifted=60.0, lean=sway(t, 1.2), tilt=sway(t, 3.0, 1.3)),
        ),
        "sitting": (t, seat + still),
        "sitting, front": (t, from_the_front(t, thigh=85.0)),
        "plank": (t, plank + still),
        "lying": (t, lying + still),
        "handstand": (t, handstand + still),
        "crouch": (t, crouch + still),
        "squats, fresh": (long, squat_set(long, FRESH)),
        "squats, tired": (
            long,
            squat_set(long, TIRED, wobble=3.0, lean=0.45, uneven=12.0, tremor=4.0),
        ),
        "squats, front": (long, from_the_front(long, thigh=_thighs(long, FRESH))),
        "squats, front, wobbling": (
            long,
            from_the_front(long, thigh=_thighs(long, FRESH), lean=sway(long, 1.5)),
        ),
        "walk": (t, walk(t, start=(900.0, 0.0)).xy),
        "walk across": (t, walk(t, speed=120.0, start=(200.0, 0.0)).xy),
        "walk, late leg": (t, uneven_walk(t, late=0.06)),
        "walk, stiff knee": (t, uneven_walk(t, stiff=0.5)),
        "run": (times_of(6.0), run_in_place_of_view(times_of(6.0))),
        "jump": (t, placed(jumps(t, [2.0, 5.0]).xy, (600.0, 0.0))),
    }


SCENARIOS = _scenarios()


def scenario(name, *, noise_px=0.0, correlation=0.0, seed=0, score=0.9):
    """Track of a scenario, with noise of so many pixels whose neighbours correlate so."""
    t, xy = SCENARIOS[name]
    noise = autoregressive(np.random.default_rng([seed, 7]), correlation, xy.shape)
    return seen(xy + noise_px * noise, times_s=t, score=score, sigma=max(noise_px, 0.5), size=SIZE)
