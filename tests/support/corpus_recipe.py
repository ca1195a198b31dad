"""How a small video is written, by PyAV."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from tests.support.numbered_pictures import numbered

_TAGS = {Colorspace.ITU709: 1, Colorspace.ITU601: 6, Colorspace.BT2020: 9}


@dataclass(frozen=True)
class Recipe:
    """One video of numbered pictures.

    Attributes:
        size: (width, height) of the stored picture. ticks: PTS of the pictures, in ``time_base``.
        options: of the encoder. mux: of the container.
        rotation_deg: clockwise turn that makes the stored picture upright. mirrored: after it.
        color_tags: primaries and transfer function by their numbers (ITU-T H.273).
        tagged: whether the stream names its matrix.
        audio: encoder of a tone of ``audio_s`` seconds.
        second_size: of the pictures in the second half.
        patch: what is done to the bytes of the file.

    What is to be read from it, where it is not what was written:
        hidden: so many pictures at the start are only there to be decoded.
        quantum: times are whole multiples of it.
        codec_name, audio_name: of the streams.
        warnings: codes.
    """

    codec: str = "libx264"
    suffix: str = ".mp4"
    size: tuple[int, int] = (96, 64)
    pix_fmt: str = "yuv420p"
    ticks: Sequence[int] = range(0, 20 * 512, 512)
    time_base: Fraction = Fraction(1, 12800)
    options: dict[str, str] = field(default_factory=dict)
    mux: dict[str, str] = field(default_factory=dict)
    rotation_deg: int = 0
    mirrored: bool = False
    sample_aspect: Fraction | None = None
    aspect_in_container: bool = True
    colorspace: Colorspace = Colorspace.ITU709
    full_range: bool = False
    color_tags: tuple[int, int] | None = None
    tagged: bool = True
    audio: str | None = None
    audio_s: float = 0.8
    cover: bool = False
    title: str = ""
    second_size: tuple[int, int] | None = None
    patch: Callable[[bytes], bytes] | None = None

    hidden: int = 0
    quantum: Fraction | None = None
    codec_name: str = "h264"
    audio_name: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def turns(self) -> int:
        """Clockwise quarter turns that make the stored picture upright."""
        return 0 if self.rotation_deg % 90 else self.rotation_deg // 90

    def upright(self, size: tuple[int, int]) -> tuple[int, int]:
        """A stored (width, height) as it is seen."""
        return size if self.turns % 2 == 0 else size[::-1]


def write(path: Path, recipe: Recipe) -> None:
    """Write the video, with PyAV."""
    with av.open(str(path), "w", options=recipe.mux) as out:
        if recipe.title:
            out.metadata["title"] = recipe.title
        cover = _add_cover(out) if recipe.cover else None
        stream = _add_video(out, recipe)
        sound = _add_audio(out, recipe) if recipe.audio else None
        packets = _encode(stream.codec_context, recipe)
        if cover:
            out.mux(_cover_packet(cover))
        for packet in packets:
            packet.stream = stream
            out.mux(packet)
        if sound:
            for frame in tone(recipe.audio_s):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    if recipe.patch:
        path.write_bytes(recipe.patch(path.read_bytes()))


def tone(seconds: float, rate: int = 48000) -> Iterator[av.AudioFrame]:
    """Frames of a 440 Hz tone."""
    step = 1024
    for start in range(0, int(seconds * rate), step):
        wave = 0.2 * np.sin(2 * np.pi * 440 * np.arange(start, start + step) / rate)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = rate, start
        yield frame


def _add_video(out, recipe: Recipe):
    stream = out.add_stream(recipe.codec, rate=Fraction(25), options=recipe.options)
    _configure(stream.codec_context, recipe, recipe.size)
    stream.time_base = recipe.time_base
    if recipe.rotation_deg or recipe.mirrored:
        stream.set_display_rotation(-recipe.rotation_deg, hflip=recipe.mirrored)
    return stream


def _add_audio(out, recipe: Recipe):
    # FFmpeg's own Vorbis encoder is experimental, and knows stereo only.
    own = recipe.audio == "vorbis"
    options = {"strict": "experimental"} if own else {}
    layout = "stereo" if own else "mono"
    return out.add_stream(recipe.audio, rate=48000, layout=layout, options=options)


def _configure(context, recipe: Recipe, size: tuple[int, int]) -> None:
    context.width, context.height = size
    context.pix_fmt = recipe.pix_fmt
    context.time_base = recipe.time_base
    context.thread_count = 1
    if recipe.tagged:
        context.colorspace = _TAGS[recipe.colorspace]
        context.color_range = ColorRange.JPEG if recipe.full_range else ColorRange.MPEG
    if recipe.color_tags:
        context.color_primaries, context.color_trc = recipe.color_tags
    if recipe.sample_aspect and recipe.aspect_in_container:
        context.sample_aspect_ratio = recipe.sample_aspect


def _encode(context, recipe: Recipe) -> list:
    numbers = range(len(recipe.ticks))
    if recipe.second_size is None:
        return _encode_at(context, recipe, numbers, recipe.size)
    second = av.CodecContext.create(recipe.codec, "w")
    second.options = dict(recipe.options)
    second.framerate = Fraction(25)
    _configure(second, recipe, recipe.second_size)
    half = len(numbers) // 2
    return [
        *_encode_at(context, recipe, numbers[:half], recipe.size),
        *_encode_at(second, recipe, numbers[half:], recipe.second_size),
    ]


def _encode_at(context, recipe: Recipe, numbers: range, size: tuple[int, int]) -> list:
    packets = []
    for number in numbers:
        packets += context.encode(_stored(recipe, number, size))
    return packets + context.encode(None)


def _stored(recipe: Recipe, number: int, size: tuple[int, int]) -> av.VideoFrame:
    """A picture as it is stored: turned back, in the recipe's pixel format."""
    image = np.ascontiguousarray(np.rot90(numbered(number, *recipe.upright(size)), recipe.turns))
    frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
        format=recipe.pix_fmt,
        dst_colorspace=recipe.colorspace,
        dst_color_range=ColorRange.JPEG if recipe.full_range else ColorRange.MPEG,
    )
    frame.pts, frame.time_base = recipe.ticks[number], recipe.time_base
    return frame


def _add_cover(out):
    stream = out.add_stream("mjpeg", rate=1)
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    return stream


def _cover_packet(stream):
    frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="bgr24")
    frame.pts = 0
    return stream.encode(frame.reformat(format="yuvj420p"))
