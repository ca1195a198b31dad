"""Recordings of athletes, as others published them."""

from zlib import crc32

import pytest

from deployments.decode.probe import probe
from deployments.decode.segments import split
from deployments.media.reader import read
from tests.support.corpus import ROOMY, cut


@pytest.fixture(scope="module")
def sprint(demo_video):
    return probe(demo_video, ROOMY)


def prints(segment):
    """Index, time and checksum of every picture."""
    return [(p.index, p.pts, crc32(p.y), crc32(p.u), crc32(p.v)) for p in read(segment)]


def test_what_is_there(sprint):
    assert (sprint.codec, sprint.width, sprint.height) == ("vp9", 1768, 994)
    assert sprint.frame_count == 230
    assert sprint.fps == 30
    assert sprint.audio_codec == "aac"
    assert sprint.warnings == ()


def test_segments_show_the_same_as_the_whole(sprint):
    whole = prints(cut(sprint))
    segments = split(sprint, 4, 1.0)

    assert [p[0] for p in whole] == list(range(230))
    assert [len(s.pts) for s in segments] == [60, 60, 60, 50]
    for segment in segments:
        start = segment.first_frame
        assert prints(segment) == whole[start : start + len(segment.pts) + 1]
