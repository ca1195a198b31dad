"""Readiness within phases of a movement and outside."""

import numpy as np
import pytest

from biomech.config import BmConfig
from biomech.metrics import person_metrics
from biomech.performance import performance_of
from biomech.readiness import smoothness_of, with_smoothness
from tests.filmed_athlete import filmed
from tests.stick_figure import from_the_side, seen

CONFIG = BmConfig()


def performed(track):
    return performance_of(person_metrics(track, CONFIG), CONFIG, "auto")


def test_smoothness_is_that_of_the_phase_which_holds_the_frame():
    performance = performed(filmed("squat", fps=60.0, noise_px=0.5)[1])
    smooth, times = smoothness_of(performance), performance.curves.times_s
    reps = performance.repetitions.items
    inside = np.any([(times > r.start_s) & (times < r.stop_s) for r in reps], axis=0)
    assert np.array_equal(np.isfinite(smooth), inside)
    # SPARC of a smooth bend is -1.4 to -2: 0.77 to 1 of all there is.
    assert 0.7 < np.nanmin(smooth) <= np.nanmax(smooth) <= 1.0


def test_readiness_weighs_smoothness_where_it_is_known():
    performance = performed(filmed("squat", view="from the front", noise_px=0.5)[1])
    before = performance.metrics.movement["athletic_readiness"]
    after = with_smoothness(performance, CONFIG).movement["athletic_readiness"]
    smooth = smoothness_of(performance)
    inside = np.isfinite(smooth)
    assert inside.any()
    assert not inside.all()
    assert np.array_equal(after.value[~inside], before.value[~inside], equal_nan=True)
    assert after.coverage[inside] == pytest.approx(before.coverage[inside] + 0.2)
    both = inside & np.isfinite(before.value)
    expected = before.value * before.coverage + 100 * 0.2 * np.nan_to_num(smooth)
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
    performance = performed(poor)
    after = with_smoothness(performance, CONFIG).movement["athletic_readiness"]
    assert np.isnan(after.value).all()
    assert set(after.reason.tolist()) == {"low_confidence"}


def test_strides_of_both_sides_share_a_frame():
    performance = performed(filmed("gait", fps=60.0, seconds=6.0, noise_px=0.5)[1])
    smooth = smoothness_of(performance)
    assert np.isfinite(smooth).mean() > 0.7
    assert 0.3 < np.nanmean(smooth) < 1.0
