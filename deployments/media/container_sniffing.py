"""Sniff the container of a media file: its kind, and its declared length.

Only lengths are read; nothing is parsed that could name another file or an address.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from deployments.errors import NotAVideoError
from deployments.media.still_picture import STILLS

# First boxes of ISO media and QuickTime files, at offset 4.
_ISO_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"))
_STILL_BRANDS = frozenset((b"avif", b"heic", b"heix", b"heim", b"heis", b"mif1"))
_PICTURES = {
    "jpeg_pipe": re.compile(b"\xff\xd8\xff"),
    "png_pipe": re.compile(b"\x89PNG\r\n\x1a\n"),
    "webp_pipe": re.compile(b"RIFF....WEBP", re.DOTALL),
}
_OTHER_PICTURE = "Save the picture as JPEG, PNG or WebP."
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_TS_PACKETS = (188, 192)  # bytes; cameras put a time of four bytes before each
_LONGEST_HEADER = 4096  # of Matroska, before the segment; a few dozen bytes in files
MOST_BOXES = 500_000
"""Maximum number of boxes; files have a few at the top level, or two per fragment."""


def sniff(path: str | os.PathLike[str]) -> str:
    """Return the demuxer for a file's first bytes: ``mov``, ``matroska``, ``avi``, ``mpegts``.

    For a still picture it is ``jpeg_pipe``, ``png_pipe`` or ``webp_pipe``.

    Raises:
        NotAVideoError: the file is none of these, another kind of picture, or empty.
    """
    with Path(path).open("rb") as file:
        head = file.read(max(_TS_PACKETS) * 2)
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        raise NotAVideoError("the file is a still picture (HEIF or AVIF)", hint=_OTHER_PICTURE)
    if head[:4] == b"GIF8":
        raise NotAVideoError("the file is a GIF", hint=_OTHER_PICTURE)
    for demuxer, beginning in _PICTURES.items():
        if beginning.match(head):
            return demuxer
    if head[4:8] in _ISO_BOXES:
        return "mov"
    if head[:4] == _EBML:
        return "matroska"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "avi"
    if any(head[size - 188 :: size][:2] == b"GG" for size in _TS_PACKETS):
        return "mpegts"
    raise NotAVideoError(
        "the file is empty"
        if not head
        else "the file does not begin like MP4, Matroska, AVI, an MPEG transport stream, or a "
        "JPEG, PNG or WebP picture"
    )


def has_box(path: Path, name: bytes) -> bool:
    """Return whether an ISO media file has a top-level box ``name`` that begins inside the file."""
    with path.open("rb") as file:
        return any(kind == name for kind, _, _ in boxes(file, path.stat().st_size))


def missing_bytes(path: str | os.PathLike[str], demuxer: str) -> int:
    """Count the missing bytes by the file's own outermost lengths; 0 if there are none.

    In an MP4 without fragments only the index (moov) is checked, because cut padding or sound does
    not mean that pictures are missing.
    """
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        if demuxer == "matroska":
            end = _segment_end(file)
        elif demuxer == "mpegts" or demuxer in STILLS:
            return 0
        elif demuxer == "avi":
            end = max((stop for kind, stop in _riffs(file, size)), default=0)
        else:
            ends = {kind: end for kind, _, end in boxes(file, size)}
            end = max(ends.values()) if b"moof" in ends else ends.get(b"moov", 0)
    return max(end - size, 0)


def boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and declared end of each top-level box (ISO/IEC 14496-12, 4.2).

    Stops after ``MOST_BOXES``, or at a malformed box.
    """
    position = 0
    for _ in range(MOST_BOXES):
        if position + 8 > size:
            return
        file.seek(position)
        head = file.read(16)
        length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], position + 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), position + 16
        elif length == 0:
            length = size - position
        if length < start - position:
            return
        position += length
        yield kind, start, position


def _riffs(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield kind and end of each top-level RIFF list; long AVI files have several."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        # Recorders write the length last: no or all bits set means that it is missing.
        if head[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            return
        position += 8 + length
        yield head[8:12], position


def _segment_end(file: BinaryIO) -> int:
    """Return the end of a Matroska file's only segment; 0 if unknown, as in live recordings."""
    file.seek(4)
    header, _ = _ebml_length(file)
    if header > _LONGEST_HEADER:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    length, known = _ebml_length(file)
    return file.tell() + length if known else 0


def _ebml_length(file: BinaryIO) -> tuple[int, bool]:
    """Read a length, and whether it is known (RFC 8794, 4)."""
    first = file.read(1)
    if not first or not first[0]:
        return 0, False
    extra = 8 - first[0].bit_length()
    bits = 7 * (extra + 1)
    value = int.from_bytes(first + file.read(extra), "big") & ((1 << bits) - 1)
    return value, value != (1 << bits) - 1
