"""Open a media file that may be hostile.

The demuxer is chosen by the first bytes of the file, never by its name, and given to FFmpeg
explicitly; playlists and other formats that can name further files or addresses are therefore
never parsed. Only local paths are opened.

PyAV's logging stays off, as by default, to avoid a deadlock: a decoder's thread that logs waits for
the interpreter's lock, held by the thread that closes the decoder and waits for that thread.
"""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import av
from av.codec.codec import Codec, UnknownCodecError
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from deployments.errors import MediaError, NotAVideoError, TruncatedError
from deployments.media.container_sniffing import has_box, missing_bytes, sniff
from deployments.media.mp4_index_limits import MOST_TRACKS, check_claims
from deployments.media.still_picture import STILLS

_DEMUXER_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(("mov,matroska,webm,avi,mpegts", *STILLS)),
    "max_streams": str(MOST_TRACKS),
}
NO_DECODERS = {"codec_whitelist": "none"}
"""Container options that keep FFmpeg from decoding anything while it opens a file."""

Trial: TypeAlias = Literal["none", "sound", "all"]
"""Streams that FFmpeg may decode a part of while it opens a file."""

MOST_PIXELS = 8192 * 8192
"""Largest picture to decode."""


def open_media(
    path: str | os.PathLike[str],
    max_pixels: int = MOST_PIXELS // 2,
    hardware: HWAccel | None = None,
    *,
    trial: Trial = "all",
) -> InputContainer:
    """Open a local media file for reading; the caller closes it.

    For a stream with pictures of more than twice ``max_pixels``, FFmpeg knows less, perhaps not
    even their size.

    Args:
        hardware: decoder of its pictures, instead of software.
        trial: streams that FFmpeg decodes a part of to identify them, which takes as long as one to
            twenty pictures. Other streams are described by the container only. That is sufficient
            for their packets, and for pictures that are stored in display order.

    Raises:
        NotAVideoError: the container format is not allowed, or the file is too damaged to open.
        TooLargeError: its index claims more than any accepted video has.
        TruncatedError: too much of the file is missing to open it.
    """
    demuxer = sniff(path)
    if demuxer == "mov":
        check_claims(Path(path))
    try:
        return av.open(
            os.fspath(Path(path).resolve()),
            format=demuxer,
            options={"max_pixels": str(2 * max_pixels)},
            container_options=_DEMUXER_OPTIONS | _trial_options(trial),
            metadata_errors="replace",
            hwaccel=hardware,
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise _refusal(Path(path), demuxer, error) from error


def _trial_options(trial: Trial) -> dict[str, str]:
    match trial:
        case "none":
            return NO_DECODERS
        case "sound":
            return {"codec_whitelist": _sound_decoders()}
        case "all":
            return {}


@cache
def _sound_decoders() -> str:
    names = []
    for name in sorted(av.codecs_available):
        with suppress(UnknownCodecError):  # those that only encode
            if Codec(name).type == "audio":
                names.append(name)
    return ",".join(names)


def _refusal(path: Path, demuxer: str, error: Exception) -> MediaError:
    if demuxer == "mov" and not has_box(path, b"moov"):
        return TruncatedError("the file has no index (moov): it was cut short")
    if missing := missing_bytes(path, demuxer):
        return TruncatedError(f"the file was cut short: {missing} bytes are missing")
    if isinstance(error, av.error.EOFError):
        return TruncatedError(f"the {demuxer} file ends before its first picture")
    # The whole message of FFmpeg names the local path.
    reason = getattr(error, "strerror", None) or str(error)
    return NotAVideoError(f"the {demuxer} file cannot be read: {reason}")
