"""Parts of a file, fewer frames a second, another way up: chosen once, after probing."""

import math
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from deployments.decode.media_options import applied, evenly
from deployments.decode.probe import probe
from deployments.decode.segments import split
from deployments.errors import BadParameterError, TooLargeError
from deployments.media.reader import read
from deployments.media_choice import MediaOptions
from deployments.messages import MediaInfo
from tests.support.corpus import ROOMY, probed, video
from tests.support.numbered_pictures import number_of

# Key frames, an open group, decoding times, times counted in ms, and those that are uneven.
KINDS = ["h264", "open_gop", "late_start", "edit_list", "h264_avi", "vp9_live", "ts", "variable"]


def media_of(pts, time_base=(1, 1000), keys=(0,)):
    pts = np.array(pts, np.int64)
    return MediaInfo(
        "no such file", "mov", "h264", "yuv420p", 64, 36, 0, time_base, pts, pts[list(keys)]
    )


def even(fps, count):
    return np.arange(count) * (1000 * 60) // fps, (1, 60_000)


@st.composite
def uneven(draw):
    gaps = draw(st.lists(st.integers(1, 500), max_size=60))
    return np.cumsum([draw(st.integers(-(10**6), 10**6)), *gaps]).astype(np.int64)


@given(pts=uneven(), max_fps=st.floats(0.1, 1000))
def test_frames_are_kept_in_order_from_the_first_at_no_more_than_the_rate(pts, max_fps):
    kept = evenly(pts, (1, 1000), max_fps)

    assert kept[0] == 0
    assert (np.diff(kept) > 0).all()
    if len(kept) < len(pts):
        span_s = float(pts[kept[-1]] - pts[0]) / 1000
        assert len(kept) - 1 <= span_s * max_fps * 1.002 + 0.5


@given(pts=uneven(), factor=st.floats(1, 50))
def test_a_rate_of_at_least_the_videos_drops_nothing(pts, factor):
    assume(len(pts) > 1)

    assert len(evenly(pts, (1, 1000), media_of(pts).fps * factor)) == len(pts)


@pytest.mark.parametrize(
    ("fps", "max_fps", "step"),
    [(240, 60, 4), (240, 59, 5), (50, 30, 2), (30, 29.9, 2), (60, 60, 1), (25, 0.1, 250)],
)
def test_an_even_video_stays_even(fps, max_fps, step):
    pts, time_base = even(fps, 600)

    assert_array_equal(evenly(pts, time_base, max_fps), np.arange(0, 600, step))


def test_a_rate_as_people_write_it_is_the_videos():
    pts = np.arange(1000) * 1001
    assert len(evenly(pts, (1, 30_000), 29.97)) == 1000


@given(
    pts=uneven(),
    range_s=st.tuples(st.floats(0, 40), st.floats(0, 40)).map(sorted),
    max_fps=st.none() | st.floats(0.5, 500),
)
def test_a_part_has_the_frames_of_its_range_and_their_times(pts, range_s, max_fps):
    media = media_of(pts)
    start_s, end_s = range_s
    inside = (media.times_s >= round(start_s, 6)) & (media.times_s < round(end_s, 6))

    try:
        part = applied(media, MediaOptions(start_s, end_s, max_fps))
    except BadParameterError:
        assert not inside.any() or end_s > media.duration_s
        return

    assert set(part.numbers) <= set(np.flatnonzero(inside))
    assert_array_equal(part.pts, media.pts[part.numbers])
    assert_array_equal(part.times_s, media.times_s[part.numbers])
    if max_fps is None:
        assert len(part.numbers) == inside.sum()


@pytest.mark.parametrize(
    "options",
    [
        MediaOptions(),
        MediaOptions(0.0, None),
        MediaOptions(None, 2.0),
        MediaOptions(max_fps=25),
        MediaOptions(rotation_deg=0),
    ],
)
def test_options_that_leave_nothing_out_change_nothing(options):
    media = media_of(np.arange(50) * 40)

    assert applied(media, options).part is None
    assert_array_equal(applied(media, options).pts, media.pts)
    assert applied(media, options).warnings == ()


@pytest.mark.parametrize(
    ("start_s", "end_s", "field"),
    [
        (5, 3, "end"),
        (1, 1, "end"),
        (0, 0, "end"),
        (2, None, "start"),
        (math.nan, None, "end"),
        (None, math.nan, "end"),
        (-1, None, "end"),
        (1e300, None, "start"),
        (0, 2.1, "end"),
        (0.041, 0.079, "start"),
    ],
)
def test_a_part_outside_the_video_or_empty_is_refused_with_its_duration(start_s, end_s, field):
    with pytest.raises(BadParameterError, match=r"the video lasts 2 s") as refused:
        applied(media_of(np.arange(50) * 40), MediaOptions(start_s, end_s))

    assert refused.value.facts == {"field": field, "duration_s": 2.0}


def test_a_start_after_the_last_picture_is_refused_without_an_end():
    with pytest.raises(BadParameterError, match=r"shown from 1.99 s on; the video lasts 2 s"):
        applied(media_of(np.arange(50) * 40), MediaOptions(1.99, None))


def test_warnings_tell_which_frames_are_analyzed():
    part = applied(media_of(np.arange(50) * 40), MediaOptions(0.4, 1.2, 12.5))

    assert part.numbers.tolist() == list(range(10, 30, 2))
    assert dict(part.warnings) == {
        "part_analyzed": "frames 10 to 28 (0.40 to 1.12 s) of 50 (2.00 s)",
        "frames_skipped": "10 of 20 frames were dropped for max_fps 12.5; those analyzed are 10, "
        "12, 14, 16, 18 and so on, by frame_number",
    }
    assert (part.part.end_pts, part.duration_s, part.fps) == (1200, 0.8, 12.5)


@pytest.mark.parametrize("segment_s", [0.1, 100])
@pytest.mark.parametrize("name", KINDS)
def test_pictures_of_a_part_are_those_of_the_file(name, segment_s):
    whole = probed(name)
    start_s, end_s = whole.times_s[5], whole.times_s[15]
    part = probe(whole.path, ROOMY, options=MediaOptions(start_s, end_s, whole.fps / 2))

    shown = [
        (picture.pts, number_of(picture.bgr()))
        for segment in split(part, 2, segment_s)
        for picture in read(segment)
        if picture.index < segment.first_frame + len(segment.pts)
    ]

    numbers = dict(zip(whole.pts.tolist(), video(name).numbers, strict=True))
    assert 3 <= part.frame_count < 10
    assert shown == [(pts, numbers[pts]) for pts in part.pts.tolist()]


def test_pictures_known_by_their_number_are_found_in_a_part(tmp_path):
    """Time stamps that step back: each picture is counted from the beginning of the file."""
    whole = replace(probed("h264"), counted=True)
    part = applied(whole, MediaOptions(0.2, 0.6, 12.5))

    shown = [number_of(p.bgr()) for s in split(part, 2, 100) for p in read(s)]

    assert shown == part.numbers.tolist()
    assert len(shown) < 10


@pytest.mark.parametrize(
    ("name", "turn", "code"),
    [
        ("h264", 90, cv2.ROTATE_90_CLOCKWISE),
        ("h264", 180, cv2.ROTATE_180),
        ("rotated_12", 270, cv2.ROTATE_90_COUNTERCLOCKWISE),
    ],
)
def test_another_rotation_is_that_of_the_stored_pictures(name, turn, code):
    plain = probed(name)
    turned = probe(plain.path, ROOMY, options=MediaOptions(rotation_deg=turn))

    pictures = zip(*(read(split(m, 1, 100)[0]) for m in (plain, turned)), strict=True)
    for before, after in pictures:
        for plane in ("y", "u", "v"):
            assert_array_equal(getattr(after, plane), cv2.rotate(getattr(before, plane), code))
    sides = (plain.width, plain.height)
    assert (turned.width, turned.height) == (sides if turn == 180 else sides[::-1])
    assert turned.warnings == ()


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_the_rotation_of_the_file_given_again_changes_nothing(turn):
    plain = probed(f"rotated_{turn}")
    again = applied(plain, MediaOptions(rotation_deg=turn))
    upright = applied(plain, MediaOptions(rotation_deg=0))

    assert (again.width, again.height, again.rotation_deg) == (plain.width, plain.height, turn)
    sides = (plain.width, plain.height)
    assert (upright.width, upright.height) == (sides if turn == 180 else sides[::-1])


def test_limits_are_those_of_the_part():
    path = video("h264").path
    small = replace(ROOMY, max_frames=15, max_duration_s=0.6)

    with pytest.raises(TooLargeError):
        probe(path, small)
    part = probe(path, small, options=MediaOptions(0.36, 0.72))
    assert part.frame_count <= 15
    with pytest.raises(TooLargeError) as refused:
        probe(path, small, options=MediaOptions(0.0, 0.79))
    assert refused.value.facts["quantity"] in ("frames", "seconds")
    with pytest.raises(TooLargeError):
        probe(path, replace(small, max_bytes=100), options=MediaOptions(0.36, 0.72))


def test_frames_on_the_way_to_a_part_count_too():
    """Of a file with one key frame, its end takes the decoding of all of it."""
    path = video("one_gop").path
    frames = video("one_gop").frame_count

    with pytest.raises(TooLargeError, match="frames"):
        probe(path, replace(ROOMY, max_frames=frames - 2), options=MediaOptions(start_s=0.5))


def test_an_interlaced_part_takes_the_picture_before_it(tmp_path):
    path = tmp_path / "interlaced.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", rate=25, options={"x264-params": "tff=1:keyint=5:min-keyint=5:bframes=0"}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for i in range(20):
            image = np.full((64, 96, 3), 40 + 9 * i, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    whole = probe(path, ROOMY)
    part = applied(whole, MediaOptions(0.4, 0.6))

    assert whole.interlaced
    all_of_it = {p.pts: p.y for p in read(split(whole, 1, 100)[0])}
    found = list(read(split(part, 1, 100)[0]))
    assert [p.pts for p in found] == part.pts.tolist()
    for picture in found:
        assert_array_equal(picture.y, all_of_it[picture.pts])
