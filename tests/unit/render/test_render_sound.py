"""The source's sound in the annotated video: of any kind, in time with the pictures."""

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from deployments.annotated_video import EncodeOptions
from deployments.decode.probe import probe
from deployments.decode.segments import split
from deployments.errors import StorageError
from deployments.media_choice import MediaOptions
from deployments.render import join as join_module
from deployments.render.join import join
from deployments.render.render import join_and_store, render_segment
from deployments.render.storage import LocalStore
from tests.support.annotated import nothing
from tests.support.corpus import ROOMY, cut, probed

RATE = 48_000
FINE = EncodeOptions(preset="ultrafast", crf=20)
COPIED = ["aac", "longer_aac", "mp3", "opus_webm", "mkv"]
ENCODED = {"vorbis_webm": "aac", "pcm_mov": "aac"}


def annotated(media, folder):
    part = render_segment(cut(media), nothing(media.frame_count), folder, FINE)
    join([part], media, folder / "annotated.mp4")
    return folder / "annotated.mp4"


def packets(path):
    """Seconds and bytes of every packet of sound."""
    with av.open(str(path)) as container:
        return [
            (p.pts * p.time_base, bytes(p))
            for p in container.demux(audio=0)
            if p.size and p.pts is not None
        ]


def heard(path, seconds=4.0):
    """The first channel at 48 kHz, by the time stamps, from time 0 on."""
    sound = np.zeros(int(seconds * RATE), np.float32)
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            for out in resampler.resample(frame):
                at = round(out.pts * out.time_base * RATE)
                samples = out.to_ndarray()[0][max(-at, 0) :]
                at = max(at, 0)
                sound[at : at + len(samples)] = samples[: len(sound) - at]
    return sound


def clicks(sound):
    """Seconds at which bursts begin: loud after at least 0.1 s of near silence."""
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    return [loud[0] / RATE, *(b / RATE for a, b in pairwise(loud) if b - a > RATE / 10)]


def with_clicks(
    path,
    clicks_s,
    *,
    codec="aac",
    start_s=0.0,
    sound_start_s=0.0,
    rate=RATE,
    layout="mono",
    missing_s=(99, 99),
    sound_s=2.5,
):
    """A grey video of 25 pictures a second from ``start_s`` on, with bursts at these times.

    The time of the first sample is ``sound_start_s``; ``missing_s`` is a stretch without sound.
    """
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.time_base = 64, 48, Fraction(1, 12800)
        sound = out.add_stream(codec, rate=rate, layout=layout)
        for i in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), "bgr24")
            frame.pts, frame.time_base = round(start_s * 12800) + 512 * i, Fraction(1, 12800)
            out.mux(stream.encode(frame.reformat(format="yuv420p")))
        out.mux(stream.encode(None))
        wave = np.zeros(int(sound_s * rate), np.float32)
        for click in clicks_s:
            at = round((click - sound_start_s) * rate)
            wave[at : at + rate // 50] = 0.8 * np.sin(np.arange(rate // 50) * 0.5)
        channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
        for at in range(0, len(wave), 1024):
            block = np.repeat(wave[None, at : at + 1024], channels, axis=0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", layout)
            frame.sample_rate, frame.pts = rate, at + round(sound_start_s * rate)
            frame.time_base = Fraction(1, rate)
            packets = sound.encode(frame)
            if not missing_s[0] <= frame.pts / rate < missing_s[1]:
                out.mux(packets)
        out.mux(sound.encode(None))
    return probe(path, ROOMY)


@pytest.mark.parametrize("name", COPIED)
def test_sound_that_mp4_holds_is_kept_byte_by_byte(tmp_path, name):
    media = probed(name)

    path = annotated(media, tmp_path)

    before, after = packets(media.path), packets(path)
    assert [data for _, data in after] == [data for _, data in before]
    # A Matroska file counts in milliseconds.
    assert [float(t) for t, _ in after] == pytest.approx([float(t) for t, _ in before], abs=1.1e-3)
    assert probe(path, ROOMY).audio_codec == media.audio_codec


@pytest.mark.parametrize("name", ENCODED)
def test_other_sound_is_encoded_anew(tmp_path, name):
    media = probed(name)

    path = annotated(media, tmp_path)

    assert probe(path, ROOMY).audio_codec == ENCODED[name]
    before, after = heard(media.path), heard(path)
    end = int(0.7 * RATE)
    assert np.abs(after[:end]).max() > 0.1
    assert np.corrcoef(before[2048:end], after[2048:end])[0, 1] > 0.99


@pytest.mark.parametrize("name", ["h264", "cover", "vp9"])
def test_a_video_without_sound_stays_silent(tmp_path, name):
    with av.open(str(annotated(probed(name), tmp_path))) as container:
        assert len(container.streams) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus", "flac", "pcm_s16le"])
def test_sound_is_in_time_with_the_pictures(tmp_path, codec, suffix):
    suffix = ".mov" if (codec, suffix) == ("pcm_s16le", ".mp4") else suffix
    media = with_clicks(tmp_path / f"source{suffix}", [0.5, 1.2, 1.9], codec=codec)

    path = annotated(media, tmp_path)

    assert clicks(heard(path)) == pytest.approx([0.5, 1.2, 1.9], abs=4e-3)


@pytest.mark.parametrize(
    ("start_s", "sound_start_s", "clicks_s", "expected"),
    [
        pytest.param(1.0, 1.0, [1.5, 2.2], [0.5, 1.2], id="both later"),
        pytest.param(0.4, 0.0, [0.2, 0.9, 1.7], [0.5, 1.3], id="sound before the pictures"),
        pytest.param(0.0, 0.3, [0.6, 1.3], [0.6, 1.3], id="sound after the first picture"),
        pytest.param(2.0, 2.4, [2.6, 3.1], [0.6, 1.1], id="both later, sound last"),
    ],
)
@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_moves_with_the_first_picture(
    tmp_path, codec, start_s, sound_start_s, clicks_s, expected
):
    path = tmp_path / ("source.mkv" if codec == "aac" else "source.mov")
    media = with_clicks(path, clicks_s, codec=codec, start_s=start_s, sound_start_s=sound_start_s)

    found = clicks(heard(annotated(media, tmp_path)))

    assert found == pytest.approx(expected, abs=4e-3)


@pytest.mark.parametrize(
    ("rate", "layout"), [(8000, "mono"), (44_100, "stereo"), (96_000, "5.1"), (37_800, "stereo")]
)
def test_sound_of_any_rate_and_number_of_channels(tmp_path, rate, layout):
    media = with_clicks(
        tmp_path / "source.mkv", [0.5, 1.2], codec="pcm_s16le", rate=rate, layout=layout
    )

    path = annotated(media, tmp_path)

    with av.open(str(path)) as container:
        context = container.streams.audio[0].codec_context
        assert context.name == "aac"
        assert context.layout.name == ("mono" if layout == "mono" else "stereo")
        assert context.sample_rate == (48_000 if rate == 37_800 else rate)
    assert clicks(heard(path)) == pytest.approx([0.5, 1.2], abs=5e-3)


def test_sound_longer_than_the_pictures_is_kept(tmp_path):
    media = probed("longer_aac")

    path = annotated(media, tmp_path)

    with av.open(str(path)) as container:
        assert container.streams.audio[0].duration * container.streams.audio[0].time_base > 2.9
        assert container.streams.video[0].duration * container.streams.video[
            0
        ].time_base == pytest.approx(0.8)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_ends_a_minute_after_the_pictures(tmp_path, codec):
    """A small file can hold hours of silence."""
    media = with_clicks(tmp_path / "source.mkv", [0.5], codec=codec, rate=8000, sound_s=70)

    path = annotated(media, tmp_path)

    assert packets(path)[-1][0] == pytest.approx(1.96 + 60, abs=0.2)


@pytest.mark.parametrize("rate", [1, 3999, 800_000, 968_407_936])
def test_sound_of_an_absurd_rate_is_left_out(tmp_path, rate):
    """To resample it would take gigabytes."""
    media = with_clicks(tmp_path / "source.mkv", [0.5], codec="pcm_s16le")
    data = Path(media.path).read_bytes()
    old, new = (b"\xb5\x88" + struct.pack(">d", hertz) for hertz in (RATE, rate))
    assert data.count(old) == 1
    Path(media.path).write_bytes(data.replace(old, new))

    path = annotated(media, tmp_path)

    assert probe(path, ROOMY).audio_codec is None
    assert probe(path, ROOMY).frame_count == 50


@pytest.mark.parametrize(("kept", "codes"), [(True, []), (False, ["sound_left_out"])])
def test_sound_that_is_left_out_is_told_of(tmp_path, monkeypatch, kept, codes):
    media = with_clicks(tmp_path / "source.mkv", [0.5], codec="pcm_s16le")
    if not kept:
        monkeypatch.setattr(join_module, "ways_to_add", lambda _: ())
    part = render_segment(cut(media), nothing(media.frame_count), tmp_path, FINE)
    (tmp_path / "store").mkdir()

    stored = join_and_store([part], media, tmp_path, "a.mp4", LocalStore(tmp_path / "store", "x"))

    assert [code for code, _ in stored.warnings] == codes


def test_pictures_and_sound_are_stored_side_by_side(tmp_path):
    """A player needs no seeking: at no place of the file one is far ahead of the other."""
    path = annotated(with_clicks(tmp_path / "source.mkv", [1]), tmp_path)

    with av.open(str(path)) as container:
        order = [
            (float(p.pts * p.time_base), p.stream.type)
            for p in sorted((p for p in container.demux() if p.size), key=lambda p: p.pos)
        ]
    latest = {"video": 0.0, "audio": 0.0}
    for seconds, kind in order:
        latest[kind] = seconds
        if seconds < 1.9:
            assert abs(latest["video"] - latest["audio"]) < 0.6


@pytest.mark.parametrize("name", ["aac", "vorbis_webm", "pcm_mov"])
def test_damaged_sound_is_kept_as_far_as_it_goes(tmp_path, name):
    media = probed(name)
    data = bytearray(Path(media.path).read_bytes())
    with av.open(media.path) as container:
        for packet in list(container.demux(audio=0))[10:14]:
            inner = slice(packet.pos + 8, packet.pos + packet.size - 4)
            data[inner] = bytes(inner.stop - inner.start)
    damaged = tmp_path / f"damaged{Path(media.path).suffix}"
    damaged.write_bytes(data)
    media = probe(damaged, ROOMY)

    path = annotated(media, tmp_path)

    assert probe(path, ROOMY).frame_count == media.frame_count
    assert probe(path, ROOMY).audio_codec == "aac"


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_a_gap_in_the_sound_stays_a_gap(tmp_path, codec):
    media = with_clicks(tmp_path / "source.mkv", [0.5, 1.0, 1.9], codec=codec, missing_s=(0.8, 1.5))

    found = clicks(heard(annotated(media, tmp_path)))

    assert found == pytest.approx([0.5, 1.9], abs=5e-3)


def test_sound_that_no_way_brings_over_is_left_out(tmp_path, monkeypatch, caplog):
    def refuses(source, stream, since_s, target):
        raise StorageError("the muxer refuses it", retryable=False)
        yield

    monkeypatch.setattr(join_module, "ways_to_add", lambda stream: (refuses, refuses))

    path = annotated(probed("aac"), tmp_path)

    assert probe(path, ROOMY).audio_codec is None
    assert probe(path, ROOMY).frame_count == 20
    assert "left out" in caplog.text


def test_a_full_disk_is_not_blamed_on_the_sound(tmp_path):
    media = probed("longer_aac")
    part = render_segment(cut(media), nothing(20), tmp_path, FINE)
    (tmp_path / "annotated.mp4").symlink_to("/dev/full")

    with pytest.raises(StorageError) as caught:
        join([part], media, tmp_path / "annotated.mp4")

    assert caught.value.retryable


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
@pytest.mark.parametrize("start_s", [0.0, 5.0])
def test_the_sound_of_a_part_is_in_time_and_ends_with_it(tmp_path, codec, start_s):
    """Copied or encoded; those of other parts are not heard."""
    moments = [start_s + t for t in (0.3, 0.9, 1.1, 1.7)]
    path = tmp_path / "source.mkv"
    with_clicks(path, moments, codec=codec, start_s=start_s, sound_start_s=start_s)
    media = probe(path, ROOMY, options=MediaOptions(0.8, 1.4))

    segments = split(media, 4)
    parts = [render_segment(s, nothing(len(s.pts)), tmp_path, FINE) for s in segments]
    assert join(parts, media, tmp_path / "annotated.mp4")

    sound = heard(tmp_path / "annotated.mp4")
    assert clicks(sound) == pytest.approx([0.1, 0.3], abs=0.01)
    assert not np.abs(sound[round(0.65 * RATE) :]).max() > 0.05
