"""The kind of a file and its length, by its outermost structure alone."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.errors import NotAVideoError
from deployments.media.container_sniffing import has_box, missing_bytes, sniff
from tests.support.bad_media import box
from tests.support.corpus import VIDEOS, video

DEMUXER = {
    ".mp4": "mov",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "matroska",
    ".avi": "avi",
    ".ts": "mpegts",
    ".mts": "mpegts",
}
# Whose lengths say where the file ends.
STATED = ["fragmented", "mkv", "vp9", "h264_avi", "mpeg4_avi", "h264", "mov"]


def kind_of(name):
    return DEMUXER[video(name).path.suffix]


@pytest.mark.parametrize("name", VIDEOS)
def test_videos_are_known_by_their_beginning_and_lack_nothing(name):
    path = video(name).path

    assert sniff(path) == kind_of(name)
    assert missing_bytes(path, kind_of(name)) == 0


@pytest.mark.parametrize("first", [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"])
def test_a_quicktime_file_can_begin_with_any_of_its_boxes(tmp_path, first):
    path = tmp_path / "clip"
    path.write_bytes(box(first, b"qt  ", bytes(20)))

    assert sniff(path) == "mov"


@pytest.mark.parametrize("brand", [b"heic", b"avif", b"mif1"])
def test_still_pictures_in_boxes_are_told(tmp_path, brand):
    path = tmp_path / "picture"
    path.write_bytes(box(b"ftyp", brand, bytes(8)))

    with pytest.raises(NotAVideoError, match="still picture"):
        sniff(path)


@given(data=st.binary(max_size=64))
def test_any_beginning_is_some_kind_or_none(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)

    try:
        kind = sniff(path)
    except NotAVideoError:
        return
    assert missing_bytes(path, kind) >= 0
    has_box(path, b"moov")


@pytest.mark.parametrize("name", STATED)
@pytest.mark.parametrize("lost", [1, 17])
def test_what_is_missing_is_counted_exactly(tmp_path, name, lost):
    """Of an MP4 that is not fragmented, of its index."""
    data = video(name).path.read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(data[:-lost])

    assert missing_bytes(path, kind_of(name)) == lost


@pytest.mark.parametrize("name", ["vp9_live", "faststart"])
def test_where_no_length_is_stated_nothing_is_said(tmp_path, name):
    data = video(name).path.read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(data[:-100])

    assert missing_bytes(path, kind_of(name)) == 0


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_a_length_that_was_never_written_is_none(tmp_path, length):
    path = tmp_path / "recording.avi"
    path.write_bytes(b"RIFF" + struct.pack("<I", length) + b"AVI LIST" + bytes(99))

    assert missing_bytes(path, "avi") == 0


def test_lengths_of_64_bits(tmp_path):
    path = tmp_path / "long.mp4"
    long_box = struct.pack(">I4sQ", 1, b"mdat", 16 + 40) + bytes(40)
    path.write_bytes(box(b"ftyp", bytes(8)) + long_box + box(b"moov", bytes(8)))

    assert has_box(path, b"moov")
    assert not has_box(path, b"moof")
    assert missing_bytes(path, "mov") == 0


@pytest.mark.parametrize("length", [1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_lengths_that_no_file_has_end_the_walk(tmp_path, length):
    path = tmp_path / "long.mp4"
    path.write_bytes(struct.pack(">I4sQ", 1, b"free", length) + box(b"moov"))

    assert not has_box(path, b"moov")
    assert missing_bytes(path, "mov") == 0


def test_a_header_of_matroska_that_no_file_has_says_nothing(tmp_path):
    path = tmp_path / "long.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3\x01" + b"\x7f" * 7 + bytes(99))

    assert missing_bytes(path, "matroska") == 0


@pytest.mark.parametrize("length", [2, 7])
def test_boxes_shorter_than_their_header_end_the_walk(tmp_path, length):
    path = tmp_path / "broken.mp4"
    path.write_bytes(struct.pack(">I4s", length, b"free") + box(b"moov"))

    assert not has_box(path, b"moov")


def test_the_last_box_may_reach_to_the_end(tmp_path):
    path: Path = tmp_path / "open.mp4"
    path.write_bytes(box(b"moov", bytes(8)) + struct.pack(">I4s", 0, b"mdat") + bytes(999))

    assert missing_bytes(path, "mov") == 0
