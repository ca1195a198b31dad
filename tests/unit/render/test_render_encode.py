"""One segment drawn and encoded: times, sizes, colors, headers, failures."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given
from hypothesis import strategies as st

from biomech.skeleton import INDEX
from deployments.annotated_video import EncodeOptions
from deployments.errors import MediaError, StorageError
from deployments.render.encode import encode_segment, output_size
from deployments.side_colors import SIDE_RGB
from tests.support.annotated import (
    LOSSLESS_ENOUGH,
    RATE,
    decode,
    grey_picture,
    moving_picture,
    nothing,
    segment_of,
)

SIZE = (320, 240)
TIMES = {
    "25 a second": (range(0, 20), (1, 25)),
    "29.97 a second": (range(1001, 20 * 1001, 1001), (1, 30000)),
    "AVI ticks": (range(0, 20), (1001, 30000)),
    "milliseconds": ([0, 33, 67, 100, 133, 167], (1, 1000)),
    "varying": ([5, 25, 45, 66, 95, 135, 136, 205, 900, 901], (1, 600)),
    "microseconds": ([7_000_000_000 + t for t in (0, 33_333, 33_334, 500_000)], (1, 1_000_000)),
    "one picture": ([90_000], (1, 90_000)),
}


@pytest.mark.parametrize(("pts", "time_base"), TIMES.values(), ids=TIMES)
def test_time_stamps_are_the_sources(tmp_path, pts, time_base):
    segment = segment_of(pts, SIZE, time_base)
    pictures = (grey_picture(i, t, SIZE) for i, t in enumerate(pts))

    encoded = encode_segment(pictures, segment, nothing(len(pts)), tmp_path, LOSSLESS_ENOUGH, RATE)

    with av.open(encoded.path) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        ticks = Fraction(*time_base)
        assert [p.pts * p.time_base for p in packets] == [t * ticks for t in pts]
        assert [p.dts for p in packets] == [p.pts for p in packets]
    assert encoded.frames == len(pts)
    assert set(encoded.timings_s) == {"decode_again", "draw", "encode"}
    assert all(seconds > 0 for seconds in encoded.timings_s.values())


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast", "medium"])
def test_stream_is_playable_everywhere(tmp_path, preset):
    pts = range(60)
    segment = segment_of(pts, (640, 360))
    pictures = (moving_picture(i, t, (640, 360)) for i, t in enumerate(pts))

    encoded = encode_segment(
        pictures, segment, nothing(60), tmp_path, EncodeOptions(preset, 23), RATE
    )

    with av.open(encoded.path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        frames = list(container.decode(stream))
        assert stream.codec.canonical_name == "h264"
        assert context.pix_fmt == "yuv420p"
        assert context.profile in {"High", "Main", "Constrained Baseline"}
        assert level_of(context.extradata) <= 31
        assert (context.colorspace, context.color_range) == (Colorspace.ITU709, ColorRange.MPEG)
        assert (context.color_primaries, context.color_trc) == (1, 1)
    assert not [f for f in frames if f.pict_type == av.video.frame.PictureType.B]
    assert [i for i, f in enumerate(frames) if f.key_frame] == [0, 50]  # every two seconds


def test_pictures_are_encoded_whole_beside_each_other(tmp_path):
    pictures = (grey_picture(i, i, SIZE) for i in range(3))
    encoded = encode_segment(
        pictures, segment_of(range(3), SIZE), nothing(3), tmp_path, EncodeOptions(), RATE
    )
    told = Path(encoded.path).read_bytes()  # x264 writes its settings into the stream
    assert b"threads=4 " in told
    assert b"sliced_threads=0" in told


def level_of(extradata):
    """Ten times the H.264 level, from the sequence parameter set (Annex B)."""
    start = extradata.index(b"\x00\x00\x01\x67") + 4
    return extradata[start + 2]


@pytest.mark.parametrize(
    ("size", "rate", "level"),
    [((640, 360), 30, 30), ((1280, 720), 60, 32), ((1920, 1080), 30, 40), ((1920, 1080), 120, 51)],
)
def test_level_is_of_the_whole_videos_rate(tmp_path, size, rate, level):
    segment = segment_of([0], size)

    encoded = encode_segment(
        iter([grey_picture(0, 0, size)]),
        segment,
        nothing(1),
        tmp_path,
        EncodeOptions(),
        Fraction(rate),
    )

    with av.open(encoded.path) as container:
        assert level_of(container.streams.video[0].codec_context.extradata) == level


@pytest.mark.parametrize(
    "rate", [Fraction(1, 10), Fraction(1, 100_000), Fraction(30_000, 1001), Fraction(240)], ids=str
)
def test_any_rate_of_a_video_can_be_encoded(tmp_path, rate):
    """Of time-lapses, too."""
    pts = [round(i / rate * 1000) for i in range(3)]
    pictures = (moving_picture(i, t, SIZE) for i, t in enumerate(pts))

    encoded = encode_segment(
        pictures, segment_of(pts, SIZE, (1, 1000)), nothing(3), tmp_path, LOSSLESS_ENOUGH, rate
    )

    assert [time * 1000 for time, _ in decode(encoded.path)] == pts


def test_header_is_the_same_whatever_a_segment_holds(tmp_path):
    """Slow, fast, a single picture, another matrix and range, noise."""
    rng = np.random.default_rng(0)
    noise = moving_picture(0, 0, SIZE)
    noisy = rng.integers(0, 255, noise.y.shape, np.uint8)
    kinds = [
        [grey_picture(i, t, SIZE) for i, t in enumerate(range(0, 6000, 600))],
        [grey_picture(i, t, SIZE) for i, t in enumerate(range(20))],
        [grey_picture(0, 9, SIZE)],
        [grey_picture(i, i, SIZE, bt709=False, full_range=True) for i in range(3)],
        [type(noise)(0, 5, noisy, noise.u, noise.v, True, False)],
    ]
    headers = set()
    for index, pictures in enumerate(kinds):
        segment = segment_of([p.pts for p in pictures], SIZE, (1, 600), index=index)
        encoded = encode_segment(
            iter(pictures), segment, nothing(len(pictures)), tmp_path, EncodeOptions(), RATE
        )
        with av.open(encoded.path) as container:
            headers.add(container.streams.video[0].codec_context.extradata)

    assert len(headers) == 1


def test_pictures_are_not_changed_and_drawn_on_by_index(tmp_path):
    """The second of four pictures is missing; the vertical bar is the box of each one's own row."""
    segment = segment_of(range(40, 44), SIZE, first_frame=10)
    overlay = nothing(4, people=1)
    for row in range(4):
        overlay.box[row, 0] = [50 + 50 * row, 60, 300, 230]
    pictures = [grey_picture(i, 30 + i, SIZE) for i in (10, 12, 13, 14)]
    before = [picture.y.copy() for picture in pictures]

    encoded = encode_segment(iter(pictures), segment, overlay, tmp_path, LOSSLESS_ENOUGH, RATE)

    shown = list(decode(encoded.path))
    assert [time * 25 for time, _ in shown] == [40, 42, 43]  # 44 is of the next segment
    assert encoded.frames == 3
    for (_, image), row in zip(shown, (0, 2, 3), strict=True):
        bars = [int(image[150, 50 + 50 * r].min()) for r in range(4)]
        assert [bar > 200 for bar in bars] == [r == row for r in range(4)]
    for picture, old in zip(pictures, before, strict=True):
        np.testing.assert_array_equal(picture.y, old)


@pytest.mark.parametrize("options", [LOSSLESS_ENOUGH, EncodeOptions()], ids=["crf 4", "default"])
@pytest.mark.parametrize(
    ("bt709", "full_range"), [(True, False), (False, False), (False, True)], ids=str
)
def test_sides_have_their_colors_after_decoding(tmp_path, options, bt709, full_range):
    size = (640, 480)
    overlay = nothing(2, people=1)
    overlay.score[:] = 1
    for side, x in (("left", 480), ("right", 160)):
        for joint, y in (("hip", 120), ("knee", 260), ("ankle", 420)):
            overlay.keypoints[:, 0, INDEX[f"{side}_{joint}"]] = x, y
    pictures = (grey_picture(i, i, size, 60, bt709=bt709, full_range=full_range) for i in range(2))

    encoded = encode_segment(pictures, segment_of(range(2), size), overlay, tmp_path, options, RATE)

    for _, image in decode(encoded.path):
        for x, rgb in ((480, SIDE_RGB["left"]), (160, SIDE_RGB["right"])):
            assert np.abs(image[340, x].astype(int) - rgb).max() <= 32
        grey = image[300, 320].astype(int)
        expected = 60 if full_range else (60 - 16) * 255 / 219
        assert np.abs(grey - expected).max() <= 3


@pytest.mark.parametrize("size", [(321, 241), (320, 241), (321, 240), (1, 1), (2, 3), (17, 255)])
def test_odd_sizes_gain_a_row_or_column(tmp_path, size):
    pictures = [moving_picture(i, i, size) for i in range(3)]

    encoded = encode_segment(
        iter(pictures), segment_of(range(3), size), nothing(3), tmp_path, LOSSLESS_ENOUGH, RATE
    )

    with av.open(encoded.path) as container:
        for frame, picture in zip(container.decode(video=0), pictures, strict=True):
            assert (frame.width, frame.height) == tuple(n + n % 2 for n in size)
            y = frame.to_ndarray()[: frame.height].astype(int)
            padded = np.pad(picture.y, [(0, n % 2) for n in size[::-1]], mode="edge")
            assert np.abs(y - padded).mean() < 4


def test_scaled_down_with_its_overlay(tmp_path):
    size = (641, 481)
    overlay = nothing(1, people=1)
    overlay.box[0, 0] = [160, 120, 480, 360]

    encoded = encode_segment(
        iter([grey_picture(0, 0, size)]),
        segment_of([0], size),
        overlay,
        tmp_path,
        EncodeOptions(crf=4, max_height=241),
        RATE,
    )

    ((_, image),) = decode(encoded.path)
    assert image.shape == (240, 320, 3)
    bright = image.min(axis=-1) > 180
    assert abs(np.argmax(bright[150]) - 80) <= 1
    assert abs(np.argmax(bright[:, 200]) - 60) <= 1


@given(
    width=st.integers(1, 8192), height=st.integers(1, 8192), limit=st.none() | st.integers(2, 9000)
)
def test_output_size_is_even_and_keeps_the_shape(width, height, limit):
    new_width, new_height = output_size(width, height, limit)

    assert new_width % 2 == new_height % 2 == 0
    assert min(new_width, new_height) >= 2
    if limit is None or height <= limit:
        assert (new_width - width, new_height - height) == (width % 2, height % 2)
    else:
        assert limit - 1 <= new_height <= limit
        assert new_width == 2 or abs(new_width - width * new_height / height) <= 1


def test_no_pictures_no_frames(tmp_path):
    encoded = encode_segment(
        iter([]), segment_of(range(3), SIZE), nothing(3), tmp_path, EncodeOptions(), RATE
    )

    assert encoded.frames == 0


def test_full_disk_is_a_storage_error_that_may_pass(tmp_path):
    (tmp_path / "segment-00000.nut").symlink_to("/dev/full")
    pictures = (moving_picture(i, i, SIZE) for i in range(30))

    with pytest.raises(StorageError, match="No space left on device") as caught:
        encode_segment(
            pictures, segment_of(range(30), SIZE), nothing(30), tmp_path, EncodeOptions(), RATE
        )

    assert caught.value.retryable
    assert str(tmp_path) not in caught.value.detail


def test_missing_folder_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        encode_segment(
            iter([grey_picture(0, 0, SIZE)]),
            segment_of([0], SIZE),
            nothing(1),
            tmp_path / "absent",
            EncodeOptions(),
            RATE,
        )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_refused_settings_are_not_worth_a_retry(tmp_path):
    with pytest.raises(StorageError) as caught:
        encode_segment(
            iter([grey_picture(0, 0, SIZE)]),
            segment_of([0], SIZE),
            nothing(1),
            tmp_path,
            EncodeOptions(preset="breakneck"),
            RATE,
        )

    assert not caught.value.retryable


def test_errors_of_the_source_are_its_own(tmp_path):
    def pictures():
        yield grey_picture(0, 0, SIZE)
        raise MediaError("pictures in this format cannot be converted")

    with pytest.raises(MediaError):
        encode_segment(
            pictures(), segment_of(range(3), SIZE), nothing(3), tmp_path, EncodeOptions(), RATE
        )
