"""Read the header of a still picture, before anything of it is decoded.

A picture is analyzed as a video of one frame. FFmpeg reads all of the file into memory, and
inflates compressed metadata without a limit; both are bounded here.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

from deployments.errors import NotAVideoError, TooLargeError, TruncatedError

STILLS: Final = {"jpeg_pipe": "JPEG", "png_pipe": "PNG", "webp_pipe": "WebP"}
"""Names of the file formats by demuxer."""

MOST_BYTES: Final = 128 * 1024**2
MOST_SCANS: Final = 100  # of a progressive JPEG, which has about ten; each goes over all pixels
MOST_COMPRESSED: Final = 256 * 1024  # of metadata in a PNG, which can inflate a thousandfold
_MOST_CHUNKS = 100_000
_FRAMES_OF_JPEG = frozenset((*range(0xC0, 0xD0),)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers of JPEG without a length
_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_ORIENTATION, _SHORT = 0x0112, 3  # tag and type of Exif
_IS_ANIMATED = 0x02  # of the flags in VP8X


@dataclass(frozen=True, slots=True)
class StillHeader:
    """Header of a still picture.

    Attributes:
        width, height: stored pixels. orientation: as Exif has it, from 1 (upright) to 8.
    """

    width: int
    height: int
    orientation: int


def still_header(path: Path, demuxer: str) -> StillHeader:
    """Read the header of a picture in one of ``STILLS``; the first one of a JPEG with several.

    Raises:
        NotAVideoError: there is no header, or the picture is animated.
        TooLargeError: the file is larger than any picture, or decoding it would cost far more than
            its pixels do. TruncatedError: its end is missing.
    """
    name = STILLS[demuxer]
    _check("bytes", path.stat().st_size, MOST_BYTES)
    readers = {"jpeg_pipe": _jpeg, "png_pipe": _png, "webp_pipe": _webp}
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        try:
            return readers[demuxer](data)
        except (IndexError, struct.error) as error:
            raise NotAVideoError(f"the {name} file has no header of a picture") from error


def _jpeg(data: mmap) -> StillHeader:
    """Read the segments before the picture (ITU-T T.81, B.1)."""
    size, orientation, position = None, 1, 2
    while True:
        if data[position] != 0xFF:
            raise IndexError(position)
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker in _ALONE:
            continue
        (length,) = struct.unpack(">H", data[position : position + 2])
        if marker == _APP1 and data[position + 2 : position + 8] == b"Exif\0\0":
            orientation = _orientation(data[position + 8 : position + length])
        elif marker in _FRAMES_OF_JPEG and size is None:
            height, width = struct.unpack(">HH", data[position + 3 : position + 7])
            size = width, height
        elif marker == _START_OF_SCAN:
            break
        position += max(length, 2)
    if data.find(b"\xff\xd9", position) < 0:
        raise TruncatedError("the JPEG file was cut short: it has no end of the picture")
    scans = 0
    while (position := data.find(b"\xff\xda", position)) >= 0:
        scans, position = scans + 1, position + 2
        _check("scans", scans, MOST_SCANS)
    if size is None:
        raise IndexError(position)
    return StillHeader(*size, orientation)


def _png(data: mmap) -> StillHeader:
    """Read the chunks (ISO/IEC 15948, 5)."""
    orientation, compressed = 1, 0
    if data[12:16] != b"IHDR":
        raise IndexError(12)
    width, height = struct.unpack(">II", data[16:24])
    for kind, start, length in _chunks(data, 8, ">I4s", 4):
        if kind == b"acTL":
            raise NotAVideoError("the PNG file is animated", hint=_HINT)
        if kind == b"eXIf":
            orientation = _orientation(data[start : start + length])
        if kind in (b"zTXt", b"iCCP"):
            compressed += length
            _check("bytes of compressed metadata", compressed, MOST_COMPRESSED)
        if kind == b"IEND":
            return StillHeader(width, height, orientation)
    raise TruncatedError("the PNG file was cut short: it has no last chunk")


def _webp(data: mmap) -> StillHeader:
    """Read the chunks (RFC 9649, 2)."""
    missing = struct.unpack("<I", data[4:8])[0] + 8 - len(data)
    if missing > 0:
        raise TruncatedError(f"the WebP file was cut short: {missing} bytes are missing")
    size, orientation = None, 1
    for kind, start, length in _chunks(data, 12, "<4sI", 0):
        if kind == b"VP8X" and data[start] & _IS_ANIMATED:
            raise NotAVideoError("the WebP file is animated", hint=_HINT)
        if kind == b"VP8 " and size is None:
            width, height = struct.unpack("<HH", data[start + 6 : start + 10])
            size = width & 0x3FFF, height & 0x3FFF
        elif kind == b"VP8L" and size is None:
            (bits,) = struct.unpack("<I", data[start + 1 : start + 5])
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF":
            orientation = _orientation(data[start : start + length].removeprefix(b"Exif\0\0"))
    if size is None:
        raise IndexError(len(data))
    return StillHeader(*size, orientation)


_HINT = "Send one of its pictures, or a video."


def _chunks(data: mmap, position: int, head: str, tail: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and length of each chunk; ``tail`` bytes follow each."""
    is_riff = head.startswith("<")
    for _ in range(_MOST_CHUNKS):
        if position + 8 > len(data):
            return
        first, second = struct.unpack(head, data[position : position + 8])
        kind, length = (first, second) if is_riff else (second, first)
        if position + 8 + length + tail > len(data):
            return
        yield kind, position + 8, length
        position += 8 + length + tail + (length % 2 if is_riff else 0)
    _check("chunks", _MOST_CHUNKS + 1, _MOST_CHUNKS)


def _orientation(exif: bytes) -> int:
    """Return the orientation in an Exif block; 1 without one, or in a damaged block."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, first)
        for i in range(count):
            tag, kind = struct.unpack_from(f"{order}HH", exif, first + 2 + 12 * i)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                (value,) = struct.unpack_from(f"{order}H", exif, first + 10 + 12 * i)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _check(quantity: str, value: int, limit: int) -> None:
    if value > limit:
        raise TooLargeError(
            f"the picture has {value} {quantity}, the limit is {limit}",
            quantity=quantity,
            value=value,
            limit=limit,
        )
