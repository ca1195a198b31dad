"""Small files that would unpack to much, and headers that lie: refused in little memory."""

import json
import os
import struct
import subprocess
import sys
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from deployments.decode.probe import probe
from deployments.errors import MediaError, TooLargeError
from deployments.media.reader import read
from tests.support.corpus import ROOMY, cut, video
from tests.support.corpus_recipe import Recipe, write

LIMITS = replace(ROOMY, max_pixels=4096 * 2304, max_frames=500, max_duration_s=100)
LARGE = (8192, 4320)
# Of the growth of the process: a picture of the largest size allowed has 14 MB.
MOST_MB = 300

_PROBE = """
import json, os, resource, sys
from deployments.decode.probe import MediaLimits, probe
from deployments.errors import MediaError
limits = MediaLimits(**json.loads(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    outcome = probe(sys.argv[2], limits).frame_count
except MediaError as error:
    outcome = type(error).__name__, error.facts.get("quantity")
print(json.dumps([outcome, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024]))
"""


def probed_elsewhere(path):
    """Outcome of probing in a process of its own, and the megabytes by which it grew."""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(asdict(LIMITS)), str(path)],
        check=True,
        capture_output=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    outcome, megabytes = json.loads(done.stdout)
    return outcome, megabytes


def black(codec, size, frames, **options):
    """Packets of black pictures, and the encoder."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = options
    context.flags |= av.codec.context.Flags.global_header
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
        np.frombuffer(memoryview(plane), np.uint8)[:] = value
    packets = []
    for i in range(frames):
        frame.pts, frame.time_base = i, Fraction(1, 25)
        packets += context.encode(frame)
    return [*packets, *context.encode(None)], context


@pytest.fixture(scope="module")
def large_h264():
    return black("libx264", LARGE, 2, preset="ultrafast", crf="40")


def muxed(path, packets, context, tracks=1, size=LARGE):
    """A file whose every track has the same packets."""
    with av.open(str(path), "w") as out:
        streams = []
        for _ in range(tracks):
            stream = out.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.extradata = context.extradata
            streams.append(stream)
        out.start_encoding()
        for packet in packets:
            for stream in streams:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                out.mux(copy)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_large_picture_is_refused_undecoded(tmp_path, large_h264, suffix):
    path = muxed(tmp_path / f"large{suffix}", *large_h264)
    assert path.stat().st_size < 200_000

    outcome, megabytes = probed_elsewhere(path)

    assert outcome == ["TooLargeError", "pixels"]
    assert megabytes < MOST_MB


def test_many_tracks_of_large_pictures_cost_no_more(tmp_path, large_h264):
    outcome, megabytes = probed_elsewhere(muxed(tmp_path / "many.mkv", *large_h264, tracks=24))

    assert outcome[0] in ("TooLargeError", "NotAVideoError")
    assert megabytes < MOST_MB


def test_a_header_with_a_smaller_size_is_not_believed(tmp_path, large_h264):
    path = muxed(tmp_path / "lying.mp4", *large_h264)
    data = path.read_bytes().replace(struct.pack(">HH", *LARGE), struct.pack(">HH", 96, 64))
    path.write_bytes(data)

    outcome, megabytes = probed_elsewhere(path)

    assert outcome == ["NoFramesError", None]  # none that the decoder is allowed to decode
    assert megabytes < MOST_MB


def test_many_pictures_are_counted_no_further_than_the_limit(tmp_path):
    packets, context = black("libx264", (16, 16), 2000, preset="ultrafast")
    path = muxed(tmp_path / "long.mkv", packets, context, size=(16, 16))

    with pytest.raises(TooLargeError) as caught:
        probe(path, LIMITS)

    assert caught.value.facts == {"quantity": "frames", "value": 501, "limit": 500}


def test_pictures_that_grow_beyond_measure_are_left_out(tmp_path):
    """Some growth is read, as browsers' recordings do it; this is twelve times each side."""
    path = tmp_path / "growing.webm"
    small = Recipe(codec="libvpx-vp9", size=(96, 64), second_size=(1152, 768), suffix=".webm",
                   options={"deadline": "realtime", "cpu-used": "8"})  # fmt: skip
    write(path, small)

    media = probe(path, LIMITS)

    assert (media.width, media.height, media.frame_count) == (96, 64, 20)
    assert [p.index for p in read(cut(media))] == list(range(10))


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [(1, 20), (19, 20), (21, 20), (400, 20), (501, "frames"), (2**31, "frames")],
)
def test_a_number_of_pictures_in_the_header_is_a_limit_and_no_fact(tmp_path, claimed, expected):
    data = bytearray(video("mpeg4_avi").path.read_bytes())
    stream = data.index(b"strh")
    data[stream + 40 : stream + 44] = struct.pack("<I", claimed)
    path = tmp_path / "lying.avi"
    path.write_bytes(data)

    if expected == 20:
        assert probe(path, LIMITS).frame_count == 20
        return
    with pytest.raises(TooLargeError) as caught:
        probe(path, LIMITS)
    assert caught.value.facts["quantity"] in (expected, "seconds")


def test_a_duration_in_the_header_that_is_too_long_is_refused_at_once(tmp_path):
    data = bytearray(video("mkv").path.read_bytes())
    duration = data.index(b"\x44\x89\x88") + 3
    data[duration : duration + 8] = struct.pack(">d", 101_000)
    path = tmp_path / "lying.mkv"
    path.write_bytes(data)

    with pytest.raises(TooLargeError) as caught:
        probe(path, LIMITS)

    assert caught.value.facts == {"quantity": "seconds", "value": 101, "limit": 100}


def test_time_stamps_that_are_too_far_apart_are_refused(tmp_path):
    """The header says 0.8 s; the last fragment begins after hours."""
    data = bytearray(video("fragmented").path.read_bytes())
    time = data.rindex(b"tfdt") + 8
    data[time : time + 8] = struct.pack(">Q", 12800 * 7200)
    path = tmp_path / "lying.mp4"
    path.write_bytes(data)

    with pytest.raises(TooLargeError) as caught:
        probe(path, LIMITS)

    assert caught.value.facts["quantity"] == "seconds"
    assert caught.value.facts["value"] > 7200


@pytest.mark.parametrize("time", [1 << 62, (1 << 63) - 1])
def test_time_stamps_beyond_reckoning_are_refused(tmp_path, time):
    data = bytearray(video("fragmented").path.read_bytes())
    at = data.rindex(b"tfdt") + 8
    data[at : at + 8] = struct.pack(">Q", time)
    path = tmp_path / "lying.mp4"
    path.write_bytes(data)

    with pytest.raises(MediaError):
        probe(path, LIMITS)


@pytest.mark.parametrize("ratio", [(1, 10_000), (10_000, 1)])
def test_pixels_of_absurd_shape_do_not_make_a_picture_huge(tmp_path, ratio):
    data = bytearray(video("wide_pixels").path.read_bytes())
    at = data.index(b"pasp")
    data[at + 4 : at + 12] = struct.pack(">II", *ratio)
    path = tmp_path / "absurd.mp4"
    path.write_bytes(data)

    with pytest.raises(TooLargeError) as caught:
        probe(path, LIMITS)

    assert caught.value.facts["quantity"] == "pixels"
