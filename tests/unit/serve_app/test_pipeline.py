"""One video through the stages: order, limits, retries, cancelling."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from biomech.kinematics.geometry import flexion, unsigned
from deployments.annotated_video import EncodeOptions
from deployments.biomechanics.clip_analysis import analyze
from deployments.errors import MediaError, NoFramesError, StageFailedError
from deployments.messages import AnalysisOptions
from serve_app import pipeline
from serve_app.pipeline import Job, fan_out, overlay_of, run
from tests.support.annotated import segment_of
from tests.support.clips import dense_clip
from tests.support.stick_figure import FIGURE


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(pipeline.random, "uniform", lambda *_: 0.0)


def test_results_keep_the_order_of_the_items_whatever_ends_first():
    async def call(item):
        await asyncio.sleep(0.01 * (3 - item))
        return item * 10

    told = []
    assert asyncio.run(fan_out([0, 1, 2], call, 3, told.append)) == [0, 10, 20]
    assert told == [1, 2, 3]


def test_no_more_than_the_limit_are_under_way():
    under_way, most = 0, 0

    async def call(_item):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1

    asyncio.run(fan_out(range(20), call, 3))
    assert most == 3


def test_an_item_whose_stage_died_is_tried_again():
    tries = []

    async def call(item):
        tries.append(item)
        if item == 1 and tries.count(1) < 3:
            raise StageFailedError("died")
        return item

    assert asyncio.run(fan_out([0, 1, 2], call, 2)) == [0, 1, 2]
    assert tries.count(1) == 3
    assert tries.count(0) == tries.count(2) == 1


def test_a_stage_that_dies_again_and_again_is_given_up():
    tries = []

    async def call(item):
        tries.append(item)
        raise StageFailedError("died")

    with pytest.raises(StageFailedError):
        asyncio.run(fan_out([0], call, 1))
    assert len(tries) == pipeline.ATTEMPTS


def test_another_error_is_not_retried_and_ends_the_others():
    ended, tries = [], []

    async def call(item):
        tries.append(item)
        if item == 1:
            raise MediaError("broken")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(item)

    with pytest.raises(MediaError, match="broken"):
        asyncio.run(fan_out([0, 1, 2], call, 3))
    assert sorted(ended) == [0, 2]
    assert tries.count(1) == 1


def job_of(service, path, folder, **changes):
    inputs = service.stages.statuses
    options = AnalysisOptions(
        pose_input=inputs["rtmpose"].input_size, detector_input=inputs["detector"].input_size
    )
    return replace(Job(path, folder, "a" * 32 + ".mp4", options, 0.3), **changes)


@pytest.mark.parametrize("segment_s", [0.4, 1.0])
def test_a_video_gives_the_same_whether_cut_or_not(service, squat_video, tmp_path, segment_s):
    whole, cut = (
        asyncio.run(run(job_of(service, squat_video, tmp_path, segment_s=s), service.stages))
        for s in (600.0, segment_s)
    )
    assert (whole.segments, cut.segments > 1) == (1, True)
    for name in ("times_s", "track_id", "box", "keypoints", "score", "sigma", "model"):
        assert np.array_equal(getattr(whole.clip, name), getattr(cut.clip, name), equal_nan=True)
    for one, other in zip(whole.biomechanics.frames, cut.biomechanics.frames, strict=True):
        assert list(one) == list(other)
    assert whole.biomechanics.summary == cut.biomechanics.summary


def test_without_a_video_nothing_is_drawn_and_progress_is_told(service, squat_video, tmp_path):
    told = []
    job = job_of(service, squat_video, tmp_path, video=False, segment_s=0.5)
    outcome = asyncio.run(run(job, service.stages, lambda *report: told.append(report)))
    assert outcome.stored is None
    assert "encode" not in outcome.timings_s
    assert told == [("analyze", done, outcome.segments) for done in range(outcome.segments + 1)]


def test_a_video_that_gpus_encoded_in_part_is_encoded_by_x264_throughout(
    service, squat_video, tmp_path
):
    asked = []

    class SomeWithEncoder:
        def __getattr__(self, name):
            return getattr(service.stages, name)

        async def render(self, segment, overlay, folder, options):
            asked.append((segment.index, options.in_hardware))
            part = await service.stages.render(
                segment, overlay, folder, replace(options, in_hardware=False)
            )
            by_gpu = options.in_hardware and segment.index % 2
            return replace(part, encoder="h264_nvenc") if by_gpu else part

    encode = EncodeOptions(in_hardware=True)
    job = job_of(service, squat_video, tmp_path, segment_s=0.4, encode=encode)
    outcome = asyncio.run(run(job, SomeWithEncoder()))
    assert outcome.stored is not None
    segments = range(outcome.segments)
    assert len(segments) > 2
    assert sorted(asked) == sorted(
        [(i, True) for i in segments] + [(i, False) for i in segments if i % 2]
    )


def test_a_video_of_which_nothing_decodes_has_no_frames(service, squat_video, tmp_path):
    class Blind:
        def __getattr__(self, name):
            return getattr(service.stages, name)

        async def analyze(self, segment, options):
            part = await service.stages.analyze(segment, options)
            return replace(part, decoded=np.zeros_like(part.decoded))

    with pytest.raises(NoFramesError):
        asyncio.run(run(job_of(service, squat_video, tmp_path), Blind()))


def test_the_primary_person_is_drawn_as_the_angles_are_and_the_others_as_measured():
    frames = 40
    rng = np.random.default_rng(0)
    shift = np.array([0.0, 60.0]).reshape(1, 2, 1, 1)
    xy = (FIGURE + shift + rng.normal(0, 3, (frames, 2, 17, 2))).astype(np.float32)
    score = np.full((frames, 2, 17), 0.9, np.float32)
    score[:, :, 9] = 0.1
    clip = clip_of(xy, score)
    segment = segment_of(range(30, 40), (640, 640), first_frame=30)
    whole = analyze(clip, 0.3)
    drawn = overlay_of(segment, clip, whole, 0.3)
    assert np.array_equal(drawn.keypoints[:, 1], xy[30:, 1])
    assert np.array_equal(drawn.score[:, 1], score[30:, 1])
    seen = np.arange(17) != 9
    assert np.array_equal(drawn.score[:, 0] >= 0.3, np.broadcast_to(seen, (10, 17)))
    knee = included_knee(drawn.keypoints[:, 0].astype(float))
    assert knee == pytest.approx(whole.angles_deg[30:, 2], abs=1e-3)
    assert knee != pytest.approx(included_knee(xy[30:, 0].astype(float)), abs=0.5)
    raw = overlay_of(segment, clip, analyze(clip, 0.3, enabled=False), 0.3)
    assert np.array_equal(raw.keypoints, xy[30:])


def clip_of(xy, score):
    """A clip of people who are there all the time, (f, p, 17, 2)."""
    frames, people = xy.shape[:2]
    box = np.concatenate([xy.min(2), xy.max(2)], -1)
    return dense_clip(
        times_s=np.arange(frames) / 30.0,
        width=640,
        height=640,
        track_id=np.arange(1, people + 1, dtype=np.int32),
        box=box,
        box_score=np.full((frames, people), 0.9, np.float32),
        keypoints=xy,
        score=score,
        raw_score=score,
        sigma=np.full(xy.shape, 3.0, np.float32),
        model=np.zeros((frames, people), np.int32),
        models=("Simulated",),
        decoded=np.ones(frames, bool),
    )


def included_knee(xy):
    """Left, degrees, of (f, 17, 2)."""
    return unsigned("left_knee", flexion("left_knee", xy))


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([4], "4"),
        ([3, 4, 5, 9], "3-5, 9"),
        (range(0, 50, 2), ", ".join(map(str, range(0, 40, 2))) + " and 5 more ranges"),
    ],
)
def test_frames_are_named_by_their_ranges(frames, text):
    assert pipeline.ranges(frames) == text


def test_damaged_and_lost_frames_are_counted_and_named():
    found = dict(pipeline._missing_frames(frozenset([3, 4]), [3, 4, 7]))
    assert found == {
        "frames_damaged": "2 frames are damaged and not measured: 3-4",
        "frames_lost": "1 frames could not be decoded: 7",
    }
    assert not dict(pipeline._missing_frames(frozenset(), []))


@pytest.mark.parametrize(
    ("primary", "other", "told"),
    [
        (range(60, 100), range(20), True),  # left, and came back
        (range(100, 300), range(31), True),  # for a second only
        (range(60, 100), range(5), False),  # somebody came past
        (range(40, 100), range(41), False),  # both were there
    ],
)
def test_a_pass_before_the_one_that_is_analyzed_is_told(primary, other, told):
    row = np.full((300, 2), -1)
    row[list(primary), 0] = 0
    row[list(other), 1] = 0
    clip = SimpleNamespace(present=row >= 0, times_s=np.arange(300) / 30, track_id=np.array([4, 7]))
    found = dict(pipeline._other_passes(clip))
    assert list(found) == (["another_pass"] if told else [])
    if told:
        ends = [f"{who[0] / 30:.1f} to {who[-1] / 30:.1f} s" for who in (other, primary)]
        assert found["another_pass"].startswith(
            f"person 7 ({ends[0]}) is seen only while the analyzed one, person 4 ({ends[1]}), is"
        )
