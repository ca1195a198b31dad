"""Readiness within phases of a movement and outside."""

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.person_metrics import person_metrics
from biomech.scores.readiness import pace_of, smoothness_of, with_smoothness
from tests.support.filmed_athlete import filmed
from tests.support.stick_figure import from_the_side, seen

CONFIG = BiomechanicsConfig()


def performed(track):
    return clip_events_of(person_metrics(track, CONFIG), CONFIG, "auto")


def test_smoothness_is_that_of_the_phase_which_holds_the_frame():
    clip_events = performed(filmed("squat", fps=60.0, noise_px=0.5)[1])
    smooth, times = smoothness_of(clip_events), clip_events.curves.times_s
    reps = clip_events.repetitions.items
    inside = np.any([(times > r.start_s) & (times < r.stop_s) for r in reps], axis=0)
    assert np.array_equal(np.isfinite(smooth), inside)
    # SPARC of a smooth bend is -1.4 to -2: 0.77 to 1 of all there is.
    assert 0.7 < np.nanmin(smooth) <= np.nanmax(smooth) <= 1.0


def test_readiness_weighs_smoothness_where_it_is_known():
    clip_events = performed(filmed("squat", view="from the front", noise_px=0.5)[1])
    before = clip_events.metrics.movement["athletic_readiness"]
    after = with_smoothness(clip_events, CONFIG).movement["athletic_readiness"]
    smooth = smoothness_of(clip_events)
    inside = np.isfinite(smooth)
    assert inside.any()
    assert not inside.all()
    assert np.array_equal(after.value[~inside], before.value[~inside], equal_nan=True)
    pace = pace_of(clip_events, CONFIG)
    assert np.array_equal(np.isfinite(pace), inside)
    assert after.coverage[inside] == pytest.approx(before.coverage[inside] + 0.36)
    both = inside & np.isfinite(before.value)
    expected = before.value * before.coverage + 100 * (0.16 * smooth + 0.2 * pace)
    assert after.value[both] == pytest.approx((expected / after.coverage)[both])


def test_a_movement_in_jerks_is_less_ready():
    t = np.arange(120) / 30
    even = 50 - 40 * np.cos(np.pi * t)
    jerky = even + 12 * np.sin(2 * np.pi * 4 * t)
    smooth = [
        np.nanmean(smoothness_of(performed(seen(from_the_side(knee=knee, hip=10.0), sigma=0.5))))
        for knee in (even, jerky)
    ]
    assert smooth[1] < smooth[0] - 0.1


def test_somebody_poorly_seen_stays_without_a_score():
    track = filmed("squat", noise_px=0.5)[1]
    poor = seen(track.xy, score=0.35, sigma=0.5, size=track.size)
    clip_events = performed(poor)
    after = with_smoothness(clip_events, CONFIG).movement["athletic_readiness"]
    assert np.isnan(after.value).all()
    assert set(after.reason.tolist()) == {"low_confidence"}


def test_strides_of_both_sides_share_a_frame():
    clip_events = performed(filmed("gait", fps=60.0, seconds=6.0, noise_px=0.5)[1])
    smooth = smoothness_of(clip_events)
    assert np.isfinite(smooth).mean() > 0.7
    assert 0.3 < np.nanmean(smooth) < 1.0


def test_pace_falls_with_the_speed_of_the_repetitions():
    """The fastest repetition has all of it, another the share of its peak speed (F7)."""
    t = np.arange(360) / 30
    slower = np.interp(t, [0, 12], [2.0, 1.2])
    phase = np.cumsum(slower) * np.pi / 30
    clip_events = performed(seen(from_the_side(knee=50 - 40 * np.cos(phase), hip=10.0), sigma=0.5))
    pace, reps = pace_of(clip_events, CONFIG), clip_events.repetitions.items
    by_repetition = [float(np.nanmean(pace[rep.start : rep.stop])) for rep in reps]
    assert len(reps) >= 5
    assert by_repetition == sorted(by_repetition, reverse=True)
    assert max(by_repetition) == pytest.approx(1.0, abs=0.02)
    assert min(by_repetition) == pytest.approx(1.3 / 1.9, abs=0.08)


def test_two_repetitions_are_too_few_to_have_a_pace():
    t = np.arange(120) / 30
    two = performed(seen(from_the_side(knee=50 - 40 * np.cos(np.pi * t), hip=10.0), sigma=0.5))
    assert len(two.repetitions.items) == 2
    assert np.isnan(pace_of(two, CONFIG)).all()
