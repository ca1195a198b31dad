"""Identities of simulated people by TrackEval, whatever the segments."""

from dataclasses import replace

import numpy as np
import pytest

from bench.tracking import FRAMES, PIECES, SCENES, scores_of, simulated, truth_of
from deployments.tracking.tracks import merge
from tests.support.simulated_people import media, observe


@pytest.mark.parametrize("scene", SCENES)
def test_nobody_changes_identity_however_the_video_is_cut(scene):
    found = [simulated(SCENES[scene], every, 0.0) for every in PIECES.values()]
    assert found[0].switches == 0
    assert found[0].hota >= 0.9
    assert found == [found[0]] * len(found)


@pytest.mark.parametrize(
    ("scene", "most"),
    [("crossing", 0), ("three cross", 0), ("hidden for seconds", 0), ("crowd of eight", 2)],
)
def test_hardly_anybody_does_where_the_detector_misses_many(scene, most):
    found = [simulated(SCENES[scene], every, 0.08) for every in PIECES.values()]
    assert found[0].switches <= most
    assert found[0].idf1 > 0.94
    assert found == [found[0]] * len(found)


def test_who_is_swapped_for_another_is_a_switch_and_exact_boxes_have_full_scores():
    walkers, info = SCENES["crossing"], media(FRAMES)
    truth = truth_of(walkers, info.times_s, info.width)
    clip = merge([observe(walkers, info, 1, noise=0.0)], info)
    assert scores_of(truth, clip).hota == pytest.approx(1, abs=0.01)
    row = np.array(clip.row)
    row[200:] = row[200:, ::-1]
    swapped = scores_of(truth, replace(clip, row=row))
    assert swapped.switches == 2
    assert swapped.detection == pytest.approx(1, abs=0.01)
    assert swapped.association < 0.7
