"""Results on disk: any page equals the same part of the whole."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.errors import ResultFilesError
from serve_app.jobs import result_file
from serve_app.jobs.result_file import (
    BEFORE_FRAMES,
    FRAMES_PER_FILE,
    read_document,
    read_frames,
    read_head,
    write_result,
)

HEAD = BEFORE_FRAMES + b'],"processing_summary":{}},"request_id":"a"}'


def document(frames):
    """The JSON that a response with these frames has."""
    lines = [json.dumps(frame).encode() for frame in frames]
    whole = BEFORE_FRAMES + b",".join(lines) + HEAD[len(BEFORE_FRAMES) :]
    return lines, whole


@settings(max_examples=30)
@given(
    count=st.integers(0, 3 * FRAMES_PER_FILE + 1),
    first=st.integers(0, 3 * FRAMES_PER_FILE + 5),
)
def test_any_page_is_the_same_part_of_the_whole(tmp_path_factory, count, first):
    folder = tmp_path_factory.mktemp("job") / "result"
    lines, whole = document([{"frame_info": {"frame_number": n}} for n in range(count)])
    assert write_result(folder, HEAD, lines) == len(whole)
    assert b"".join(result_file.read_whole(folder)) == whole
    assert list(read_frames(folder, first)) == lines[first:]
    assert read_head(folder) == HEAD


def test_a_result_without_data_is_its_head(tmp_path):
    head = b'{"data":null,"request_id":"a"}'
    assert write_result(tmp_path / "result", head, []) == len(head)
    assert read_document(tmp_path / "result") == {"data": None, "request_id": "a"}


def test_a_result_appears_whole_or_not_at_all(tmp_path):
    def broken():
        yield b"{}"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_result(tmp_path / "result", HEAD, broken())
    assert list(tmp_path.iterdir()) == []
    write_result(tmp_path / "result", HEAD, [b"{}"])  # what the first left is in nobody's way
    assert list(read_frames(tmp_path / "result")) == [b"{}"]


@pytest.mark.parametrize("name", ["head.json.zst", "frames-000000.zst", "frames-000001.zst"])
@pytest.mark.parametrize("harm", ["missing", "cut", "another bit"])
def test_a_damaged_result_is_no_shorter_one(tmp_path, name, harm):
    folder = tmp_path / "result"
    lines, _ = document([{"frame_info": {"frame_number": n}} for n in range(FRAMES_PER_FILE + 9)])
    write_result(folder, HEAD, lines)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content[:-9] if harm == "cut" else content)
    if harm == "missing":
        (folder / name).unlink()
    for read in (result_file.read_whole, read_frames):
        with pytest.raises(ResultFilesError, match=name):
            list(read(folder))
