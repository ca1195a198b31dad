"""Detecting more often where people move: which intervals are halved, and down to what."""

import asyncio
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.decode.adaptive_detection import refined
from deployments.decode.detection_intervals import Interval
from deployments.messages import AnalysisOptions, Detections
from tests.support.corpus import cut, probed
from tests.support.made_up_people import detector
from tests.unit.decode.test_decode_segment_analysis import analyze

SIZE = 100.0


@dataclass(frozen=True)
class Numbered:
    """A picture that knows its number; its thumbnail is that number."""

    index: int

    def cut(self, region):
        return self

    def letterbox(self, size):
        return np.array(self.index), (1.0, 1.0)


def people(*left):
    boxes = np.array([[x, 0, x + 40, SIZE] for x in left], np.float32).reshape(-1, 4)
    return Detections(boxes, np.ones(len(left), np.float32))


def intervals(stride, count, lost=()):
    made = []
    for start in range(0, stride * count, stride):
        kept = tuple(Numbered(i) for i in range(start + 1, start + stride + 1) if i not in lost)
        made.append(Interval(start, start + stride, kept, np.array(start + stride), (1.0, 1.0)))
    return made


def refine(where, stride=8, count=2, finest=1, lost=()):
    """Ends of the intervals, and the pictures that the detector was asked about, call by call."""
    asked = []

    async def find(some):
        asked.append([int(i.thumbnail) for i in some])
        return [where(int(i.thumbnail)) for i in some]

    given_ = intervals(stride, count, lost)
    found = [where(i.end) for i in given_]
    start = where(0)
    out, people_ = asyncio.run(
        refined(start and start.boxes, given_, found, finest, (96, 96), find)
    )
    assert [i.start for i in out] == [0, *(i.end for i in out[:-1])]
    pictures = [p.index for i in out for p in i.pictures]
    assert pictures == [p.index for i in given_ for p in i.pictures]
    for interval, answer in zip(out, people_, strict=True):
        expected = where(interval.end)
        assert (answer is None) == (expected is None)
        assert answer is None or np.array_equal(answer.boxes, expected.boxes)
    return [i.end for i in out], asked


@pytest.mark.parametrize(
    ("where", "ends", "asked"),
    [
        (lambda i: people(5), [8, 16], []),
        (lambda i: people(i / 2), [8, 16], []),
        (lambda i: people(2 * i), [4, 8, 12, 16], [[4, 12]]),
        (lambda i: people(9 * i), [2, 4, 6, 8, 10, 12, 14, 16], [[4, 12], [2, 6, 10, 14]]),
        (lambda i: people(2 * min(i, 8)), [4, 8, 16], [[4]]),
        (lambda i: people(5, 300) if i > 8 else people(5), [8, 10, 12, 16], [[12], [10]]),
        (lambda i: people(), [8, 16], []),
    ],
    ids=["still", "slow", "brisk", "running", "then still", "a second one comes", "nobody"],
)
def test_intervals_are_halved_where_somebody_moves_much_comes_or_goes(where, ends, asked):
    assert refine(where, finest=2) == (ends, asked)


def test_an_end_that_is_not_known_says_nothing_of_motion():
    assert refine(lambda i: None if i == 8 else people(90 * i)) == ([8, 16], [])


def test_where_the_middle_was_not_decoded_an_interval_stays_whole():
    ends, asked = refine(lambda i: people(20 * i), lost=(4,))
    assert asked[0] == [12]
    assert ends[0] == 8


@given(
    jumps=st.lists(st.floats(-60, 60), min_size=17, max_size=17),
    finest=st.integers(1, 9),
)
def test_no_gap_is_below_the_finest_and_all_that_could_be_halved_are_still(jumps, finest):
    left = np.cumsum(jumps)
    ends, asked = refine(lambda i: people(left[i]), finest=finest)
    gaps = np.diff([0, *ends])
    assert gaps.max() <= 8
    assert gaps.min() >= min(finest, 8)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if (end - start) // 2 >= finest:
            assert abs(left[end] - left[start]) <= 0.121 * SIZE
    assert sum(map(len, asked)) == len(ends) - 2


def test_somebody_is_there_from_the_picture_in_which_he_comes_to_that_in_which_he_goes():
    options = AnalysisOptions(
        pose_input=(48, 64), detector_input=(96, 96), detector_stride=4, finest_stride=1
    )
    model = detector()
    found = analyze(cut(probed("h264")), options, model)
    frames, people_ = np.unique(found.frame, return_counts=True)
    assert frames.tolist() == list(range(20))
    assert people_.tolist() == [2 if 6 <= frame < 14 else 1 for frame in range(20)]
    everywhere = analyze(cut(probed("h264")), replace(options, detector_stride=1))
    assert sum(model.sizes) < 20
    assert np.abs(found.box - everywhere.box).max() < 0.2
