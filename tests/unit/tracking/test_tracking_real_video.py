"""The people of a real video beside a peer's tracks of them, and the same from one piece or more.

Sports2D gave one of the two people two numbers: he is lost while he jumps down.
"""

import asyncio
from dataclasses import fields

import numpy as np
import pytest

from deployments.decode.segments import split
from deployments.messages import AnalysisOptions
from deployments.tracking.tracks import merge
from serve_app.local import LocalStages
from serve_app.model_plan import plan_models
from serve_app.settings import load_settings
from tests.support.sports2d_tracks import read_tracks

STRIDE = 4
HUMAN = np.array([0, 1, 0])
"""Which of both people each of the peer's tracks is of."""


async def analyzed(path, *lengths_s):
    """For each length of segment, the media and the clip."""
    settings = load_settings({}, {})
    stages = LocalStages(plan_models(settings), settings.media_limits, None)
    try:
        statuses = stages.statuses
        options = AnalysisOptions(
            pose_input=statuses["rtmpose"].input_size,
            detector_input=statuses["detector"].input_size,
            detector_stride=STRIDE,
        )
        media = await stages.probe(path)
        clips = []
        for length_s in lengths_s:
            segments = split(media, STRIDE, length_s)
            parts = [await stages.analyze(segment, options) for segment in segments]
            clips.append((len(segments), merge(parts, media)))
        return clips
    finally:
        stages.close()


@pytest.fixture(scope="module")
def clips(demo_video, movenet):
    return asyncio.run(analyzed(demo_video, 60.0, 1.5))


@pytest.fixture(scope="module")
def peer():
    """(f, 3, 17, 2) pixels."""
    return np.stack([track.keypoints for track in read_tracks()], 1)


def nearest(clip, peer):
    """(f, p) the peer's track that shows the same body, -1 none."""
    size = np.nan_to_num(clip.to_dense((clip.box[:, 2:] - clip.box[:, :2]).max(-1)), nan=1.0)
    keypoints, score = clip.to_dense(clip.keypoints), clip.to_dense(clip.score)
    apart = np.linalg.norm(keypoints[:, :, None] - peer[:, None], axis=-1)  # f, p, 3, 17
    common = np.isfinite(apart) & (score[:, :, None] >= 0.3)
    mean = np.where(common, apart, 0).sum(-1) / np.maximum(common.sum(-1), 1)
    mean = np.where(common.sum(-1) >= 4, mean / size[..., None], np.inf)
    return np.where(mean.min(-1) < 0.1, mean.argmin(-1), -1)


def test_no_cut_is_found_in_one_take(clips):
    assert [clip.cuts for _, clip in clips] == [(), ()]


def test_no_track_changes_from_one_person_to_the_other(clips, peer):
    (_, clip), _ = clips
    shown = nearest(clip, peer)
    assert len(clip.track_id) >= 2
    for person in range(len(clip.track_id)):
        humans = {int(HUMAN[which]) for which in shown[:, person] if which >= 0}
        assert len(humans) == 1, f"track {person + 1} follows both people"


def test_who_is_lost_in_a_jump_is_the_same_person_after_it(clips, peer):
    (_, clip), _ = clips
    shown = nearest(clip, peer)
    before, after = ((shown == track).any(0).nonzero()[0].tolist() for track in (0, 2))
    assert len(before) == 1
    assert before == after


@pytest.mark.parametrize(("track", "share"), [(0, 0.75), (1, 0.9), (2, 0.6)])
def test_the_peers_people_are_followed(clips, peer, track, share):
    (_, clip), _ = clips
    seen = np.isfinite(peer[:, track]).all(-1).sum(-1) >= 8
    assert seen.sum() > 20
    found = (nearest(clip, peer) == track).any(1)
    assert found[seen].mean() >= share


def test_several_segments_give_what_one_gives(clips):
    (one, whole), (several, merged) = clips
    assert (one, several > 2) == (1, True)
    for field in fields(whole):
        ours, theirs = getattr(merged, field.name), getattr(whole, field.name)
        if field.name in ("keypoints", "score", "raw_score", "sigma"):
            # The batches of crops differ, and with them the order of a network's sums.
            assert ours == pytest.approx(theirs, abs=0.01, nan_ok=True), field.name
        elif isinstance(ours, np.ndarray):
            equal_nan = ours.dtype.kind == "f"
            assert np.array_equal(ours, theirs, equal_nan=equal_nan), field.name
        else:
            assert ours == theirs, field.name
