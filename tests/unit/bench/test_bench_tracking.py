"""Identities of simulated people by TrackEval, whatever the segments."""

from dataclasses import replace

import numpy as np
import pytest

from bench.tracking import FRAMES, PIECES, SCENES, scores_of, simulated, truth_of
from deployments.tracking.tracks import merge
from tests.support.simulated_people import media, observe


@pytest.mark.parametrize("seed", range(5))
def test_two_who_cross_keep_their_identities_if_the_detector_misses_nobody_by_chance(seed):
    found = simulated(SCENES["crossing"], None, 0.0, seed)
    assert found.switches == 0
    assert found.hota >= 0.9


@pytest.mark.parametrize("share", [0.0, 0.08])
@pytest.mark.parametrize("scene", SCENES)
def test_scores_do_not_depend_on_the_segments(scene, share):
    found = [simulated(SCENES[scene], every, share, 3) for every in PIECES]
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
