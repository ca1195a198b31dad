"""A video of two takes (M7), from its pictures to its people."""

import asyncio

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from deployments.decode.probe import probe
from deployments.decode.segment_analysis import analyze_segment
from deployments.messages import AnalysisOptions, Detections
from deployments.tracking.tracks import merge
from serve_app.pipeline import _scene_cuts
from tests.support.corpus import ROOMY, cut
from tests.support.made_up_people import Model, poses_in
from tests.support.odd_media import FRAME, mux, packets

WIDTH, HEIGHT = 320, 240
OPTIONS = AnalysisOptions(pose_input=(48, 64), detector_input=(160, 160), batch=5)
CUT = 22
"""Between two detections."""


def picture(x, seed):
    """Somebody blue at x, in front of a wall of stones."""
    stones = np.random.default_rng(seed).uniform(60, 200, (13, 17)).astype(np.float32)
    grey = cv2.resize(stones, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    cv2.rectangle(image, (round(x) - 15, 60), (round(x) + 15, 200), (220, 20, 20), -1)
    return image


def somebody(thumbnail):
    """The blue person of a thumbnail."""
    light = thumbnail.astype(int)
    rows, columns = np.nonzero(light[..., 0] - light[..., 2] > 90)
    if len(rows) < 20:
        return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return Detections(np.array([box], np.float32), np.array([0.9], np.float32))


def places(jump):
    """Where the person is in each picture: 2 pixels further, but for a jump where it is cut."""
    return 80 + 2.0 * np.arange(44) + jump * (np.arange(44) >= CUT)


@pytest.fixture(scope="module", params=[(1, 40.0), (1, -60.0), (2, 0.0), (2, 90.0)], ids=str)
def two_takes(request, tmp_path_factory):
    """Media of two takes in one place, or in two, and where the person is."""
    seed, jump = request.param
    frames = []
    for i, x in enumerate(places(jump)):
        frame = av.VideoFrame.from_ndarray(picture(x, seed if i >= CUT else 1), format="bgr24")
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = i, FRAME
        frames.append(frame)
    path = tmp_path_factory.mktemp("takes") / "takes.mp4"
    mux(path, packets(frames, size=(WIDTH, HEIGHT)), size=(WIDTH, HEIGHT))
    return probe(path, ROOMY), places(jump)


def people(media, starts, options=OPTIONS):
    """The clip, from segments that start at these frames."""
    stops = [*starts[1:], media.frame_count]
    detect = Model(lambda batch: [somebody(t) for t in batch])
    estimate = Model(lambda crops: ("Made up", poses_in(crops)))
    parts = [
        asyncio.run(analyze_segment(cut(media, a, b, i), options, detect, estimate))
        for i, (a, b) in enumerate(zip(starts, stops, strict=True))
    ]
    return merge(parts, media)


@pytest.mark.parametrize("stride", [1, 3, 4, 8])
def test_nobody_is_in_two_takes(two_takes, stride):
    media, _ = two_takes
    options = AnalysisOptions(
        pose_input=(48, 64), detector_input=(160, 160), batch=5, detector_stride=stride
    )
    clip = people(media, [0], options)
    assert clip.cuts == (CUT,)
    before, after = clip.present[:CUT].any(0), clip.present[CUT:].any(0)
    assert before.sum() == after.sum() == 1
    assert not (before & after).any()


def test_boxes_are_those_of_their_take(two_takes):
    media, places = two_takes
    clip = people(media, [0])
    box = np.nanmax(clip.to_dense(clip.box), axis=1)
    middle = (box[:, 0] + box[:, 2]) / 2
    assert np.isfinite(middle).all()
    assert np.abs(middle - places).max() < 10  # four frames of 2 pixels, and the thumbnail's


@settings(max_examples=15, deadline=None, derandomize=True)
@given(starts=st.sets(st.integers(1, 10), max_size=4))
def test_the_clip_is_the_same_wherever_the_video_is_cut_into_segments(two_takes, starts):
    media, _ = two_takes
    whole = people(media, [0])
    parts = people(media, [0, *sorted(4 * start for start in starts)])
    assert parts.cuts == whole.cuts == (CUT,)
    for name in ("row", "box", "keypoints", "score", "track_id"):
        assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)


def test_a_cut_is_told_with_its_frame(two_takes):
    media, _ = two_takes
    ((code, text),) = _scene_cuts(people(media, [0]), media.numbers)
    assert code == "scene_cut"
    assert text.startswith("another take begins at frame 22 (0.73 s): each person is of one take")
