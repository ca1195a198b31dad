"""Opening a media file that may be hostile.

The demuxer is chosen by the first bytes of the file, never by its name, and given to FFmpeg
explicitly; playlists and other formats that can name further files or addresses are therefore
never parsed. Only local paths are opened.
"""

import os
from pathlib import Path

import av
from av.container import InputContainer

from deployments.errors import NotAVideoError, TruncatedError

# First boxes of ISO media and QuickTime files, at offset 4.
_ISO_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"))
_MATROSKA = b"\x1a\x45\xdf\xa3"
_DEMUXER_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi"}


def sniff(path: str | os.PathLike[str]) -> str:
    """The demuxer for a file by its first bytes: ``mov``, ``matroska`` or ``avi``.

    Raises:
        NotAVideoError: none of them, or empty.
    """
    with Path(path).open("rb") as file:
        head = file.read(16)
    if head[4:8] in _ISO_BOXES:
        return "mov"
    if head[:4] == _MATROSKA:
        return "matroska"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "avi"
    raise NotAVideoError(
        "the file is empty" if not head else "the file does not begin like MP4, Matroska or AVI"
    )


def open_media(path: str | os.PathLike[str]) -> InputContainer:
    """Open a local media file for reading; the caller closes it.

    Raises:
        NotAVideoError: not in an allowed container format, or damaged beyond opening.
        TruncatedError: an MP4 whose index (moov) is missing.
    """
    demuxer = sniff(path)
    try:
        return av.open(
            os.fspath(Path(path).resolve()), format=demuxer, container_options=_DEMUXER_OPTIONS
        )
    except av.error.InvalidDataError as error:
        if demuxer == "mov" and not _has_box(Path(path), b"moov"):
            raise TruncatedError("the file has no index (moov): it was cut short") from error
        raise NotAVideoError(f"the {demuxer} file cannot be read: {error.strerror}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise NotAVideoError(f"the {demuxer} file cannot be read: {error}") from error


def _has_box(path: Path, name: bytes) -> bool:
    """Whether an ISO media file has a top-level box ``name``."""
    size = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
            if kind == name:
                return True
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            if length < 8:
                return False
            position += length
    return False
