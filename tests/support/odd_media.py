"""Videos as real recorders and tools write them, against the rules: written by PyAV."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.corpus_recipe import tone
from tests.support.numbered_pictures import numbered

FRAME = Fraction(1, 30)
B_FRAMES = {"bf": "3", "g": "30", "crf": "8", "preset": "veryfast", "x264-params": "b-adapt=0"}


def pictures(numbers: Sequence[int], size: tuple[int, int] = (96, 64)) -> Iterator[av.VideoFrame]:
    """Frames that show the numbers, a thirtieth of a second each."""
    for i, number in enumerate(numbers):
        frame = av.VideoFrame.from_ndarray(numbered(number, *size), format="bgr24")
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = i, FRAME
        yield frame


def packets(
    frames: Sequence[av.VideoFrame] | Iterator[av.VideoFrame],
    codec: str = "libx264",
    options: dict[str, str] = B_FRAMES,
    size: tuple[int, int] = (96, 64),
) -> list[av.Packet]:
    """Encode frames, without a container."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", FRAME, 1 / FRAME
    context.options, context.thread_count = options, 1
    made = [packet for frame in frames for packet in context.encode(frame)]
    return made + context.encode(None)


def mux(
    path: Path,
    parts: Sequence[av.Packet],
    times: Sequence[int] | None = None,
    codec: str = "libx264",
    size: tuple[int, int] = (96, 64),
    **options: str,
) -> Path:
    """Write packets into a file, with ``times`` of decoding and showing instead of their own."""
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = FRAME
        for i, packet in enumerate(parts):
            packet.stream, packet.time_base = stream, FRAME
            if times is not None:
                packet.pts = packet.dts = times[i]
            out.mux(packet)
    return path


def with_sound(path: Path, count: int = 60, ticks_a_second: int = 30) -> Path:
    """H.264 with B-frames, and PCM."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30, options=B_FRAMES)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, ticks_a_second)
        sound = out.add_stream("pcm_s16le", rate=48000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 48000)
        for frame in pictures(range(count)):
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for wave in tone(count / 30):
            for frame in resampler.resample(wave):
                out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return path


def with_preview(path: Path, *, marked: bool, size: tuple[int, int] = (96, 64)) -> Path:
    """A small MJPEG preview in front of the film, which is ``marked`` as default."""
    with av.open(str(path), "w") as out:
        preview = out.add_stream("mjpeg", rate=30)
        preview.width, preview.height, preview.pix_fmt = 48, 32, "yuvj420p"
        film = out.add_stream("libx264", rate=30, options={"crf": "8"})
        film.width, film.height, film.pix_fmt = *size, "yuv420p"
        if marked:
            preview.disposition = av.stream.Disposition(0)
            film.disposition = av.stream.Disposition.default
        small = np.full((32, 48, 3), 90, np.uint8)
        for i, frame in enumerate(pictures(range(20), size)):
            icon = av.VideoFrame.from_ndarray(small, format="bgr24").reformat(format="yuvj420p")
            icon.pts, icon.time_base = i, FRAME
            out.mux(preview.encode(icon))
            out.mux(film.encode(frame))
        out.mux(preview.encode(None))
        out.mux(film.encode(None))
    return path


def grainy(count: int, size: tuple[int, int] = (320, 240)) -> list[av.VideoFrame]:
    """Numbered pictures with noise, whose packets are long enough to be damaged."""
    noise = np.random.default_rng(7)
    made = []
    for frame in pictures(range(count), size):
        image = frame.to_ndarray(format="bgr24") + noise.normal(0, 10, (size[1], size[0], 3))
        image = np.clip(image, 0, 255).astype(np.uint8)
        new = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        new.pts, new.time_base = frame.pts, frame.time_base
        made.append(new)
    return made


def with_noise(path: Path, out: Path, *shares: float, length: int = 12000) -> Path:
    """A copy with random bytes at these shares of its media data."""
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 8
    end = data.rindex(b"moov") - 4
    for share in shares:
        at = start + int(share * (end - start))
        data[at : at + length] = np.random.default_rng(3).bytes(length)
    out.write_bytes(data)
    return out
