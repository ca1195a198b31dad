"""Slow motion is suspected by how things fall, and by nothing else."""

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig, Camera, Context, Subject
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.person_metrics import person_metrics
from biomech.results.cautions import cautions_of
from tests.support.filmed_athlete import filmed, summarised
from tests.support.moving_figure import GROUND, frames, jumps, squats, standing_on, walk
from tests.support.stick_figure import from_the_side, seen

SIZE = (900, 900)


def suspected(xy, times_s, height_m=None):
    """(factor, first frame, last frame) of the caution, None without one."""
    track = seen(xy, times_s=times_s, sigma=1.0, size=SIZE)
    metrics = person_metrics(track, BiomechanicsConfig(), Subject(height_m=height_m))
    clip_events = clip_events_of(metrics, BiomechanicsConfig(), "auto")
    nobody = np.zeros(len(xy), bool)
    for caution in cautions_of(metrics, clip_events, "auto", nobody):
        if caution.code == "slow_motion_suspected":
            at = np.flatnonzero(caution.frames)
            return caution.value, int(at[0]), int(at[-1])
    return None


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("height_m", [None, 1.75])
@pytest.mark.parametrize("slowed", [2.0, 4.0, 8.0])
def test_a_jump_in_slow_motion_is_suspected_with_its_factor(slowed, height_m, noise):
    """A flight at g / 64 of a film slowed 8 times had no hint."""
    motion = jumps(frames(4.0, 120), [1.5]).noisy(noise)
    factor, first, last = suspected(motion.xy, motion.times_s * slowed, height_m)
    assert factor == pytest.approx(slowed, rel=0.1)
    assert 1.5 * 120 <= first < last <= 2.0 * 120


@pytest.mark.parametrize("slowed", [4.0, 8.0])
def test_a_fall_from_a_box_in_slow_motion_is_suspected(slowed):
    motion = jumps(frames(4.0, 120), [1.5], drop_px=120.0)
    factor, _, _ = suspected(motion.xy, motion.times_s * slowed, 1.75)
    assert factor == pytest.approx(slowed, rel=0.25)


def test_a_body_that_falls_at_a_sixty_fourth_of_gravity_is_suspected():
    times = frames(6.0, 30)
    fallen = np.clip(times - 1.0, 0, 3.2) ** 2 * 9.81 / 64 / 2  # metres, 0.78 in all
    lift = (fallen.max() - fallen) * 320.0 / 0.779 / 1.75
    xy = standing_on(GROUND - lift, from_the_side(knee=np.full(len(times), 20.0), hip=15.0))
    factor, _, last = suspected(xy, times, 1.75)
    assert factor == pytest.approx(8.0, rel=0.1)
    assert last <= 30 * 4.3


def test_the_summary_says_the_factor_and_is_silent_once_it_is_given():
    motion = jumps(frames(4.0, 120), [1.5])
    track = seen(motion.xy, times_s=motion.times_s * 8, sigma=1.0, size=SIZE)
    told = {c["code"]: c for c in summarised(track)["quality"]}["slow_motion_suspected"]
    assert told["value"] == pytest.approx(8.0, rel=0.1)
    assert "camera.slowmo_factor, about 8" in told["detail"]
    given = summarised(track, Context(camera=Camera(slowmo_factor=8.0)))
    assert "slow_motion_suspected" not in {c["code"] for c in given["quality"]}


def climbing(seconds, *, slow):
    """Somebody who steps onto a box, stands on it, and steps down again, one foot at a time."""
    times = frames(seconds, 30)
    up = np.clip((times - 1.0) / slow, 0, 1) - np.clip((times - 4.0) / slow, 0, 1)
    return from_the_side(hip=10.0 + 0 * times, at=(300.0, 300.0)) - np.stack(
        [0 * times, 100 * (0.5 - 0.5 * np.cos(np.pi * up))], -1
    )[:, None], times


def test_what_does_not_fall_is_not_suspected():
    """Not jumps as they are, squats, a walk, a box that is stood on, or hanging from a bar."""
    for motion in (
        jumps(frames(4.0, 120), [1.0, 2.5]),
        jumps(frames(4.0, 30), [1.5]).noisy(1.0),
        squats(frames(9.0, 30), [1.0, 4.0, 7.0]),
        walk(frames(8.0, 60), speed=20.0).noisy(1.0),
    ):
        assert suspected(motion.xy, motion.times_s) is None
    for slow in (0.5, 1.0, 2.0):
        assert suspected(*climbing(8.0, slow=slow)) is None
    times = frames(10.0, 30)
    pulled = np.clip((times - 1) / 0.5, 0, 1) * np.clip((9 - times) / 0.5, 0, 1)
    pulls = 100 * pulled + 60 * pulled * (0.5 - 0.5 * np.cos(np.pi * (times - 1.5)))
    hanging = (
        from_the_side(shoulder=170.0, hip=0 * times) - np.stack([0 * times, pulls], -1)[:, None]
    )
    assert suspected(hanging, times) is None


@pytest.mark.parametrize("movement", ["squat", "lunge", "gait", "jump", "arm_raise"])
def test_films_in_the_time_of_the_world_are_not_suspected(movement):
    told = summarised(filmed(movement, fps=60.0, seconds=6.0, seed=4, noise_px=1.0)[1])
    assert "slow_motion_suspected" not in {c["code"] for c in told["quality"]}
