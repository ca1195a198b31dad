"""Scores of people of known posture and movement: they tell apart what must be told apart (F7)."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.person_metrics import person_metrics
from biomech.scores.clip_scores import clip_scores
from biomech.scores.readiness import with_smoothness
from tests.support.filmed_athlete import summarised
from tests.support.plain import in_json
from tests.support.scenario_figures import FPS, SCENARIOS, SIZE, scenario
from tests.support.stick_figure import mirrored, seen

clip_scores = in_json(clip_scores)

CONFIG = BiomechanicsConfig()
STABILITY, SYMMETRY, READINESS = "stability_score", "symmetry_index", "athletic_readiness"

# (pixels, correlation of neighbouring frames) of the noise; a stature is about 400 pixels.
NOISES = {"exact": (0.0, 0.0), "white": (2.0, 0.0), "red": (2.0, 0.5), "redder": (3.0, 0.8)}

# Stability and symmetry of the clip, and how stability is defined there; readiness.
TABLE = {
    "standing": ((90, 100), (0.90, 1.0), (85, 100), "standing"),
    "standing, side": ((75, 90), (0.90, 1.0), None, "standing"),
    "wobbling": ((40, 65), (0.90, 1.0), (65, 85), "standing"),
    "one leg": ((80, 95), (0.85, 1.0), (80, 100), "standing"),
    "one leg, wobbling": ((30, 55), (0.85, 1.0), (60, 80), "standing"),
    "sitting": ("no_support", (0.90, 1.0), None, None),
    "sitting, front": ("no_support", (0.80, 1.0), None, None),
    "plank": ("no_support", (0.90, 1.0), None, None),
    "lying": ("no_support", (0.90, 1.0), None, None),
    "handstand": ("no_support", (0.90, 1.0), None, None),
    "crouch": ((60, 80), (0.90, 1.0), None, "standing"),
    "squats, fresh": ((78, 92), (0.90, 1.0), (84, 97), "standing"),
    "squats, tired": ((40, 62), (0.90, 1.0), (68, 84), "standing"),
    "squats, front": ((85, 100), (0.90, 1.0), (84, 100), "standing"),
    "squats, front, wobbling": ((40, 65), (0.90, 1.0), (65, 88), "standing"),
    "walk": ((82, 100), (0.91, 1.0), (80, 97), "gait"),
    "walk across": ((82, 100), (0.91, 1.0), (80, 97), "gait"),
    "walk, late leg": ((82, 100), (0.65, 0.82), (70, 88), "gait"),
    "walk, stiff knee": ((80, 100), (0.75, 0.90), (70, 92), "gait"),
    "run": ((82, 100), (0.91, 1.0), (82, 97), "gait"),
    "jump": ((72, 92), (0.90, 1.0), (80, 97), "standing"),
}


def scored(name, noise="exact", seed=0):
    """Track, metrics with all scores, and scores of the clip."""
    level, correlation = NOISES[noise]
    track = scenario(name, noise_px=level, correlation=correlation, seed=seed)
    metrics = person_metrics(track, CONFIG)
    clip_events = clip_events_of(metrics, CONFIG, "auto")
    metrics = with_smoothness(clip_events, CONFIG)
    return metrics, clip_scores(metrics.movement, track.present, CONFIG)


def in_frames(metrics, name):
    """Values of the frames that have one."""
    value = metrics.movement[name].value
    return value[np.isfinite(value)]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("name", TABLE)
def test_a_scenario_has_its_scores(name, noise):
    stability, symmetry, readiness, definition = TABLE[name]
    metrics, clip = scored(name, noise)
    frames = {
        score: float(np.median(values)) if len(values := in_frames(metrics, score)) else None
        for score in (STABILITY, SYMMETRY, READINESS)
    }
    assert clip["pose_quality"]["value"] == pytest.approx(90.0)
    if isinstance(stability, str):
        assert clip[STABILITY]["value"] is None
        assert clip[STABILITY]["reason"] == stability
        assert len(in_frames(metrics, STABILITY)) < 0.1 * len(metrics.movement[STABILITY].value)
    else:
        low, high = stability
        assert clip[STABILITY]["reason"] is None
        assert clip[STABILITY]["definition"] == definition
        assert low <= clip[STABILITY]["value"] <= high
        assert low - 6 <= frames[STABILITY] <= high + 6
    low, high = symmetry
    assert low <= clip[SYMMETRY]["value"] <= high
    assert low - 0.05 <= frames[SYMMETRY] <= min(high + 0.05, 1.0)
    if readiness is None:
        assert clip[READINESS]["value"] is None
        assert clip[READINESS]["reason"] == "low_coverage"
    else:
        low, high = readiness
        assert low <= clip[READINESS]["value"] <= high
        assert low - 6 <= frames[READINESS] <= high + 6


def test_the_table_has_every_scenario():
    assert list(TABLE) == list(SCENARIOS)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(
    ("steady", "unsteady"),
    [
        ("standing", "wobbling"),
        ("one leg", "one leg, wobbling"),
        ("squats, fresh", "squats, tired"),
        ("squats, front", "squats, front, wobbling"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_unsteadiness_costs_twenty_points(steady, unsteady, noise, seed):
    (calm, calm_clip), (shaken, shaken_clip) = (scored(n, noise, seed) for n in (steady, unsteady))
    assert calm_clip[STABILITY]["value"] - shaken_clip[STABILITY]["value"] >= 20
    means = [np.mean(in_frames(metrics, STABILITY)) for metrics in (calm, shaken)]
    assert means[0] - means[1] >= 20


@pytest.mark.parametrize("noise", NOISES)
def test_fresh_squats_are_readier_than_tired_ones(noise):
    (fresh, fresh_clip), (tired, tired_clip) = (
        scored(f"squats, {name}", noise) for name in ("fresh", "tired")
    )
    assert fresh_clip[READINESS]["value"] - tired_clip[READINESS]["value"] >= 8
    means = [np.mean(in_frames(metrics, READINESS)) for metrics in (fresh, tired)]
    assert means[0] - means[1] >= 8


@pytest.mark.parametrize("noise", NOISES)
def test_readiness_falls_within_a_tiring_set(noise):
    metrics, _ = scored("squats, tired", noise)
    value, times = metrics.movement[READINESS].value, metrics.points.track.times_s
    early, late = (
        np.nanmean(value[(times > start) & (times < stop)]) for start, stop in ((0, 7), (12, 19))
    )
    assert early - late >= 8


@pytest.mark.parametrize("noise", NOISES)
def test_walking_in_antiphase_is_symmetric_and_an_uneven_walk_is_not(noise):
    even = scored("walk", noise)[1][SYMMETRY]
    late = scored("walk, late leg", noise)[1][SYMMETRY]
    stiff = scored("walk, stiff knee", noise)[1][SYMMETRY]
    assert even["definition"] == late["definition"] == stiff["definition"] == "gait"
    assert even["value"] - late["value"] >= 0.12
    assert even["value"] - stiff["value"] >= 0.07
    assert late["components"]["step_time"] < late["components"]["knee"]
    assert stiff["components"]["knee"] < stiff["components"]["step_time"]


def test_what_is_missing_is_named_in_the_clip():
    """A score over the clip has its components, the share of frames, and why it is null."""
    told = summarised(scenario("sitting"))["scores"]
    assert set(told) == {"pose_quality", STABILITY, SYMMETRY, READINESS}
    assert told[STABILITY] == {
        "value": None, "definition": None, "components": {}, "coverage": 0.0,
        "frames_share": 0.0, "reason": "no_support",
    }  # fmt: skip
    assert told[READINESS]["components"]["symmetry"] == pytest.approx(1.0)
    assert told[READINESS]["coverage"] == pytest.approx(0.24)
    walk = summarised(scenario("walk"))["scores"]
    assert walk[STABILITY]["components"]["regularity"] > 0.9
    assert walk[STABILITY]["components"]["margin"] is None


def test_a_picture_of_somebody_seated_has_no_stability():
    track = scenario("sitting, front")
    one = type(track)(
        track.times_s[:1], track.xy[:1], track.score[:1], track.sigma[:1], track.box[:1],
        track.present[:1], track.size,
    )  # fmt: skip
    score = person_metrics(one, CONFIG).movement[STABILITY]
    assert score.reason.tolist() == ["no_support"]


def test_noise_above_the_sway_gives_no_sway():
    """Noise that hides sway leaves stability null with that reason, not the margin's share."""
    track = scenario("standing", noise_px=25.0, correlation=0.5)
    metrics = person_metrics(track, CONFIG)
    assert metrics.balance.noisy
    reasons = metrics.movement[STABILITY].reason
    assert "noise" in reasons.tolist()
    assert not np.isfinite(metrics.movement[STABILITY].value).any()


def clip_of(track):
    """Scores of the clip of a track."""
    metrics = person_metrics(track, CONFIG)
    metrics = with_smoothness(clip_events_of(metrics, CONFIG, "auto"), CONFIG)
    return clip_scores(metrics.movement, track.present, CONFIG)


def values_of(clip):
    """Value of each score of a clip, NaN where null."""
    return {n: np.nan if s["value"] is None else s["value"] for n, s in clip.items()}


def changed(name, times_s, xy):
    """Scores of the clip of points that were changed, and of those that were not."""
    track = scenario(name)
    other = seen(xy(track.xy), times_s=times_s(track.times_s), score=0.9, sigma=0.5, size=SIZE)
    return values_of(clip_of(other)), values_of(clip_of(track))


TELLING = ("one leg, wobbling", "sitting", "squats, tired", "walk, late leg", "walk, stiff knee")


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize(
    ("xy", "within"),
    [
        (lambda xy: 0.5 * xy, 0.5),
        (lambda xy: mirrored(xy, SIZE[0]), 0.5),
        (lambda xy: xy[:, :, :] + [40.0, -30.0], 0.5),
    ],
    ids=["half the size", "mirrored", "moved"],
)
def test_size_mirror_and_place_change_no_score(name, xy, within):
    after, before = changed(name, lambda t: t, xy)
    assert after == pytest.approx(before, abs=within, nan_ok=True)


@pytest.mark.parametrize("name", TELLING)
def test_twice_the_frame_rate_changes_scores_little(name):
    def finer(values):
        return CubicSpline(frames, values)(np.arange(0, len(frames) - 0.9, 0.5))

    frames = np.arange(len(SCENARIOS[name][0]))
    after, before = changed(name, finer, finer)
    assert after[SYMMETRY] == pytest.approx(before[SYMMETRY], abs=0.04)
    for score in (STABILITY, READINESS):
        assert after[score] == pytest.approx(before[score], abs=4, nan_ok=True)


@pytest.mark.parametrize("name", ["squats, fresh", "squats, tired"])
def test_stillness_around_a_set_leaves_its_readiness(name):
    still = 300

    def longer(xy):
        return np.concatenate([np.repeat(xy[:1], still, 0), xy, np.repeat(xy[-1:], still, 0)])

    after, before = changed(name, lambda t: np.arange(len(t) + 2 * still) / FPS, longer)
    assert after[READINESS] == pytest.approx(before[READINESS], abs=1.5)
