"""Pictures grouped between the frames in which people are detected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.decode.detection_intervals import IntervalReader, detection_frames
from deployments.messages import Segment
from tests.support.corpus import cut, probed


def segment_of(first, count, closing):
    return Segment(
        path="no such file",
        time_base=(1, 25),
        rotation_deg=0,
        width=96,
        height=64,
        index=0,
        first_frame=first,
        pts=np.arange(first, first + count),
        seek_pts=first,
        closing_pts=first + count if closing else None,
    )


@pytest.mark.parametrize(
    ("first", "count", "closing", "stride", "expected"),
    [
        (0, 10, True, 4, [0, 4, 8, 10]),
        (0, 8, True, 4, [0, 4, 8]),
        (8, 8, True, 4, [8, 12, 16]),
        (8, 7, False, 4, [8, 12, 14]),
        (8, 1, False, 4, [8]),
        (8, 1, True, 4, [8, 9]),
        (0, 3, False, 1, [0, 1, 2]),
        (0, 30, False, 100, [0, 29]),
    ],
)
def test_people_are_detected_in_every_so_many_frames_and_the_last(
    first, count, closing, stride, expected
):
    assert detection_frames(segment_of(first, count, closing), stride) == expected


@given(
    start=st.integers(0, 50),
    count=st.integers(1, 60),
    closing=st.booleans(),
    stride=st.integers(1, 9),
)
def test_no_frame_is_further_from_the_next_detection_than_the_stride(start, count, closing, stride):
    segment = segment_of(start * stride, count, closing)

    frames = detection_frames(segment, stride)

    assert frames[0] == segment.first_frame
    assert frames[-1] == segment.first_frame + count - (not closing)
    assert all(0 < gap <= stride for gap in np.diff(frames))


def taken(reader):
    """All intervals, as the reader gives them."""
    groups = []
    while group := reader.take():
        groups.append(group)
    return groups


@pytest.mark.parametrize("stride", [1, 3, 4, 50])
def test_every_picture_is_in_one_interval_and_the_last_of_it_is_its_end(stride):
    segment = cut(probed("h264"))

    intervals = [i for group in taken(IntervalReader(segment, stride, (96, 96))) for i in group]

    ends = detection_frames(segment, stride)
    assert [i.end for i in intervals] == ends
    assert [i.start for i in intervals] == [ends[0], *ends[:-1]]
    assert [p.index for i in intervals for p in i.pictures] == list(range(20))
    for interval in intervals:
        assert interval.pictures[-1].index == interval.end
        assert interval.thumbnail.shape == (96, 96, 3)
        assert interval.scale == (1.0, 1.0)


def test_few_intervals_are_taken_at_once():
    groups = taken(IntervalReader(cut(probed("h264")), 2, (96, 96)))

    assert [len(group) for group in groups] == [4, 4, 3]


def test_after_stopping_nothing_is_taken_and_the_file_is_closed(open_files):
    reader = IntervalReader(cut(probed("h264")), 2, (96, 96))
    assert reader.take()
    assert open_files() == [probed("h264").path]

    reader.stop()

    assert open_files() == []
    assert reader.take() == []


def test_stopping_twice_and_before_the_first_picture_is_possible(open_files):
    reader = IntervalReader(cut(probed("h264")), 2, (96, 96))
    reader.stop()
    reader.stop()

    assert reader.take() == []
    assert open_files() == []


def test_time_is_that_of_taking():
    reader = IntervalReader(cut(probed("h264")), 2, (96, 96))
    assert reader.seconds == 0

    taken(reader)

    assert reader.seconds > 0
