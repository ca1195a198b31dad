"""The people of a segment: in every frame, and the same wherever the video is cut."""

import asyncio
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from deployments.decode import detection_intervals
from deployments.decode.blur import blur_of
from deployments.decode.detection_intervals import detection_frames
from deployments.decode.segment_analysis import analyze_segment
from deployments.media.reader import read
from deployments.messages import AnalysisOptions, CropPoses, Detections, SegmentPoses
from deployments.tracking.tracks import merge
from tests.support.corpus import cut, probed
from tests.support.made_up_people import Model, boxes_at, detector, people_in, pose_model, poses_in

OPTIONS = AnalysisOptions(pose_input=(48, 64), detector_input=(96, 96), batch=5)


def analyze(segment, options=OPTIONS, detect=None, estimate=None) -> SegmentPoses:
    return asyncio.run(
        analyze_segment(segment, options, detect or detector(), estimate or pose_model())
    )


def analyze_in_parts(media, starts, options):
    """The clip, from segments that start at these frames."""
    stops = [*starts[1:], media.frame_count]
    segments = [cut(media, a, b, i) for i, (a, b) in enumerate(zip(starts, stops, strict=True))]
    return [analyze(s, options) for s in segments]


def without(monkeypatch, *lost):
    """Let these pictures not be decoded."""

    def rest(segment, **how):
        return (p for p in read(segment, **how) if p.index not in lost)

    monkeypatch.setattr(detection_intervals, "read", rest)


def assert_equal(a, b):
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, CropPoses):
            assert_equal(x, y)
        elif field.name not in ("timings_s", "index"):
            assert_array_equal(x, y, err_msg=field.name)


@pytest.mark.parametrize(
    "name", ["h264", "one_gop", "variable", "vp9_live", "h264_avi", "rotated_90"]
)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    stride=st.integers(1, 5),
    finest=st.sampled_from([None, 1, 2]),
    cuts=st.sets(st.integers(1, 23), max_size=6),
)
def test_the_clip_is_the_same_wherever_it_is_cut(name, stride, finest, cuts):
    media = probed(name)
    options = replace(OPTIONS, detector_stride=stride, finest_stride=finest)
    starts = sorted({0, *(c * stride for c in cuts if c * stride < media.frame_count)})

    parts = analyze_in_parts(media, starts, options)
    (whole,) = analyze_in_parts(media, [0], options)

    for name in ("frame", "box", "box_score", "detected"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert_array_equal(joined, getattr(whole, name), err_msg=name)
    assert_equal(CropPoses.concatenate([part.poses for part in parts]), whole.poses)
    assert_equal(merge(parts, media), merge([whole], media))


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 7, 100])
def test_boxes_are_where_the_people_are(stride):
    """They move evenly: interpolated boxes are exact too, within the rounding of a thumbnail."""
    media = probed("h264")
    found = analyze(cut(media), replace(OPTIONS, detector_stride=stride))

    for frame in range(20):
        boxes = found.box[found.frame == frame]
        assert np.abs(boxes - boxes_at(frame)[0]).max(axis=1).min() < 0.1
    ends = detection_frames(cut(media), stride)
    assert_array_equal(np.unique(found.frame[found.detected]), ends)
    if stride == 1:
        for frame in range(20):
            assert_allclose(found.box[found.frame == frame], boxes_at(frame), atol=0.1)


def test_rows_are_in_the_order_of_frames_and_of_one_tracklet_a_person():
    found = analyze(cut(probed("h264")))

    assert_array_equal(found.frame, np.sort(found.frame))
    assert set(found.tracklet[found.frame == 0]) == {found.tracklet[0]}
    first = found.tracklet == found.tracklet[0]
    assert_array_equal(found.frame[first], np.arange(20))
    assert (np.diff(found.box[first, 0]) > 0).all()
    # Seen in the frames 8 and 12; held to less than half way to the next detection.
    assert_array_equal(found.frame[~first], np.arange(7, 14))
    assert_allclose(found.box[~first, 0], [62, 62, 61, 60, 59, 58, 58], atol=0.1)


@pytest.mark.parametrize("batch", [1, 2, 7, 1000])
@pytest.mark.parametrize("window", [1, 3])
def test_poses_belong_to_their_rows_whatever_the_batches(batch, window):
    """Each row's keypoints are those of its own crop, by the map of its own box."""
    media = probed("h264")
    options = replace(OPTIONS, batch=batch, pose_calls_in_flight=window)

    found = analyze(cut(media), options)

    pictures = list(read(cut(media)))
    for row in range(len(found.frame)):
        x1, y1, x2, y2 = found.box[row].astype(float)
        step = max((x2 - x1) * 1.25 / 48, (y2 - y1) * 1.25 / 64)
        corner = (x1 + x2) / 2 - 24 * step, (y1 + y2) / 2 - 32 * step
        map_ = np.array([[step, 0, corner[0]], [0, step, corner[1]]])
        crop = pictures[found.frame[row]].crop(map_, (48, 64))[None]
        poses = poses_in(crop)
        assert_allclose(found.poses.keypoints[row], poses.keypoints[0] * step + corner, atol=0.02)
        assert_allclose(found.poses.sigma[row], poses.sigma[0] * step, rtol=1e-4)
        assert_array_equal(found.poses.score[row], poses.score[0])
        assert_array_equal(found.poses.raw_score[row], poses.raw_score[0])
        assert_array_equal(found.blur[row], blur_of(crop, poses)[0])
    assert len(np.unique(found.blur[np.isfinite(found.blur)])) > 5


def test_calls_that_answer_in_another_order_change_nothing():
    async def later(number):
        await asyncio.sleep(0.002 * (7 - number % 8))

    plain = analyze(cut(probed("h264")))
    mixed = analyze(
        cut(probed("h264")), detect=detector(wait=later), estimate=pose_model(wait=later)
    )

    assert_equal(plain, mixed)


def test_each_row_names_the_model_that_answered():
    """The second one takes over for a while."""
    calls = iter(["B", "A", "A", "B"] + ["A"] * 99)

    found = analyze(
        cut(probed("h264")),
        estimate=Model(lambda crops: (next(calls), poses_in(crops))),
        options=replace(OPTIONS, pose_calls_in_flight=1),
    )

    assert found.models == ("A", "B")
    assert found.model[:20].tolist() == [1] * 5 + [0] * 10 + [1] * 5
    assert set(found.model[20:]) == {0}


@pytest.mark.parametrize("stop", [8, 20])
def test_nobody_there(stop):
    found = analyze(
        cut(probed("h264"), 0, stop),
        detect=Model(
            lambda batch: (
                [Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))] * len(batch)
            )
        ),
    )

    assert found.decoded.tolist() == [True] * stop
    assert found.frame.shape == found.tracklet.shape == found.model.shape == (0,)
    assert found.box.shape == found.closing_box.shape == (0, 4)
    assert found.poses.keypoints.shape == (0, 17, 2)
    assert found.models == ()


@pytest.mark.parametrize(
    ("score", "kept"), [(0.29, 0), (0.31, 1)], ids=["unlikely", "likely enough"]
)
def test_unlikely_and_empty_boxes_are_nobody(score, kept):
    """One of them is without area, one outside the picture."""
    boxes = np.array([[10, 10, 30, 60], [50, 10, 50, 60], [200, 10, 230, 60]], np.float32)
    scores = np.array([score, 0.9, 0.9], np.float32)

    found = analyze(
        cut(probed("h264")), detect=Model(lambda batch: [Detections(boxes, scores)] * len(batch))
    )

    assert len(found.frame) == 20 * kept


def test_boxes_end_at_the_edges_of_the_picture():
    boxes = np.array([[-20, -5, 40, 500]], np.float32)

    found = analyze(
        cut(probed("h264")),
        detect=Model(lambda batch: [Detections(boxes, np.ones(1, np.float32))] * len(batch)),
    )

    assert_allclose(found.box, np.tile([0, 0, 40, 64], (20, 1)), atol=0.01)


def test_no_more_people_than_asked_for():
    found = analyze(cut(probed("h264")), replace(OPTIONS, max_people=1, detector_stride=1))

    assert found.frame.tolist() == list(range(20))


@pytest.mark.parametrize(
    ("lost", "nobody"),
    [
        ((0,), ()),
        ((1,), ()),
        ((4,), ()),
        ((4, 8), (5, 6, 7)),  # between two detection frames that are lost, nothing is known
        ((19,), ()),
        ((5, 6, 7), ()),
        (tuple(range(20)), ()),
    ],
    ids=str,
)
def test_pictures_that_do_not_decode_have_no_people(monkeypatch, lost, nobody):
    """People are held or interpolated across them, whether or not they are detection frames."""
    without(monkeypatch, *lost)

    found = analyze(cut(probed("h264")))

    assert np.flatnonzero(~found.decoded).tolist() == list(lost)
    there = sorted(set(range(20)) - {*lost, *nobody})
    assert sorted(set(found.frame.tolist())) == there
    for frame in there:
        # Towards a lost detection frame a box stays where it was seen.
        nearest = np.abs(found.box[found.frame == frame] - boxes_at(frame)[0]).max(axis=1).min()
        assert nearest < 4.2


@pytest.mark.parametrize("lost", [(8,), (7,), (9, 10, 11), (12,), (0, 4, 8)], ids=str)
def test_cuts_beside_pictures_that_do_not_decode_change_nothing(monkeypatch, lost):
    media = probed("h264")
    without(monkeypatch, *lost)

    for starts in ([0, 8], [0, 4, 8, 12], [0, 12]):
        parts = analyze_in_parts(media, starts, OPTIONS)
        (whole,) = analyze_in_parts(media, [0], OPTIONS)
        for name in ("decoded", "frame", "box", "detected"):
            joined = np.concatenate([getattr(part, name) for part in parts])
            assert_array_equal(joined, getattr(whole, name), err_msg=name)
        assert_equal(merge(parts, media), merge([whole], media))


def test_the_closing_frame_tells_who_goes_on():
    media = probed("h264")
    left, right = analyze(cut(media, 0, 8)), analyze(cut(media, 8))

    first = right.frame == 8
    assert_array_equal(left.closing_box, right.box[first])
    assert len(left.closing_box) == 2
    assert 8 not in left.frame
    assert right.closing_box.shape == (0, 4)


def test_time_is_told_by_stage():
    async def a_while(_):
        await asyncio.sleep(0.01)

    found = analyze(cut(probed("h264")), detect=detector(wait=a_while))

    assert set(found.timings_s) == {"decode", "detect", "crop", "pose"}
    assert all(seconds > 0 for seconds in found.timings_s.values())
    assert found.timings_s["detect"] >= 0.01


def test_thumbnails_are_the_letterboxed_pictures_of_the_detection_frames():
    seen = []
    media = probed("h264")

    analyze(
        cut(media),
        detect=Model(lambda batch: seen.extend(batch) or [people_in(t) for t in batch]),
    )

    pictures = list(read(cut(media)))
    ends = detection_frames(cut(media), OPTIONS.detector_stride)
    assert len(seen) == len(ends)
    for thumbnail, frame in zip(seen, ends, strict=True):
        assert_array_equal(thumbnail, pictures[frame].letterbox((96, 96))[0])
