"""Decompress bodies of JSON by their ``Content-Encoding``, within a limit of bytes."""

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Final, Protocol

import zstandard

from deployments.errors import BadParameterError, TooLargeError

_STEP_BYTES: Final = 512
"""Fed at once: a step of zstd makes 16 MiB at most, one of gzip half a MiB."""

_LARGEST_WINDOW: Final = 8 << 20  # of zstd in HTTP, RFC 9659


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


_DECODERS: Final[dict[str, Callable[[], _Decoder]]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "zstd": lambda: zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj(),
}

ENCODINGS: Final = tuple(_DECODERS)


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """Return what ``body`` holds: one gzip member or zstd frame.

    Raises:
        TooLargeError: it holds more than ``limit`` bytes.
        BadParameterError: it is damaged, cut off, or something follows it.
    """
    decoder, made = _DECODERS[encoding](), BytesIO()
    for at in range(0, len(body), _STEP_BYTES):
        if decoder.eof:
            raise _wrong(f"has data after the end of its {encoding} stream")
        try:
            made.write(decoder.decompress(body[at : at + _STEP_BYTES]))
        except (zlib.error, zstandard.ZstdError) as error:
            raise _wrong(f"is not valid {encoding}") from error
        if made.tell() > limit:
            raise TooLargeError(
                f"the body is larger than {limit} bytes when decompressed",
                quantity="bytes",
                value=made.tell(),
                limit=limit,
            )
    if not decoder.eof:
        raise _wrong(f"ends before its {encoding} stream does")
    if decoder.unused_data:
        raise _wrong(f"has data after the end of its {encoding} stream")
    return made.getvalue()


def _wrong(what: str) -> BadParameterError:
    return BadParameterError(
        f"the body {what}",
        hint="Compress the whole body at once, and send all of it.",
        field="content-encoding",
    )
