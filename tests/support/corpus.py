"""Small videos with exact oracles, written by PyAV when a test first asks for them.

They hold the pictures of ``numbered_pictures``, as ``corpus_recipe`` writes them.
``video(name)`` gives one of ``VIDEOS``, made once a process.
"""

import atexit
import functools
import math
import shutil
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.video.reformatter import Colorspace

from deployments.decode.probe import MediaLimits, probe
from deployments.messages import MediaInfo, Segment
from tests.support.corpus_recipe import Recipe, write
from tests.support.numbered_pictures import BLOCK, Corner

ROOMY = MediaLimits(
    max_bytes=10**8, max_duration_s=3600, max_pixels=8192 * 8192, max_frames=100_000
)


@dataclass(frozen=True)
class CorpusVideo:
    """One video and what must be read from it.

    Attributes:
        width, height: display pixels, after rotation and with square pixels.
        pts_s: seconds since the first picture of every picture that is to be shown, exact.
        numbers: the number each of them shows.
        corner: x1, y1, x2, y2 of the red block in display pixels, which says which way is up.
        codec, audio_codec: names. warnings: codes.
    """

    path: Path
    width: int
    height: int
    pts_s: tuple[Fraction, ...]
    numbers: tuple[int, ...]
    codec: str
    pix_fmt: str
    rotation_deg: int
    audio_codec: str | None
    corner: Corner
    warnings: tuple[str, ...]

    @property
    def frame_count(self) -> int:
        return len(self.pts_s)


_X264 = {"crf": "8", "preset": "veryfast"}
_GOP_8 = {**_X264, "g": "8", "bf": "2"}
_OPEN_GOP = "open-gop=1:keyint=6:min-keyint=6:bframes=3:b-adapt=0:scenecut=0"
_X265 = {
    "preset": "ultrafast",
    "x265-params": "log-level=none:crf=8:keyint=8:min-keyint=8:bframes=2",
}
_VP9 = {"crf": "8", "b": "0", "deadline": "realtime", "cpu-used": "8", "g": "8"}
_VP8_HIDDEN = {
    "crf": "4",
    "b": "2M",
    "g": "12",
    "auto-alt-ref": "1",
    "lag-in-frames": "10",
    "arnr-maxframes": "3",
    "deadline": "good",
    "cpu-used": "4",
}
_UNEVEN = (0, 20, 40, 61, 90, 130, 131, 200, 260, 281, 300, 355, 420, 430, 450, 500, 540)
_MS = Fraction(1, 1000)
_PQ, _HLG = 16, 18


def _h264(**changes) -> Recipe:
    return Recipe(**{"options": _GOP_8, **changes})


def _hevc(**changes) -> Recipe:
    return Recipe(**{"codec": "libx265", "codec_name": "hevc", "options": _X265, **changes})


def _hdr(transfer: int) -> Recipe:
    return _hevc(
        pix_fmt="yuv420p10le",
        colorspace=Colorspace.BT2020,
        color_tags=(9, transfer),
        ticks=range(0, 8 * 512, 512),
        warnings=("hdr_converted",),
    )


def _webm(codec: str = "vp9", **changes) -> Recipe:
    """29.97 pictures a second, in the milliseconds of the container."""
    return Recipe(
        **{
            "codec": {"vp8": "libvpx", "vp9": "libvpx-vp9"}[codec],
            "codec_name": codec,
            "suffix": ".webm",
            "options": _VP9,
            "ticks": range(0, 24 * 1001, 1001),
            "time_base": Fraction(1, 30000),
            "quantum": _MS,
            **changes,
        }
    )


def _avi(**changes) -> Recipe:
    return Recipe(**{"suffix": ".avi", "ticks": range(20), "time_base": Fraction(1, 25), **changes})


_RECIPES: dict[str, Recipe] = {
    # Structure of the stream and of the file.
    "h264": _h264(),
    "no_b_frames": _h264(options={**_X264, "g": "8", "bf": "0"}),
    "one_frame": _h264(ticks=(0,)),
    "two_frame_gops": _h264(options={**_X264, "g": "2", "bf": "1"}),
    "one_gop": _h264(options={**_X264, "g": "250", "bf": "2"}),
    "open_gop": _h264(options={**_X264, "x264-params": _OPEN_GOP}, ticks=range(0, 30 * 512, 512)),
    "faststart": _h264(mux={"movflags": "+faststart"}),
    "fragmented": _h264(mux={"movflags": "+frag_keyframe+empty_moov"}),
    "mov": _h264(suffix=".mov"),
    "latin1_title": _h264(title="Caf#", patch=lambda data: data.replace(b"Caf#", b"Caf\xe9")),
    "cover": _h264(cover=True),
    "ts": _h264(suffix=".ts", audio="aac"),
    "m2ts": _h264(suffix=".mts", mux={"mpegts_m2ts_mode": "1"}),
    # Times.
    "variable": _h264(ticks=_UNEVEN, time_base=Fraction(1, 600), warnings=("variable_frame_rate",)),
    "held_last": _h264(
        # The index says that the last picture is shown for long: nothing is missing.
        options={**_X264, "g": "8", "bf": "0"},
        ticks=(*range(0, 15 * 512, 512), 14 * 512 + 60 * 512),
        warnings=("variable_frame_rate",),
    ),
    "late_start": _h264(ticks=range(12800, 12800 + 20 * 512, 512)),
    "edit_list": _h264(
        ticks=range(-4 * 512, 16 * 512, 512), mux={"avoid_negative_ts": "disabled"}, hidden=4
    ),
    # The way it is shown.
    "rotated_90": _h264(rotation_deg=90),
    "rotated_180": _h264(rotation_deg=180),
    "rotated_270": _h264(rotation_deg=270),
    "rotated_12": _h264(rotation_deg=12, warnings=("rotation_ignored",)),
    "mirrored": _h264(mirrored=True, warnings=("mirror_ignored",)),
    "mirrored_90": _h264(rotation_deg=90, mirrored=True, warnings=("mirror_ignored",)),
    "wide_pixels": _h264(sample_aspect=Fraction(4, 3), warnings=("square_pixels",)),
    "tall_pixels_rotated": _h264(
        sample_aspect=Fraction(1, 2), rotation_deg=90, warnings=("square_pixels",)
    ),
    "wide_pixels_by_the_stream": _h264(
        options={**_GOP_8, "x264-params": "sar=4/3"},
        sample_aspect=Fraction(4, 3),
        aspect_in_container=False,
        warnings=("square_pixels",),
    ),
    # Pixels.
    "full_range": _h264(full_range=True),
    "bt601": _h264(colorspace=Colorspace.ITU601),
    "untagged": _h264(colorspace=Colorspace.ITU601, tagged=False),
    "ten_bit": _h264(pix_fmt="yuv420p10le", warnings=("converted_to_8_bit",)),
    "odd_444": _h264(pix_fmt="yuv444p", size=(97, 65)),
    "hlg": _hdr(_HLG),
    "pq": _hdr(_PQ),
    # Sound.
    "aac": _h264(audio="aac"),
    "longer_aac": _h264(audio="aac", audio_s=3.0, mux={"movflags": "+faststart"}),
    "mp3": _h264(audio="libmp3lame", audio_name="mp3"),
    "opus_webm": _webm(audio="libopus", audio_name="opus"),
    "vorbis_webm": _webm(audio="vorbis"),
    "pcm_mov": _h264(suffix=".mov", audio="pcm_s16le"),
    "mkv": _h264(suffix=".mkv", quantum=_MS, audio="aac"),
    # Codecs.
    "hevc": _hevc(),
    "hevc_open_gop": _hevc(
        ticks=range(0, 30 * 512, 512),
        options={"preset": "ultrafast", "x265-params": f"log-level=none:crf=8:{_OPEN_GOP}"},
    ),
    "vp9": _webm(),
    "vp9_odd": _webm(size=(97, 65)),
    "vp9_live": _webm(mux={"live": "1"}),  # without an index, as browsers record
    "vp9_resized": _webm(second_size=(144, 96)),  # grows midway, as browsers' recordings do
    "vp8_hidden_frames": _webm("vp8", options=_VP8_HIDDEN, ticks=range(0, 30 * 1001, 1001)),
    "av1": Recipe(
        codec="libsvtav1",
        codec_name="av1",
        options={"preset": "8", "crf": "10", "g": "8", "svtav1-params": "lp=1"},
    ),
    "mpeg4_avi": _avi(
        codec="mpeg4", codec_name="mpeg4", options={"qscale": "2", "g": "8", "bf": "2"}
    ),
    "h264_avi": _avi(options=_GOP_8),
    "mjpeg_avi": _avi(
        codec="mjpeg",
        codec_name="mjpeg",
        pix_fmt="yuvj420p",
        full_range=True,
        colorspace=Colorspace.ITU601,
        options={"qscale": "2"},
    ),
    "prores_mov": Recipe(
        codec="prores_ks",
        codec_name="prores",
        suffix=".mov",
        pix_fmt="yuv422p10le",
        ticks=range(0, 8 * 512, 512),
        warnings=("converted_to_8_bit",),
    ),
}

VIDEOS = tuple(_RECIPES)


@functools.cache
def video(name: str) -> CorpusVideo:
    """One of ``VIDEOS``, made once a process."""
    return make(_folder(), name)


def make(folder: Path, name: str) -> CorpusVideo:
    """Write one of ``VIDEOS`` into ``folder``."""
    recipe = _RECIPES[name]
    path = folder / f"{name}{recipe.suffix}"
    write(path, recipe)
    width, height = _display_size(recipe)
    upright = recipe.upright(recipe.size)
    numbers = tuple(range(recipe.hidden, len(recipe.ticks)))
    times = [recipe.ticks[i] * recipe.time_base for i in numbers]
    if recipe.quantum:
        times = [math.floor(t / recipe.quantum + Fraction(1, 2)) * recipe.quantum for t in times]
    return CorpusVideo(
        path=path,
        width=width,
        height=height,
        pts_s=tuple(t - times[0] for t in times),
        numbers=numbers,
        codec=recipe.codec_name,
        pix_fmt="yuvj420p" if recipe.full_range else recipe.pix_fmt,
        rotation_deg=90 * recipe.turns,
        audio_codec=recipe.audio_name or recipe.audio,
        corner=(0, 0, round(BLOCK * width / upright[0]), round(BLOCK * height / upright[1])),
        warnings=recipe.warnings,
    )


@functools.cache
def probed(name: str) -> MediaInfo:
    """What the service reads from one of ``VIDEOS``, probed once a process."""
    return probe(video(name).path, ROOMY)


def cut(media: MediaInfo, start: int = 0, stop: int | None = None, index: int = 0) -> Segment:
    """Frames ``start`` up to ``stop`` of a video as a segment, wherever that is."""
    stop = media.frame_count if stop is None else stop
    first_needed = media.pts[max(start - media.interlaced, 0)]
    keys = media.keyframe_pts[media.keyframe_pts <= first_needed]
    return Segment(
        path=media.path,
        time_base=media.time_base,
        rotation_deg=media.rotation_deg,
        width=media.width,
        height=media.height,
        index=index,
        first_frame=start,
        pts=media.pts[start:stop],
        seek_pts=int(np.max(keys, initial=media.pts[0])),
        closing_pts=int(media.pts[stop]) if stop < media.frame_count else None,
        in_order=media.in_order,
        counted=media.counted,
        interlaced=media.interlaced,
    )


@functools.cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="corpus-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _display_size(recipe: Recipe) -> tuple[int, int]:
    width, height = recipe.size
    aspect = recipe.sample_aspect or Fraction(1)
    if aspect > 1:
        width = round(width * aspect)
    else:
        height = round(height / aspect)
    return recipe.upright((width, height))
