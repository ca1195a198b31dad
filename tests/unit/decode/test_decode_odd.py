"""Files that real tools write against the rules are read as players show them."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from deployments.decode.probe import MediaLimits, probe
from deployments.decode.segments import split
from deployments.decode.stamps import are_suspect, regular
from deployments.media.reader import read
from tests.support.corpus import ROOMY, cut, probed
from tests.support.numbered_pictures import number_of
from tests.support.odd_media import FRAME, mux, packets, pictures, with_preview, with_sound


def shown(media, **part):
    """(index, seconds, number) of the pictures that are read."""
    found = list(read(cut(media, **part)))
    seconds = media.times_s
    return [(p.index, round(float(seconds[p.index]), 3), number_of(p.bgr())) for p in found]


def codes(media):
    return [code for code, _ in media.warnings]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_a_raw_stream_in_a_container_is_shown_in_the_decoders_order_on_its_grid(
    tmp_path, codec, suffix
):
    options = {
        "libx264": {"bf": "3", "g": "12", "crf": "8"},
        "libx265": {"x265-params": "log-level=none:crf=8:keyint=12:bframes=3"},
        "mpeg4": {"bf": "2", "g": "12", "qscale": "2"},
    }[codec]
    parts = packets(pictures(range(50)), codec, options)
    assert any(p.pts != p.dts for p in parts)
    media = probe(mux(tmp_path / f"raw{suffix}", parts, range(50), codec), ROOMY)

    assert shown(media) == [(i, round(i / 30, 3), i) for i in range(50)]
    assert codes(media) == ["time_stamps_repaired"]
    assert media.fps == pytest.approx(30, rel=1e-3)


def test_such_a_video_is_the_same_however_it_is_cut(tmp_path):
    media = probe(mux(tmp_path / "raw.mp4", packets(pictures(range(50))), range(50)), ROOMY)
    whole = shown(media)
    segments = split(media, 4, 0.3)
    assert len(segments) > 2
    for segment in segments:
        stop = segment.first_frame + len(segment.pts)
        closing = segment.closing_pts is not None
        found = [(p.index, p.pts, number_of(p.bgr())) for p in read(segment)]
        expected = whole[segment.first_frame : stop + closing]
        assert [(i, n) for i, _, n in found] == [(i, n) for i, _, n in expected]
        assert [pts for _, pts, _ in found] == media.pts[[i for i, _, _ in found]].tolist()


def test_frames_in_order_are_not_suspect():
    assert not are_suspect(list(range(50)), reorders=False)
    assert not are_suspect([0, 3, 1, 2, 6, 4, 5], reorders=True)
    assert are_suspect([0, 1, 2, 3], reorders=True)
    assert are_suspect([0, 1, 1, 3], reorders=False)
    assert are_suspect([*range(50), *range(50)], reorders=False)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 3, 1, 2, 6, 4, 5], range(7)),
        ([0, 10, 10, 30, 40], range(0, 50, 10)),
        ([0, 0, 20, 20, 40, 40], range(0, 60, 10)),
        ([0, None, 20, 30, None], [0, 10, 20, 30, 40]),
        ([None, None], [0, 7]),
        ([5, 5, 5], [5, 12, 19]),
        ([0, 0, 0, 1, 2], [0, 1, 2, 3, 4]),
        ([0, 10, 20, 50, 60], [0, 10, 20, 50, 60]),
        ([*range(0, 1200, 40), *range(0, 1200, 40)], range(0, 2400, 40)),  # two recordings joined
    ],
)
def test_true_times_of_pictures_in_the_decoders_order(times, expected):
    assert regular(times, 7).tolist() == list(expected)


@pytest.mark.parametrize(
    ("times", "repeated"), [([0] * 50, 49), ([i // 5 for i in range(50)], 40), ([*range(50)], 0)]
)
def test_pictures_of_one_time_stamp_are_all_shown_and_told(tmp_path, times, repeated):
    """(S13) 50 pictures of one time stamp gave one frame, and no warning."""
    parts = packets(pictures(range(50)), options={"bf": "0", "crf": "8"})
    media = probe(mux(tmp_path / "same.mkv", parts, times), ROOMY)
    assert [number for _, _, number in shown(media)] == list(range(50))
    told = dict(media.warnings).get("duplicate_times", "")
    assert told.startswith(f"{repeated} of 50 pictures" if repeated else "")
    assert bool(told) == bool(repeated)


@pytest.mark.parametrize("ticks", [30, 60])
def test_avi_with_b_frames_keeps_its_last_interval_and_the_sound_in_step(tmp_path, ticks):
    media = probe(with_sound(tmp_path / "b.avi", 60, ticks), ROOMY)

    assert shown(media) == [(i, round(i / 30, 3), i) for i in range(60)]
    assert int(media.pts[0]) == 0  # when the sound begins


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4", ".mov"])
def test_a_late_start_is_no_length(tmp_path, suffix):
    codec = "libvpx" if suffix == ".webm" else "libx264"
    options = {} if suffix == ".webm" else {"bf": "2"}
    parts = packets(pictures(range(30)), codec, options)
    path = mux(tmp_path / f"late{suffix}", parts, codec=codec, output_ts_offset="95443")
    media = probe(path, MediaLimits(10**8, 10, 10**7, 1000))

    assert media.duration_s == pytest.approx(1, abs=2e-3)
    assert shown(media) == [(i, pytest.approx(i / 30, abs=2e-3), i) for i in range(30)]


def test_a_recording_of_a_browser_has_no_length_and_uneven_times(tmp_path):
    times = np.cumsum([0, *([1, 1, 3, 2, 1, 6] * 5)]).tolist()
    parts = packets(pictures(range(31)), "libvpx", {})
    path = mux(tmp_path / "recorded.webm", parts, times, "libvpx", live="1")
    with av.open(str(path)) as file:
        assert file.duration is None
    media = probe(path, ROOMY)

    assert shown(media) == [(i, pytest.approx(t / 30, abs=2e-3), i) for i, t in enumerate(times)]
    assert media.duration_s == pytest.approx(times[-1] / 30 + 1 / media.fps, abs=2e-3)
    assert "variable_frame_rate" in codes(media)
    segments = split(media, 4, 0.5)
    assert len(segments) > 2
    for segment in segments:  # each by a seek, without an index
        stop = segment.first_frame + len(segment.pts) + (segment.closing_pts is not None)
        numbers = [number_of(picture.bgr()) for picture in read(segment)]
        assert numbers == list(range(segment.first_frame, stop))


@pytest.mark.parametrize(("suffix", "marked"), [(".mp4", True), (".mkv", True), (".mkv", False)])
def test_the_film_is_taken_not_its_preview(tmp_path, suffix, marked):
    media = probe(with_preview(tmp_path / f"two{suffix}", marked=marked), ROOMY)

    assert (media.width, media.height, media.codec) == (96, 64, "h264")
    assert [n for _, _, n in shown(media)] == list(range(20))
    assert codes(media) == ["video_track_chosen"]
    assert "2 video tracks" in media.warnings[0][1]


def test_a_default_track_is_taken_even_if_it_is_small(tmp_path):
    media = probe(with_preview(tmp_path / "two.mkv", marked=True, size=(40, 24)), ROOMY)
    assert (media.width, media.height) == (40, 24)
    assert np.diff(media.pts).min() > 0


@pytest.mark.parametrize("second", [(64, 64), (64, 96), (192, 64), (160, 120), (50, 66)])
def test_a_second_size_keeps_its_proportions(tmp_path, second):
    """As browsers' recordings and joined takes have it; a square stays a square."""

    def square(size):
        width, height = size
        side = min(size) // 2
        image = np.full((height, width, 3), 128, np.uint8)
        top, left = (height - side) // 2, (width - side) // 2
        image[top : top + side, left : left + side] = 255
        return av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")

    parts = []
    for start, size in ((0, (96, 64)), (10, second)):
        frames = [square(size) for _ in range(10)]
        for i, frame in enumerate(frames):
            frame.pts, frame.time_base = start + i, FRAME
        parts += packets(frames, "libvpx", {"crf": "4", "b": "2M"}, size)
    media = probe(mux(tmp_path / "two.webm", parts, range(20), "libvpx"), ROOMY)

    found = list(read(cut(media)))

    assert [p.size for p in found] == [(96, 64)] * 20
    for picture in (found[5], found[15]):
        rows, columns = np.nonzero(picture.y > 180)
        width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
        assert width == pytest.approx(height, rel=0.15)
        assert np.mean(columns) == pytest.approx(47.5, abs=1.5)
        assert np.mean(rows) == pytest.approx(31.5, abs=1.5)
    part = list(read(cut(media, 12, 18)))
    assert [p.y.tobytes() for p in part] == [p.y.tobytes() for p in found[12:19]]


def woven(count, size=(96, 64), speed=6):
    """Frames of two fields: a bar moves ``speed`` pixels from field to field."""
    width, height = size
    for i in range(count):
        image = np.full((height, width), 40, np.uint8)
        for field in (0, 1):
            left = (2 * i + field) * speed % (width - 16)
            image[field::2, left : left + 16] = 220
        planes = np.concatenate([image.ravel(), np.full(width * height // 2, 128, np.uint8)])
        frame = av.VideoFrame.from_ndarray(planes.reshape(-1, width), format="yuv420p")
        frame.pts, frame.time_base = i, FRAME
        yield frame


def combed(picture):
    """How much rows differ from the mean of those above and below them."""
    y = picture.y.astype(float)
    return float(np.abs(y[1:-1] - (y[:-2] + y[2:]) / 2).mean())


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_interlaced_pictures_are_made_whole_and_it_is_told(tmp_path, suffix, order):
    options = {"flags": "+ildct+ilme", "crf": "8", "g": "8", "bf": "2", "x264-params": f"{order}=1"}
    path = mux(tmp_path / f"i{suffix}", packets(woven(40), options=options))
    media = probe(path, ROOMY)
    found = list(read(cut(media)))

    assert "deinterlaced" in codes(media)
    assert [p.index for p in found] == list(range(40))
    assert [p.pts for p in found] == media.pts.tolist()
    raw = list(read(replace(cut(media), interlaced=False)))
    assert np.mean([combed(p) for p in raw]) > 4 * np.mean([combed(p) for p in found])
    for segment in split(media, 4, 0.2):
        part = list(read(segment))
        stop = segment.first_frame + len(part)
        whole = found[segment.first_frame : stop]
        assert [p.y.tobytes() for p in part] == [p.y.tobytes() for p in whole]


def test_pictures_that_are_not_interlaced_are_left_alone():
    assert not probed("h264").interlaced


@pytest.mark.parametrize("rate", [24, 30, 50, 60, 120])
@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_milliseconds_of_a_container_do_not_change_the_rate(tmp_path, rate, suffix):
    frames = list(pictures(range(60)))
    codec, options = ("libvpx", {}) if suffix == ".webm" else ("libx264", {"bf": "2"})
    path = tmp_path / f"v{suffix}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in frames:
            frame.time_base = Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    media = probe(path, ROOMY)

    assert media.frame_count == 60
    assert media.fps == pytest.approx(rate, rel=2e-3)
    assert media.duration_s == pytest.approx(60 / rate, abs=2e-3)
    assert not media.warnings
