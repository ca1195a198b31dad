"""Still pictures of every format that is read, and those that are refused."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from deployments import errors

FORMATS = ("JPEG", "PNG", "WEBP")
DEMUXERS = {"JPEG": "jpeg_pipe", "PNG": "png_pipe", "WEBP": "webp_pipe"}
# Turns and mirrors of a picture that a viewer undoes, by the orientation that Exif gives it.
STORED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image, -1),
}


def still(rgb: np.ndarray, kind: str, orientation: int | None = None, **options) -> bytes:
    """An RGB picture (h, w, 3) as a file of ``kind``, stored so that ``orientation`` undoes it."""
    file = io.BytesIO()
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
        rgb = STORED[orientation](rgb)
    fine = {} if kind == "PNG" else {"quality": 95}
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    picture.save(file, kind, exif=exif, **{**fine, **options})
    return file.getvalue()


def plain(width: int = 96, height: int = 64) -> np.ndarray:
    """A picture of four colors, (height, width, 3) RGB."""
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2] = 200, 40, 40
    rgb[: height // 2, width // 2 :] = 40, 180, 40
    rgb[height // 2 :, : width // 2] = 40, 40, 200
    rgb[height // 2 :, width // 2 :] = 180, 180, 180
    return rgb


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG with another chunk after its header."""
    whole = still(plain(), "PNG")
    return whole[:33] + chunk(kind, data) + whole[33:]


def sized_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size."""
    whole = still(plain(), "PNG")
    header = struct.pack(">II", width, height) + whole[24:29]
    return whole[:8] + chunk(b"IHDR", header) + whole[33:]


def sized_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header claims a size."""
    whole = still(plain(), "JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def many_scans(count: int) -> bytes:
    """A JPEG with its scan again and again."""
    whole = still(plain(), "JPEG")
    at = whole.index(b"\xff\xda")
    return whole[:at] + (whole[at:-2]) * count + whole[-2:]


def animated(kind: str) -> bytes:
    """A file of ``kind`` with two pictures that follow each other."""
    file = io.BytesIO()
    first, second = Image.fromarray(plain()), Image.fromarray(plain()[::-1])
    first.save(file, kind, save_all=True, append_images=[second], duration=100)
    return file.getvalue()


REFUSED = {
    "animated png": (lambda: animated("PNG"), errors.NotAVideoError),
    "animated webp": (lambda: animated("WEBP"), errors.NotAVideoError),
    "gif": (lambda: animated("GIF"), errors.NotAVideoError),
    "huge png": (lambda: sized_png(2**31 - 1, 2**31 - 1), errors.TooLargeError),
    "huge jpeg": (lambda: sized_jpeg(65535, 65535), errors.TooLargeError),
    "png without a size": (lambda: sized_png(0, 0), errors.NoFramesError),
    "jpeg without a size": (lambda: sized_jpeg(0, 0), errors.NoFramesError),
    "scans without end": (lambda: many_scans(5000), errors.TooLargeError),
    "inflating png": (
        lambda: with_chunk(b"zTXt", b"a\0\0" + 300 * zlib.compress(bytes(1 << 20), 9)),
        errors.TooLargeError,
    ),
    "png cut short": (lambda: still(plain(), "PNG")[:-20], errors.TruncatedError),
    "jpeg cut short": (lambda: still(plain(), "JPEG")[:-20], errors.TruncatedError),
    "webp cut short": (lambda: still(plain(), "WEBP")[:-20], errors.TruncatedError),
    "png head": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), errors.NotAVideoError),
    "jpeg head": (lambda: b"\xff\xd8\xff" + bytes(100), errors.NotAVideoError),
    "jpeg of padding": (lambda: b"\xff" * 3 + b"\xd8" + b"\xff" * 999, errors.NotAVideoError),
    "webp head": (lambda: b"RIFF\x64\0\0\0WEBP" + bytes(100), errors.NotAVideoError),
}
