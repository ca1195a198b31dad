"""Files that are not whole videos, each with the error that reading it must raise."""

import atexit
import functools
import shutil
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from deployments import errors
from tests.support.corpus import video
from tests.support.corpus_recipe import tone
from tests.support.numbered_pictures import numbered
from tests.support.stills import REFUSED


@dataclass(frozen=True)
class BadFile:
    """What is written, under which name, and the error expected (of its very class)."""

    content: Callable[[], bytes]
    error: type[errors.MediaError]
    suffix: str = ".mp4"


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of an ISO media file."""
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def playlists(target: str) -> dict[str, bytes]:
    """Texts that make FFmpeg read ``target``, a path or an address, by their kind."""
    return {
        "m3u8": (
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
        ).encode(),
        "m3u8 of playlists": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n".encode(),
        "m3u8 with a map": (
            f'#EXTM3U\n#EXT-X-MAP:URI="{target}"\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n'.encode()
        ),
        "mpd": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4">'
            f'<Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
            "</Representation></AdaptationSet></Period></MPD>"
        ).encode(),
        "ffconcat": f"ffconcat version 1.0\nfile '{target}'\n".encode(),
        "pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\nVersion=2\n".encode(),
        "sdp": (
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
            b"m=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
        ),
        "reference movie": box(
            b"moov",
            box(
                b"rmra",
                box(
                    b"rmda",
                    box(b"rdrf", b"\0\0\0\0url ", struct.pack(">I", len(target)), target.encode()),
                ),
            ),
        ),
    }


def _cut(name: str, share: float) -> Callable[[], bytes]:
    def content() -> bytes:
        data = video(name).path.read_bytes()
        return data[: int(len(data) * share)]

    return content


def _still(suffix: str) -> bytes:
    return cv2.imencode(suffix, numbered(5, 96, 64))[1].tobytes()


def _muxed(suffix: str, *, pictures: str | None = None, sound: str | None = None) -> bytes:
    """A file with a track of an uncommon codec, or without tracks or pictures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        with av.open(str(path), "w") as out:
            if pictures:
                stream = out.add_stream(pictures, rate=25)
                stream.width, stream.height = 96, 64
                stream.pix_fmt = stream.codec.video_formats[0].name
                for i in range(4):
                    frame = av.VideoFrame.from_ndarray(numbered(i, 96, 64), "bgr24")
                    frame.pts, frame.time_base = i, Fraction(1, 25)
                    out.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
                out.mux(stream.encode(None))
            if sound:
                stream = out.add_stream(sound, rate=48000, layout="mono")
                for frame in tone(0.2):
                    out.mux(stream.encode(frame))
                out.mux(stream.encode(None))
        return path.read_bytes()


def _renamed_codec(old: bytes, new: bytes) -> bytes:
    """A video whose header names another codec."""
    return video("h264").path.read_bytes().replace(old, new)


def _no_samples() -> bytes:
    """The index of a fragmented file, without a fragment."""
    data = video("fragmented").path.read_bytes()
    return data[: data.index(b"moof") - 4]


def _no_clusters() -> bytes:
    """A recording that was stopped before its first picture."""
    data = video("vp9_live").path.read_bytes()
    return data[: data.index(b"\x1f\x43\xb6\x75")]


def _undecodable() -> bytes:
    """Every picture overwritten, the index as it was."""
    data = bytearray(video("faststart").path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    return bytes(data)


BAD = {
    "empty": BadFile(lambda: b"", errors.NotAVideoError),
    "one byte": BadFile(lambda: b"\0", errors.NotAVideoError),
    "zeros": BadFile(lambda: bytes(5000), errors.NotAVideoError),
    "noise": BadFile(lambda: np.random.default_rng(1).bytes(5000), errors.NotAVideoError),
    "text": BadFile(lambda: b"This is no video.\n" * 99, errors.NotAVideoError),
    "html": BadFile(lambda: b"<!doctype html><title>404</title>", errors.NotAVideoError),
    "tiff": BadFile(lambda: _still(".tiff"), errors.NotAVideoError),
    **{name: BadFile(*REFUSED[name]) for name in ("gif", "animated webp", "png cut short")},
    "heic": BadFile(
        lambda: box(b"ftyp", b"heic\0\0\0\0mif1heic") + bytes(99), errors.NotAVideoError
    ),
    "wav": BadFile(lambda: _muxed(".wav", sound="pcm_s16le"), errors.NotAVideoError),
    "sound in mpeg-ts": BadFile(lambda: _muxed(".ts", sound="aac"), errors.AudioOnlyError),
    "mpeg-2 in mpeg-ts": BadFile(
        lambda: _muxed(".ts", pictures="mpeg2video"), errors.UnsupportedCodecError
    ),
    "like mpeg-ts": BadFile(lambda: (b"G" + bytes(187)) * 9, errors.TruncatedError),
    "ftyp alone": BadFile(lambda: box(b"ftyp", b"isom\0\0\0\0"), errors.TruncatedError),
    "ftyp and noise": BadFile(
        lambda: box(b"ftyp", b"isom\0\0\0\0") + np.random.default_rng(2).bytes(999),
        errors.TruncatedError,
    ),
    "ebml and noise": BadFile(
        lambda: b"\x1a\x45\xdf\xa3" + np.random.default_rng(3).bytes(999), errors.NotAVideoError
    ),
    "riff and noise": BadFile(
        lambda: b"RIFF\x99\0\0\0AVI LIST" + np.random.default_rng(4).bytes(999),
        errors.NotAVideoError,
    ),
    "sound in mp4": BadFile(lambda: _muxed(".mp4", sound="aac"), errors.AudioOnlyError),
    "sound in mkv": BadFile(lambda: _muxed(".mkv", sound="libopus"), errors.AudioOnlyError),
    "sound in avi": BadFile(lambda: _muxed(".avi", sound="mp3"), errors.AudioOnlyError),
    "mpeg-2": BadFile(lambda: _muxed(".mkv", pictures="mpeg2video"), errors.UnsupportedCodecError),
    "ffv1": BadFile(lambda: _muxed(".mkv", pictures="ffv1"), errors.UnsupportedCodecError),
    "wmv": BadFile(lambda: _muxed(".avi", pictures="wmv2"), errors.UnsupportedCodecError),
    "unknown codec": BadFile(
        lambda: _renamed_codec(b"avc1", b"zzzz"), errors.UnsupportedCodecError
    ),
    "no fragments": BadFile(_no_samples, errors.NoFramesError),
    "no clusters": BadFile(_no_clusters, errors.TruncatedError),
    "nothing decodes": BadFile(_undecodable, errors.NoFramesError),
}


@functools.cache
def bad(name: str) -> Path:
    """One of ``BAD``, made once a process."""
    file = BAD[name]
    path = _folder() / f"{name.replace(' ', '-')}{file.suffix}"
    path.write_bytes(file.content())
    return path


@functools.cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="bad-media-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
