"""Downloading published checkpoints: resumed, checked, and put in place whole or not at all."""

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from deployments.errors import DownloadError, WeightsCorruptError
from deployments.pose.registry import ModelEntry
from deployments.pose.weights import verify

ATTEMPTS: Final = 5
"""Tries in a row that bring nothing new before a download is given up."""

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")

Progress = Callable[[int, int | None], None]
"""Told how many bytes there are, and of how many, where that is known."""


class _BrokenOffError(Exception):
    """A try ended before the file did; another may go on from there."""


class _RefusedError(Exception):
    """Trying again will not help."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What has come of a file so far, and the validator of the version it is of."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".validator")

    @property
    def validator(self) -> str | None:
        return self._note.read_text("utf-8") if self._note.exists() else None

    def start(self, validator: str | None) -> None:
        """Begin anew, with bytes of the version that ``validator`` names."""
        self.discard()
        self.path.touch()
        if validator:
            self._note.write_text(validator, "utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        os.replace(self.path, target)
        self.discard()


def download(
    entry: ModelEntry,
    folder: Path,
    progress: Progress | None = None,
    client: httpx.Client | None = None,
    *,
    pause_s: float = 1.0,
) -> Path:
    """Fetch the checkpoint of ``entry`` into ``folder``, unless the right file is there already.

    The bytes go to a ``.part`` file beside it, which this or a later call continues where the
    server can (HTTP ranges, guarded by ETag or date); it takes its name only once its size and
    digest are right. Of several calls, one fetches
    while the others wait.

    Args:
        entry: what to fetch. folder: where to; made if need be.
        progress: called as bytes arrive.
        client: used instead of one made here, and left open. The one made here follows redirects
            and honours ``HTTPS_PROXY``.
        pause_s: wait before the second try, doubled before each further one.

    Returns:
        The file.

    Raises:
        DownloadError: not published, not to be had, the wrong digest, or no room.
    """
    target = folder / Path(entry.checkpoint).name
    by_hand = f"Or fetch it by other means and put it at {target}."
    if entry.url is None:
        raise DownloadError(
            f"{entry.name} is not published for download",
            hint=f"Put the file at {target}.",
            retryable=False,
        )
    try:
        if not _is_there(entry, target):
            folder.mkdir(parents=True, exist_ok=True)
            part = _Part(target.with_name(target.name + ".part"))
            with _alone(folder), _client(client) as used:
                if not _is_there(entry, target):  # by now
                    _fetch(used, entry.url, part, progress, pause_s)
                    _take_in(entry, part, target)
    except _BrokenOffError as error:
        raise DownloadError(
            f"{entry.url}: {error}", hint=f"{DownloadError.default_hint} {by_hand}"
        ) from error
    except _RefusedError as error:
        raise DownloadError(f"{entry.url}: {error}", hint=by_hand, retryable=False) from error
    except WeightsCorruptError as error:
        raise DownloadError(
            f"{entry.url}: {error.detail}",
            hint=f"Try again, past any proxy that answers in the server's place. {by_hand}",
        ) from error
    except OSError as error:
        raise DownloadError(
            f"{error.filename or target}: {error.strerror}",
            hint="Give a folder that can be written and has room.",
            retryable=False,
        ) from error
    return target


def _is_there(entry: ModelEntry, target: Path) -> bool:
    if not target.is_file():
        return False
    try:
        verify(entry, target)
    except WeightsCorruptError:
        return False  # it is replaced
    return True


def _take_in(entry: ModelEntry, part: _Part, target: Path) -> None:
    try:
        verify(entry, part.path)
    except WeightsCorruptError:
        part.discard()  # else the next call would find it complete
        raise
    part.become(target)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Other threads and processes that fetch into ``folder`` wait.

    Not where its file system has no locks, as some network ones have none for folders.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _client(given: httpx.Client | None) -> AbstractContextManager[httpx.Client]:
    """The given one, left open, or one of its own."""
    return nullcontext(given) if given else httpx.Client(timeout=_TIMEOUT, follow_redirects=True)


def _fetch(
    client: httpx.Client, url: str, part: _Part, progress: Progress | None, pause_s: float
) -> None:
    """Complete ``part``, with further tries while they bring something or ``ATTEMPTS`` are left."""
    barren, most = 0, part.size
    while True:
        try:
            return _try(client, url, part, progress)
        except (_BrokenOffError, httpx.TransportError) as error:
            barren = 1 if part.size > most else barren + 1
            most = max(most, part.size)
            if barren >= ATTEMPTS:
                raise _BrokenOffError(f"given up after {barren} tries: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _RefusedError(str(error)) from error
        time.sleep(pause_s * 2 ** (barren - 1))


def _try(client: httpx.Client, url: str, part: _Part, progress: Progress | None) -> None:
    # Compressed, ranges would count other bytes.
    headers = {"Accept-Encoding": "identity"}
    # Without a validator, bytes of two versions of the file could be joined: begin anew.
    offset = part.size if part.validator else 0
    if offset and part.validator:
        headers |= {"Range": f"bytes={offset}-", "If-Range": part.validator}
    with client.stream("GET", url, headers=headers) as response:
        total = _begin(response, part, offset)
        if part.size != total:
            _append(response, part, total, progress)
    if total is not None and part.size != total:
        if part.size > total:
            part.discard()
        raise _BrokenOffError(f"{part.size} of {total} bytes came")


def _begin(response: httpx.Response, part: _Part, offset: int) -> int | None:
    """Make ``part`` ready for the body of ``response``; the size of the whole file, if told."""
    told = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status_code == httpx.codes.PARTIAL_CONTENT and told and told[1] == str(offset):
        return int(told[2])
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and told:
        if int(told[2]) == offset:
            return offset
        part.discard()
        raise _BrokenOffError("the file there is not the one begun here")
    if response.status_code == httpx.codes.OK:
        part.start(_validator(response))
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    answer = f"the server answers {response.status_code} {response.reason_phrase}".rstrip()
    if response.status_code in _PASSING:
        raise _BrokenOffError(answer)
    raise _RefusedError(answer)


def _validator(response: httpx.Response) -> str | None:
    """What If-Range may name: a strong ETag, else the date of the file."""
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return (etag if etag and not etag.startswith("W/") else date) or None


def _append(
    response: httpx.Response, part: _Part, total: int | None, progress: Progress | None
) -> None:
    done = part.size
    with part.path.open("ab") as file:
        # Not in chunks of a size: a break would lose the one being gathered.
        for chunk in response.iter_raw():
            file.write(chunk)
            done += len(chunk)
            if progress:
                progress(done, total)
        file.flush()
        os.fsync(file.fileno())
