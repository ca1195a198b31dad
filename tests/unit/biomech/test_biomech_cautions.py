"""Cautions: which frames of a clip give rise to them, and which do not."""

from dataclasses import replace

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig, Context
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.person_metrics import person_metrics
from biomech.results.cautions import MAX_BLUR, cautions_of, ranges
from tests.support.filmed_athlete import filmed, summarised
from tests.support.stick_figure import FIGURE, from_the_side, seen, turned_in_depth

FRAMES = 90
STANDING = from_the_side(knee=np.full(FRAMES, 12.0))


def cautions(track, movement="auto", others=None):
    """Frames by code."""
    metrics = person_metrics(track, BiomechanicsConfig())
    clip_events = clip_events_of(metrics, BiomechanicsConfig(), movement)
    nobody = np.zeros(len(track.times_s), bool)
    found = cautions_of(metrics, clip_events, movement, nobody if others is None else others)
    return {caution.code: np.flatnonzero(caution.frames).tolist() for caution in found}


def moved(xy, by_px):
    """The points (f, 17, 2) moved to the right by (f,) pixels."""
    return xy + np.stack([by_px, np.zeros(len(xy))], -1)[:, None]


def test_a_sound_clip_gives_no_caution():
    assert cautions(seen(STANDING, sigma=1.0)) == {}
    assert cautions(seen(np.stack([FIGURE] * FRAMES), sigma=1.0)) == {}


@pytest.mark.parametrize(
    ("fps", "movement", "warned"),
    [
        (30.0, "auto", False), (20.0, "auto", True), (24.9, "auto", False), (59.94, "jump", False),
        (30.0, "jump", True), (50.0, "run", True), (30.0, "gait", False),
    ],
)  # fmt: skip
def test_frame_rates_that_are_too_low_for_the_movement(fps, movement, warned):
    track = seen(STANDING, times_s=np.arange(FRAMES) / fps, sigma=1.0)
    found = cautions(track, movement)
    assert found == ({"low_frame_rate": list(range(FRAMES))} if warned else {})


def test_an_oblique_view_is_told():
    flat = np.concatenate([FIGURE - FIGURE.mean(0), np.zeros((17, 1))], axis=1)
    xy = turned_in_depth(flat, 45.0) + FIGURE.mean(0)
    assert cautions(seen(np.stack([xy] * FRAMES), sigma=1.0))["out_of_plane"] == list(range(FRAMES))


def test_a_person_cut_by_the_border_is_told_in_those_frames():
    xy = moved(STANDING, np.where(np.arange(FRAMES) >= 60, 310.0, 0.0))
    assert cautions(seen(xy, sigma=1.0))["truncated"] == list(range(60, FRAMES))


def test_others_count_only_while_the_person_is_there():
    present = np.arange(FRAMES) < 50
    track = seen(np.where(present[:, None, None], STANDING, np.nan), sigma=1.0, present=present)
    others = np.arange(FRAMES) >= 40
    assert cautions(track, others=others)["several_people"] == list(range(40, 50))


def test_low_confidence_is_told_in_those_frames():
    score = np.full((FRAMES, 17), 0.9)
    score[30:40] = 0.4
    track = seen(STANDING, score=score, sigma=1.0)
    assert cautions(track)["low_confidence"] == list(range(30, 40))


def test_blur_is_told_in_the_frames_beyond_the_threshold():
    blur = np.full(FRAMES, MAX_BLUR)  # as blurred as one may be
    blur[20:30], blur[50], blur[60:70] = MAX_BLUR + 0.01, 1.0, np.nan
    present = np.arange(FRAMES) >= 25
    track = replace(seen(STANDING, sigma=1.0, present=present), blur=blur)
    assert cautions(track)["blur"] == [*range(25, 30), 50]
    assert "blur" not in cautions(replace(track, blur=np.full(FRAMES, 0.3)))


def test_a_panning_camera_is_told_while_it_pans():
    t = np.arange(FRAMES) / 30
    xy = moved(STANDING, -np.clip(t - 1, 0, 1) * 250.0)
    found = cautions(seen(xy, sigma=1.0, size=(2000, 640)))["camera_motion"]
    assert set(range(35, 55)) <= set(found) <= set(range(25, 66))


def test_a_trembling_camera_and_trembling_points_are_no_pan():
    random = np.random.default_rng(3)
    xy = moved(STANDING, random.normal(0, 2, FRAMES)) + random.normal(0, 2, STANDING.shape)
    assert "camera_motion" not in cautions(seen(xy, sigma=2.0))


def test_a_walk_past_a_still_camera_is_no_camera_motion():
    track = filmed("gait", fps=60.0, seconds=6.0, seed=2)[1]
    assert "camera_motion" not in cautions(track)


def test_a_treadmill_looks_like_a_camera_that_follows():
    track = filmed("gait", fps=60.0, seconds=6.0, seed=2, treadmill=True)[1]
    assert len(cautions(track)["camera_motion"]) > 200


@pytest.mark.parametrize(
    ("frames", "expected"),
    [([0, 1, 1, 0, 1], [[1, 2], [4, 4]]), ([1, 1], [[0, 1]]), ([0, 0], []), ([], [])],
    ids=["two", "all", "none", "no frames"],
)
def test_frames_are_told_as_ranges(frames, expected):
    assert ranges(np.array(frames, bool)) == expected


def test_the_summary_tells_cautions_with_their_share():
    score = np.full((FRAMES, 17), 0.9)
    score[30:39] = score[60:69] = 0.4
    blur = np.where(np.arange(FRAMES) < 45, 0.9, 0.2)
    track = replace(seen(STANDING, score=score, sigma=1.0), blur=blur)
    told = summarised(track, Context("jump"))
    by_code = {caution["code"]: caution for caution in told["quality"]}
    assert by_code["low_confidence"]["frames"] == [[30, 38], [60, 68]]
    assert by_code["low_confidence"]["share"] == 0.2
    assert by_code["low_frame_rate"]["share"] == 1.0
    assert by_code["blur"]["frames"] == [[0, 44]]
    assert by_code["blur"]["share"] == 0.5
    thresholds = {code: caution["threshold"] for code, caution in by_code.items()}
    assert thresholds == {"low_frame_rate": 60.0, "low_confidence": 50.0, "blur": MAX_BLUR}
