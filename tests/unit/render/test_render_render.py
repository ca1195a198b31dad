"""Videos drawn segment by segment and joined: every picture at its time, the right way up."""

import struct
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from deployments.annotated_video import EncodedSegment, EncodeOptions
from deployments.decode.probe import probe
from deployments.errors import MediaError, NoFramesError, StorageError
from deployments.media import hardware
from deployments.media.open import open_media
from deployments.render.join import join
from deployments.render.render import join_and_store, render_segment
from deployments.render.storage import LocalStore
from tests.support.annotated import decode, nothing
from tests.support.corpus import ROOMY, VIDEOS, cut, probed, video
from tests.support.corpus_recipe import Recipe, write
from tests.support.numbered_pictures import is_upright, number_of

FINE = EncodeOptions(preset="ultrafast", crf=8)


def rendered(media, starts, folder, options=FINE, overlay=None):
    """The annotated video, drawn in segments that start at these frames."""
    stops = [*starts[1:], media.frame_count]
    overlay = overlay or nothing(media.frame_count)
    parts = []
    for index, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        rows = replace(
            overlay,
            **{
                name: getattr(overlay, name)[start:stop]
                for name in ("keypoints", "score", "box", "angles_deg")
            },
        )
        parts.append(render_segment(cut(media, start, stop, index), rows, folder, options))
    # They may come in any order.
    join(parts[::-1], media, folder / "annotated.mp4")
    return folder / "annotated.mp4"


def boxes_of(path):
    """Kinds of the top-level boxes, in order."""
    data, at, kinds = path.read_bytes(), 0, []
    while at < len(data):
        kinds.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    return kinds


@pytest.mark.parametrize("name", VIDEOS)
def test_annotated_video_shows_every_picture_upright_at_its_time(tmp_path, name):
    source, media = video(name), probed(name)
    starts = [0, 5, 11] if media.frame_count > 11 else [0]

    path = rendered(media, starts, tmp_path)

    shown = list(decode(path))
    assert [time for time, _ in shown] == list(source.pts_s)
    images = [rgb[..., ::-1] for _, rgb in shown]
    assert {image.shape[:2] for image in images} == {
        (source.height + source.height % 2, source.width + source.width % 2)
    }
    assert tuple(map(number_of, images)) == source.numbers
    assert all(is_upright(image, source.corner) for image in images)


@pytest.mark.skipif(hardware.has_encoder(), reason="there is a GPU that encodes H.264 here")
def test_what_a_gpu_cannot_encode_is_encoded_by_x264(tmp_path, monkeypatch):
    media = probed("h264")
    software = render_segment(cut(media), nothing(media.frame_count), tmp_path, FINE)
    expected = (tmp_path / software.path).read_bytes()
    monkeypatch.setattr(hardware, "has_encoder", lambda: True)

    part = render_segment(
        cut(media), nothing(media.frame_count), tmp_path, replace(FINE, in_hardware=True)
    )

    assert (part.encoder, part.frames) == ("libx264", media.frame_count)
    assert (tmp_path / part.path).read_bytes() == expected


@pytest.mark.skipif(not hardware.has_encoder(), reason="there is no GPU that encodes H.264 here")
def test_a_gpu_encodes_segments_that_can_be_joined(tmp_path):
    source, media = video("h264"), probed("h264")

    path = rendered(media, [0, 8], tmp_path, replace(FINE, in_hardware=True))

    shown = list(decode(path))
    assert [time for time, _ in shown] == list(source.pts_s)
    assert tuple(number_of(rgb[..., ::-1]) for _, rgb in shown) == source.numbers


@pytest.mark.parametrize("name", ["h264", "vp9_odd", "ten_bit", "mkv", "h264_avi", "fragmented"])
def test_annotated_video_plays_everywhere_while_it_loads(tmp_path, name):
    path = rendered(probed(name), [0, 8], tmp_path)

    kinds = boxes_of(path)
    assert kinds[0] == b"ftyp"
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert b"moof" not in kinds
    with open_media(path, trial="none") as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (Colorspace.ITU709, ColorRange.MPEG)
        assert (context.color_primaries, context.color_trc) == (1, 1)
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        assert stream.codec.canonical_name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.start_time == 0
        frame = next(container.decode(stream))
        assert frame.rotation == 0


@pytest.mark.parametrize("name", ["h264", "variable", "late_start", "vp9"])
def test_ten_segments_give_the_video_of_one(tmp_path, name):
    media = probed(name)
    (tmp_path / "one").mkdir()
    (tmp_path / "ten").mkdir()
    starts = np.linspace(0, media.frame_count, 10, endpoint=False).astype(int).tolist()

    one = list(decode(rendered(media, [0], tmp_path / "one")))
    ten = list(decode(rendered(media, starts, tmp_path / "ten")))

    assert [time for time, _ in ten] == [time for time, _ in one]
    for (_, a), (_, b) in zip(one, ten, strict=True):
        assert np.abs(a.astype(int) - b).mean() < 1.5


def test_what_is_drawn_does_not_depend_on_the_segments(tmp_path):
    """The box of each frame is at its own place."""
    media = probed("h264")
    overlay = nothing(20, people=1)
    for i in range(20):
        overlay.box[i, 0] = [20 + 3 * i, 20, 94, 30]

    for folder, starts in (("one", [0]), ("many", [0, 3, 4, 13])):
        (tmp_path / folder).mkdir()
        path = rendered(media, starts, tmp_path / folder, overlay=overlay)
        for i, (_, rgb) in enumerate(decode(path)):
            edge = rgb[25].min(axis=1).astype(int)
            assert abs(int(np.argmax(edge[: 20 + 3 * i + 8])) - (20 + 3 * i)) <= 1


def test_frames_that_do_not_decode_are_missing(tmp_path):
    """The picture before is shown for longer; one that is missing at the start shortens nothing."""
    data = bytearray(video("prores_mov").path.read_bytes())
    with av.open(str(video("prores_mov").path)) as container:
        for lost in (0, 3, 4, 7):
            entry = container.streams.video[0].index_entries[lost]
            data[entry.pos : entry.pos + entry.size] = bytes(entry.size)
    path = tmp_path / "damaged.mov"
    path.write_bytes(data)
    media = replace(probed("prores_mov"), path=str(path))

    shown = list(decode(rendered(media, [0, 3, 5], tmp_path)))

    assert [number_of(rgb[..., ::-1]) for _, rgb in shown] == [1, 2, 5, 6]
    assert [time for time, _ in shown] == [n * Fraction(512, 12800) for n in (1, 2, 5, 6)]


def test_segments_without_pictures_are_passed_over(tmp_path):
    media = probed("h264")
    first = render_segment(cut(media, 0, 8), nothing(8), tmp_path, FINE)
    empty = replace(first, path=str(tmp_path / "never read"), index=1, frames=0)
    last = render_segment(cut(media, 16, 20, 2), nothing(4), tmp_path, FINE)

    join([first, empty, last], media, tmp_path / "annotated.mp4")

    shown = list(decode(tmp_path / "annotated.mp4"))
    assert [number_of(rgb[..., ::-1]) for _, rgb in shown] == [*range(8), *range(16, 20)]


def test_without_any_picture_there_is_no_video(tmp_path):
    media = probed("h264")
    parts = [EncodedSegment("never read", i, 0) for i in range(3)]

    with pytest.raises(NoFramesError):
        join(parts, media, tmp_path / "annotated.mp4")

    assert not (tmp_path / "annotated.mp4").exists()


def test_segments_that_do_not_fit_together_are_refused(tmp_path):
    """Of another size, as after a change of the settings between two tries."""
    media = probed("h264")
    parts = [
        render_segment(cut(media, a, b, i), nothing(b - a), tmp_path, replace(FINE, max_height=h))
        for i, (a, b, h) in enumerate([(0, 8, 32), (8, 20, 48)])
    ]

    with pytest.raises(StorageError, match="different headers") as caught:
        join(parts, media, tmp_path / "annotated.mp4")

    assert not caught.value.retryable


def in_nanoseconds(data):
    """A video with 16000 ticks a second and three seconds from picture to picture."""
    for old, new in ((16_000, 10**9), (48_000, 3 * 10**9)):
        assert data.count(struct.pack(">I", old)) >= 1
        data = data.replace(struct.pack(">I", old), struct.pack(">I", new))
    return data


@pytest.mark.parametrize(
    ("ticks", "per_s", "patch"),
    [
        ((0, 48_000, 96_000), 16_000, in_nanoseconds),
        ((0, 600 * 10**6, 1800 * 10**6), 10**6, None),
        ((0, 16_000 * 1000, 16_000 * 3000), 16_000, None),
    ],
    ids=["nanoseconds", "microseconds", "an hour"],
)
def test_pictures_far_apart_keep_their_times(tmp_path, ticks, per_s, patch):
    """MP4 has 31 bits for the ticks from one picture to the next, as FFmpeg writes it."""
    write(
        tmp_path / "source.mp4",
        Recipe(
            options={"g": "1", "bf": "0"}, ticks=ticks, time_base=Fraction(1, per_s), patch=patch
        ),
    )
    media = probe(tmp_path / "source.mp4", replace(ROOMY, max_duration_s=10_000))
    assert media.time_base == (1, 10**9 if patch else per_s)

    shown = list(decode(rendered(media, [0, 1], tmp_path)))

    assert [time for time, _ in shown] == [Fraction(t, per_s) for t in ticks]
    assert [number_of(rgb[..., ::-1]) for _, rgb in shown] == [0, 1, 2]


def test_smaller_output_keeps_the_shape(tmp_path):
    media = probed("rotated_90")

    path = rendered(media, [0], tmp_path, EncodeOptions(preset="ultrafast", crf=8, max_height=48))

    for i, (_, rgb) in enumerate(decode(path)):
        assert rgb.shape == (48, 32, 3)
        assert number_of(rgb[..., ::-1]) == i


def test_a_source_that_cannot_be_read_is_an_error_of_the_source(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    segment = replace(cut(probed("h264")), path=str(tmp_path / "text.mp4"))

    with pytest.raises(MediaError):
        render_segment(segment, nothing(20), tmp_path, FINE)

    assert not list(tmp_path.glob("segment-*"))


def test_nothing_stays_open(tmp_path, open_files):
    rendered(probed("aac"), [0, 8], tmp_path)

    assert open_files() == []


def test_stored_video_is_the_joined_one(tmp_path):
    media = probed("h264")
    (tmp_path / "work").mkdir()
    parts = [render_segment(cut(media), nothing(20), tmp_path / "work", FINE)]
    (tmp_path / "stored").mkdir()
    store = LocalStore(tmp_path / "stored", "https://example.test")

    stored = join_and_store(parts, media, tmp_path / "work", "key.mp4", store)

    (kept,) = (tmp_path / "stored").rglob("*.mp4")
    assert stored.size_bytes == kept.stat().st_size
    assert len(list(decode(kept))) == 20
