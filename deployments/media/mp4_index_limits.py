"""Limit the index that an MP4 declares, before FFmpeg allocates memory for it.

A sample takes 24 bytes of memory in FFmpeg but none in the file, where one size and a count are
enough: a file of a kilobyte can make FFmpeg allocate gigabytes. FFmpeg parses boxes at any place,
so they are searched here by name in everything except the media data.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

from deployments.errors import NotAVideoError, TooLargeError
from deployments.media.container_sniffing import MOST_BOXES, boxes

MOST_TRACKS = 16
"""Maximum number of tracks; FFmpeg decodes a part of each to identify it."""

MOST_SAMPLES = 4_000_000
"""Maximum number of samples (pictures, sound packets) of all tracks: four hours of video."""

_MOST_INDEX_BYTES = 64 * 1024**2
_NAMES = re.compile(b"trak|hdlr|elst|stts|stsz|stz2|trun|cmov")
_HIDDEN = re.compile(b"moov|mvhd|cmov")  # an index in a box that is declared free
_NO_COUNT = 1 << 29  # that many entries are more than an array of FFmpeg holds
_BLOCK = 1024  # samples of uncompressed sound that FFmpeg takes as one


@dataclass(slots=True)
class _Track:
    """Facts of one ``trak`` box.

    Attributes:
        samples: in the track's own table. in_fragments: in runs of samples.
        edits: number of edit-list entries, each of which can repeat all samples.
        handlers: kinds of media. spacings: (number of entries, ticks of the first) of its times.
    """

    samples: int = 0
    in_fragments: int = 0
    edits: int = 0
    handlers: set[bytes] = field(default_factory=set)
    spacings: set[tuple[int, int]] = field(default_factory=set)

    def entries(self) -> int:
        """Return the maximum number of entries in FFmpeg's index of this track."""
        # Samples of uncompressed sound are counted, but not listed one by one.
        is_sound = b"soun" in self.handlers and b"vide" not in self.handlers
        is_plain = is_sound and self.spacings == {(1, 1)}
        listed = self.samples // _BLOCK if is_plain else self.samples
        return listed * max(self.edits, 1) + self.in_fragments


def check_claims(path: Path) -> None:
    """Reject an MP4 whose index is larger than that of any accepted video.

    A file that passed and has not changed is not checked again: it is opened for each segment, and
    checking half a million boxes takes a second.

    Raises:
        TooLargeError: too many tracks, samples, boxes or bytes of index; ``facts`` has
            ``quantity``, ``value`` and ``limit``.
        NotAVideoError: the index is compressed, as in films of the 1990s.
    """
    found = path.stat()
    _judge(path.absolute(), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(maxsize=256)
def _judge(path: Path, *_version: int) -> None:
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        found = list(boxes(file, len(data)))
        _check("boxes", len(found) + 1, MOST_BOXES)
        parts = [
            (kind, start, min(end, len(data)))
            for kind, start, end in found
            if kind.isalnum()
            and kind != b"mdat"
            and (kind not in (b"free", b"skip") or _HIDDEN.search(data, start, start + 16))
        ]
        _check("bytes of index", sum(end - start for _, start, end in parts), _MOST_INDEX_BYTES)
        tracks, count = [_Track()], 0
        for kind, start, end in parts:
            if _NAMES.fullmatch(kind):
                _take(kind, data[start : start + 16], tracks)
            for name in _NAMES.finditer(data, start, end):
                _take(name.group(), data[name.end() : name.end() + 16], tracks)
                count += 1
                _check("boxes", count, MOST_BOXES)
    _check("tracks", len(tracks) - 1, MOST_TRACKS)
    _check("samples", sum(track.entries() for track in tracks), MOST_SAMPLES)


def _take(kind: bytes, content: bytes, tracks: list[_Track]) -> None:
    """Record the data of a box; ``content`` is its beginning (ISO/IEC 14496-12, 8)."""
    _, first, second, third = (int.from_bytes(content[i : i + 4], "big") for i in (0, 4, 8, 12))
    track = tracks[-1]
    if kind == b"cmov" and content[4:8] == b"dcom":
        raise NotAVideoError("the index of the file is compressed")
    if kind == b"trak":
        tracks.append(_Track())
    elif kind == b"hdlr":
        track.handlers.add(content[8:12])
    elif kind == b"stts":
        track.spacings.add((first, third))
    elif kind == b"elst":
        track.edits += _count(first)
    elif kind == b"trun":
        track.in_fragments += _count(first)
    elif kind in (b"stsz", b"stz2"):
        track.samples += _count(second)


def _count(number: int) -> int:
    """Return a number of entries, or 0 if FFmpeg would reject it (it may be text)."""
    return number if number < _NO_COUNT else 0


def _check(quantity: str, value: int, limit: int) -> None:
    if value > limit:
        raise TooLargeError(
            f"the file has {value} {quantity}, the limit is {limit}",
            quantity=quantity,
            value=value,
            limit=limit,
        )
