"""Cutting a video into segments: nothing lost, nothing twice, little decoded in vain."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.decode.segments import split
from deployments.media.reader import read
from deployments.messages import MediaInfo
from tests.support.corpus import VIDEOS, probed


def media_of(pts, keys, time_base=(1, 1000)):
    """A video by its time stamps; ``keys`` are the positions of key frames."""
    pts = np.array(pts, np.int64)
    return MediaInfo(
        path="no such file",
        container="mov",
        codec="h264",
        pixel_format="yuv420p",
        width=64,
        height=36,
        rotation_deg=0,
        time_base=time_base,
        pts=pts,
        keyframe_pts=pts[list(keys)],
    )


def even(seconds, keys_s, fps=25):
    """A video of so many seconds with key frames at those."""
    count = round(seconds * fps)
    return media_of(np.arange(count) * 1000 // fps, [round(s * fps) for s in keys_s])


def test_segments_know_whether_pictures_are_in_order():
    media = even(10, [0, 5])

    assert {s.in_order for s in split(media, 4)} == {False}
    assert {s.in_order for s in split(replace(media, in_order=True), 4)} == {True}


def starts_s(segments, media):
    return [float(media.times_s[s.first_frame]) for s in segments]


@st.composite
def videos(draw):
    gaps = draw(st.lists(st.integers(1, 3000), min_size=0, max_size=80))
    pts = np.cumsum([draw(st.integers(-5000, 5000)), *gaps])
    keys = draw(st.sets(st.integers(0, len(pts) - 1)))
    return media_of(pts, sorted(keys))


@given(media=videos(), stride=st.integers(1, 12), target_s=st.floats(0.01, 30))
def test_segments_make_up_the_video(media, stride, target_s):
    segments = split(media, stride, target_s)

    assert [s.index for s in segments] == list(range(len(segments)))
    assert np.concatenate([s.pts for s in segments]).tolist() == media.pts.tolist()
    assert all(len(s.pts) for s in segments)
    for segment, right in zip(segments, [*segments[1:], None], strict=True):
        assert media.pts[segment.first_frame] == segment.pts[0]
        assert segment.closing_pts == (None if right is None else right.pts[0])


@given(media=videos(), stride=st.integers(1, 12), target_s=st.floats(0.01, 30))
def test_segments_start_on_a_detection_frame_and_are_long_enough(media, stride, target_s):
    segments = split(media, stride, target_s)

    assert all(s.first_frame % stride == 0 for s in segments)
    assert all(gap >= target_s for gap in np.diff(starts_s(segments, media)))


@given(media=videos(), stride=st.integers(1, 12), target_s=st.floats(0.01, 30))
def test_decoding_starts_at_the_last_key_frame_before(media, stride, target_s):
    for segment in split(media, stride, target_s):
        before = media.keyframe_pts[media.keyframe_pts <= segment.pts[0]]
        assert segment.seek_pts == (before[-1] if len(before) else media.pts[0])


@pytest.mark.parametrize(
    ("seconds", "keys_s", "expected"),
    [
        pytest.param(3, [0], [0], id="shorter than one"),
        pytest.param(20, range(0, 20, 2), [0, 4, 8, 12, 16], id="key frames every 2 s"),
        pytest.param(20, range(0, 20, 5), [0, 5, 10, 15], id="key frames every 5 s"),
        pytest.param(30, [0, 12, 24], [0, 12, 24], id="gaps of three segments are left whole"),
        pytest.param(80, [0, 40], range(0, 80, 10), id="longer ones are cut into four"),
        pytest.param(600, [0], [0, 150, 300, 450], id="one key frame"),
        pytest.param(10, [0, 9.9], [0, 9.92], id="a short end"),
    ],
)
def test_cuts_are_at_key_frames_where_there_are_enough(seconds, keys_s, expected):
    media = even(seconds, keys_s)

    found = starts_s(split(media, 4, 4.0), media)

    assert found == pytest.approx(list(expected), abs=4 / 25)


@given(keys=st.sets(st.integers(0, 1999), max_size=60), stride=st.integers(1, 12))
def test_little_is_decoded_in_vain(keys, stride):
    """At most 2.5 times what there is, and a few frames for each segment."""
    media = media_of(np.arange(2000) * 40, sorted({0, *keys}))

    segments = split(media, stride, 4.0)

    decoded = sum(
        s.first_frame + len(s.pts) + 1 - int(np.searchsorted(media.pts, s.seek_pts))
        for s in segments
    )
    assert decoded <= 2.5 * media.frame_count + len(segments) * (stride + 1)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("name", VIDEOS)
def test_segments_read_one_by_one_show_every_picture_once(name, stride):
    """And the first of the next segment, in which people are detected too."""
    media = probed(name)
    found = []
    for segment in split(media, stride, 0.1):
        pictures = [p.pts for p in read(segment)]
        assert pictures == [*segment.pts, *([segment.closing_pts] if segment.closing_pts else [])]
        found += pictures[: len(segment.pts)]

    assert found == media.pts.tolist()
