"""Somebody who does not move: whatever the noise, nothing is counted, and little adds up."""

from dataclasses import replace

import numpy as np
import pytest

from biomech.applications.external_load import load
from biomech.config import BiomechanicsConfig, Subject
from biomech.events.clip_events import clip_events_of
from biomech.events.repetitions import HIP_HEIGHT
from biomech.kinematics.person_metrics import person_metrics
from biomech.preprocessing.filters import lowpass
from biomech.preprocessing.noise import Noise
from tests.support.autoregression import autoregressive
from tests.support.plain import in_json
from tests.support.stick_figure import FIGURE, from_the_side, seen

load = in_json(load)

CONFIG = BiomechanicsConfig()
WIDE = (2000, 2000)
STILL = {
    "straight": from_the_side()[None],
    "bent": from_the_side(lean=10.0, hip=30.0, knee=40.0, shoulder=30.0, elbow=60.0)[None],
    "from the front": FIGURE[None],
}
CORRELATIONS = (0.0, 0.5, 0.8, 0.9)


def performed(xy, rate=30.0):
    track = seen(xy, times_s=np.arange(len(xy)) / rate, sigma=3.0, size=WIDE)
    made = clip_events_of(person_metrics(track, CONFIG, Subject(), 0.0), CONFIG, "auto")
    assert made is not None
    return made


def noisy(xy, frames, level, correlation, seed):
    noise = autoregressive(np.random.default_rng(seed), correlation, (frames, 17, 2))
    return xy + level * noise


def squats(seconds, depth=90.0, period_s=2.5, rate=30.0):
    bend = depth * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(0, seconds, 1 / rate) / period_s))
    return from_the_side(
        lean=0.4 * bend, hip=0.9 * bend, knee=bend, shoulder=30 + 0 * bend, elbow=60 + 0 * bend
    )


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_a_still_minute_has_repetitions_in_one_clip_of_twenty_at_most(correlation):
    poses = list(STILL.values())
    counted = [
        performed(noisy(poses[seed % 3], 1800, 1.0 + seed % 5 / 2, correlation, seed)).repetitions
        for seed in range(20)
    ]
    assert sum(bool(found.items) for found in counted) <= 1


@pytest.mark.parametrize(("rate", "seconds"), [(30.0, 20.0), (120.0, 20.0)])
def test_nor_has_a_still_clip_of_another_length_or_rate(rate, seconds):
    poses = list(STILL.values())
    for seed in range(6):
        xy = noisy(poses[seed % 3], round(rate * seconds), 3.0, 0.8, seed)
        assert performed(xy, rate).repetitions.items == []


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("level", [0.5, 1.0, 2.0])
def test_real_repetitions_are_found_among_the_noise(correlation, level):
    found = performed(noisy(squats(20.0), 600, level, correlation, 3)).repetitions
    assert len(found.items) == 8
    assert [rep.peak_s for rep in found.items] == pytest.approx(1.25 + 2.5 * np.arange(8), abs=0.15)


def test_the_least_swing_grows_with_the_noise_its_correlation_and_the_clip():
    def swing(level=1.0, correlation=0.5, frames=600):
        made = performed(noisy(STILL["bent"], frames, level, correlation, 4)).curves
        return made.noise_swing["left_knee"]

    assert swing(level=2.0) == pytest.approx(2 * swing(), rel=0.1)
    assert swing(correlation=0.8) > 1.1 * swing(correlation=0.0)
    assert swing(frames=3600) > 1.05 * swing()


def test_the_least_swing_is_that_of_rice():
    made = performed(noisy(STILL["bent"], 600, 1.0, 0.5, 4)).metrics.points.noise
    clips, seconds = 400, 20.0
    times = np.arange(0, seconds, 1 / 30)
    from_noise = autoregressive(np.random.default_rng(1), made.correlation, (600, clips, 1))
    smooth = lowpass(times, from_noise, 6.0, 0.2)[0][..., 0] / made.passed
    beyond = np.mean(np.ptp(smooth, axis=0) > made.swing(1.0, seconds))
    assert beyond <= 0.05 / 8


def test_where_the_noise_cannot_be_told_there_is_no_least_swing():
    assert Noise(float("nan"), np.full(17, np.nan), 1.0, None).swing(3.0, 60.0) == 0.0


def test_hips_of_somebody_still_seen_from_the_front_do_not_go_down():
    for seed in range(6):
        found = performed(noisy(STILL["from the front"], 900, 4.0, 0.9, seed)).repetitions
        assert (found.driver, found.items) == (None, [])
    deep = STILL["from the front"] + np.zeros((900, 1, 1))
    bend = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(900) / 75)
    low = deep.copy()
    above = [i for i in range(17) if i not in (13, 14, 15, 16)]
    low[:, above, 1] += 90 * bend[:, None]
    found = performed(noisy(low, 900, 1.0, 0.5, 1)).repetitions
    assert (found.driver, len(found.items)) == (HIP_HEIGHT, 12)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("level", [1.0, 2.0])
def test_a_still_minute_has_a_twentieth_of_a_real_sets_load_at_most(correlation, level):
    still = load(performed(noisy(STILL["bent"], 1800, level, correlation, 6)), CONFIG)
    real = load(performed(noisy(squats(60.0), 1800, level, correlation, 7)), CONFIG)
    assert still["active_s"] <= 0.05 * real["active_s"]
    for name in ("left_knee", "left_hip"):
        mine, theirs = (told["joints"][name] for told in (still, real))
        assert mine["travel_deg"] <= 0.05 * theirs["travel_deg"]
        assert sum(mine["zones_s"][1:]) <= 0.05 * sum(theirs["zones_s"][1:])
        assert sum(mine["zones_s"]) == pytest.approx(60.0, abs=0.1)
    elbow = still["joints"]["left_elbow"]["travel_deg"]
    assert elbow <= 0.05 * real["joints"]["left_knee"]["travel_deg"]


@pytest.mark.parametrize("level", [0.5, 1.0, 2.0])
def test_what_a_joint_really_turns_by_still_counts(level):
    told = load(performed(noisy(squats(60.0), 1800, level, 0.5, 8)), CONFIG)
    assert told["joints"]["left_knee"]["travel_deg"] == pytest.approx(24 * 2 * 90, rel=0.1)
    assert told["active_s"] > 40


def test_a_joint_without_known_noise_counts_as_it_is():
    made = performed(noisy(STILL["bent"], 300, 1.0, 0.5, 9))
    assert load(made, CONFIG)["joints"]["left_elbow"]["travel_deg"] == 0.0
    blind = replace(made, curves=replace(made.curves, noise_swing={}))
    assert load(blind, CONFIG)["joints"]["left_elbow"]["travel_deg"] > 100
