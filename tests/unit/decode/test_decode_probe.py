"""Probing tells what is in a video, neither more nor less."""

import shutil
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from deployments.decode.probe import _check, probe
from deployments.errors import TooLargeError
from deployments.media.reader import read
from tests.support.corpus import ROOMY, VIDEOS, cut, probed, video

CONTAINERS = {
    ".mp4": "mov",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "matroska",
    ".avi": "avi",
    ".ts": "mpegts",
    ".mts": "mpegts",
}


@pytest.mark.parametrize("name", VIDEOS)
def test_what_is_there(name):
    expected, media = video(name), probed(name)

    assert media.path == str(expected.path)
    assert media.container == CONTAINERS[expected.path.suffix]
    assert media.codec == expected.codec
    assert media.pixel_format == expected.pix_fmt
    assert (media.width, media.height) == (expected.width, expected.height)
    assert media.rotation_deg == expected.rotation_deg
    assert media.audio_codec == expected.audio_codec
    assert tuple(code for code, _ in media.warnings) == expected.warnings
    assert media.frame_count == expected.frame_count
    ticks = Fraction(*media.time_base)
    assert tuple((int(t) - int(media.pts[0])) * ticks for t in media.pts) == expected.pts_s


def test_pictures_out_of_order_are_known():
    """Where there may be pictures that refer to later ones, and in AVI, which does not tell."""
    out_of_order = {name for name in VIDEOS if not probed(name).in_order}

    assert {"h264", "open_gop", "hevc", "mkv", "mpeg4_avi", "mjpeg_avi"} <= out_of_order
    assert not out_of_order & {"no_b_frames", "one_frame", "vp9", "vp9_live", "av1", "prores_mov"}


@pytest.mark.parametrize("name", VIDEOS)
def test_key_frames_are_among_the_pictures_and_the_first_is_one(name):
    media = probed(name)

    assert set(media.keyframe_pts) <= set(media.pts)
    assert media.keyframe_pts[0] == media.pts[0] or name == "edit_list"
    assert (np.diff(media.keyframe_pts) > 0).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("h264", 3),
        ("two_frame_gops", 10),
        ("one_gop", 1),
        ("mjpeg_avi", 20),
        ("vp9", 3),
        ("prores_mov", 8),
    ],
)
def test_key_frames_are_all_found(name, expected):
    assert len(probed(name).keyframe_pts) == expected


@pytest.mark.parametrize(
    ("name", "fps", "seconds"),
    [
        ("h264", 25, 20 / 25),
        ("vp9", 23 / 0.767, 24 * 1.001 / 30),
        ("late_start", 25, 20 / 25),
        ("one_frame", 0, 0),
        ("held_last", 25, 74 / 25 + 1 / 25),
    ],
)
def test_rate_and_duration(name, fps, seconds):
    media = probed(name)

    assert media.fps == pytest.approx(fps, rel=1e-3)
    assert media.duration_s == pytest.approx(seconds, abs=2e-3)


@pytest.mark.parametrize("name", ["h264", "mkv", "h264_avi"])
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".m3u8", ".png", ""])
def test_the_name_of_the_file_does_not_matter(tmp_path, name, suffix):
    renamed = tmp_path / f"clip{suffix}"
    shutil.copy(video(name).path, renamed)

    media = probe(renamed, ROOMY)

    assert np.array_equal(media.pts, probed(name).pts)
    assert len(list(read(cut(media)))) == video(name).frame_count


@pytest.mark.parametrize("name", ["%d.mp4", "pipe:0", "a b\n.mp4", "-i", "concat:a|b", "http:x"])
def test_names_that_mean_something_to_ffmpeg_are_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    shutil.copy(video("h264").path, tmp_path / name)

    assert probe(name, ROOMY).frame_count == 20


SIZES = {"bytes": 2543, "seconds": 0.8, "pixels": 96 * 64, "frames": 20}
FIELDS = {
    "bytes": "max_bytes",
    "seconds": "max_duration_s",
    "pixels": "max_pixels",
    "frames": "max_frames",
}


@pytest.mark.parametrize("quantity", FIELDS)
def test_a_video_of_the_largest_size_is_taken_and_a_larger_one_refused(quantity):
    path = video("no_b_frames").path
    value = path.stat().st_size if quantity == "bytes" else SIZES[quantity]
    field = FIELDS[quantity]

    assert probe(path, replace(ROOMY, **{field: value})).frame_count == 20
    less = value - (1e-3 if quantity == "seconds" else 1)
    with pytest.raises(TooLargeError) as caught:
        probe(path, replace(ROOMY, **{field: less}))

    assert caught.value.facts == {"quantity": quantity, "value": value, "limit": less}
    assert quantity in caught.value.detail


@pytest.mark.parametrize("name", VIDEOS)
def test_limits_hold_in_every_container(name):
    """By what is there, where the header does not tell."""
    media, path = probed(name), video(name).path

    with pytest.raises(TooLargeError) as caught:
        probe(path, replace(ROOMY, max_frames=media.frame_count - 1))
    assert caught.value.facts["quantity"] == "frames"
    with pytest.raises(TooLargeError) as caught:
        probe(path, replace(ROOMY, max_pixels=96 * 64 - 1))
    assert caught.value.facts["quantity"] == "pixels"
    if media.frame_count > 1:
        with pytest.raises(TooLargeError) as caught:
            probe(path, replace(ROOMY, max_duration_s=media.duration_s - 0.01))
        assert caught.value.facts["quantity"] == "seconds"


def test_numbers_of_a_refusal_are_plain():
    with pytest.raises(TooLargeError, match=r"the limit is 0\.5$"):
        probe(video("h264").path, replace(ROOMY, max_duration_s=0.5))
    with pytest.raises(
        TooLargeError, match=r"the video has 33177600 pixels, the limit is 9437184$"
    ):
        _check("pixels", 7680 * 4320, 4096 * 2304)


def test_pixels_made_square_count_against_the_limit():
    media = probed("wide_pixels")
    assert (media.width, media.height) == (128, 64)

    with pytest.raises(TooLargeError) as caught:
        probe(media.path, replace(ROOMY, max_pixels=96 * 64))

    assert caught.value.facts == {"quantity": "pixels", "value": 128 * 64, "limit": 96 * 64}


@pytest.mark.parametrize("aspect", ["100/1", "1/100"])
def test_pixels_made_square_longer_than_can_be_encoded_are_refused_before_the_work(
    tmp_path, aspect
):
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        options = {"x264-params": f"sar={aspect}"}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(256, 256, "yuv420p")))
        container.mux(stream.encode(None))

    with pytest.raises(TooLargeError) as caught:
        probe(path, ROOMY)

    assert caught.value.facts["quantity"] == "pixels a side"
