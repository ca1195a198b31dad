"""Whatever is done to a video file, reading it works or raises a typed error."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.decode.probe import MediaLimits, probe
from deployments.decode.segments import split
from deployments.errors import MediaError
from deployments.media.reader import read
from tests.support.corpus import video

LIMITS = MediaLimits(max_bytes=10**6, max_duration_s=100, max_pixels=10**5, max_frames=500)
NAMES = ["h264", "faststart", "fragmented", "mkv", "vp9_live", "vp8_hidden_frames", "hevc", "av1",
         "mpeg4_avi", "h264_avi", "edit_list", "aac", "rotated_90", "wide_pixels"]  # fmt: skip
EXTREMES = [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x0AAAAAA0, 0x10000]


@st.composite
def changes(draw):
    """What is done at a place, given as a part of the file; often near its beginning."""
    place = draw(st.floats(0, 1) | st.floats(0, 0.1))
    kind = draw(st.sampled_from(["flip", "extreme", "cut", "drop", "repeat", "noise"]))
    amount = draw(
        {
            "flip": st.integers(0, 7),
            "extreme": st.sampled_from(EXTREMES),
            "cut": st.just(0),
            "drop": st.integers(1, 200),
            "repeat": st.integers(1, 200),
            "noise": st.binary(min_size=1, max_size=40),
        }[kind]
    )
    return kind, place, amount


def changed(data, kind, place, amount):
    i = min(int(place * len(data)), len(data) - 1)
    if kind == "flip":
        return data[:i] + bytes([data[i] ^ 1 << amount]) + data[i + 1 :]
    if kind == "extreme":
        return data[:i] + struct.pack(">I", amount) + data[i + 4 :]
    if kind == "cut":
        return data[:i] or data[:1]
    if kind == "drop":
        return data[:i] + data[i + amount :] or data[:1]
    if kind == "repeat":
        return data[:i] + data[i : i + amount] + data[i:]
    return data[:i] + amount + data[i + len(amount) :]


def read_all(path):
    """Read every segment; whatever was probed must hold."""
    media = probe(path, LIMITS)
    assert 1 <= media.frame_count <= LIMITS.max_frames
    assert media.width * media.height <= LIMITS.max_pixels
    assert 0 <= media.duration_s <= LIMITS.max_duration_s
    assert (np.diff(media.times_s) > 0).all()
    for segment in split(media, 3, 0.2):
        indices = []
        for picture in read(segment):
            assert picture.size == (media.width, media.height)
            assert media.pts[picture.index] == picture.pts
            indices.append(picture.index)
        assert indices == sorted(set(indices))
        assert len(indices) <= len(segment.pts) + 1


def refusal(path):
    """Why a file is not read; nothing if it is."""
    try:
        read_all(path)
    except MediaError as error:
        return error.detail
    return ""


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(todo=st.lists(changes(), min_size=1, max_size=4))
def test_a_changed_file_is_read_or_refused(tmp_path, name, todo):
    data = video(name).path.read_bytes()
    for change in todo:
        data = changed(data, *change)
    path = tmp_path / "changed"
    path.write_bytes(data)

    # Messages are for strangers.
    assert str(tmp_path) not in refusal(path)


@pytest.mark.parametrize("name", NAMES)
def test_an_unchanged_file_passes_all_of_it(name):
    read_all(video(name).path)
