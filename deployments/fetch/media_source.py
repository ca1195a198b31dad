"""Parse the address of a video, and describe it for messages."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, Final

import httpx

from deployments.errors import AddressNotAllowedError, SourceError

if TYPE_CHECKING:
    from google.cloud.storage import Client

# Parsers disagree on what follows a backslash, and drop or keep control characters.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class GcsObject:
    """An object of Google Cloud Storage, its name verbatim (not percent-encoded)."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.name}"


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object of S3, its name verbatim (not percent-encoded)."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.name}"


_OBJECTS: Final[dict[str, type[GcsObject | S3Object]]] = {"gs": GcsObject, "s3": S3Object}
_SEGMENTS_LOST = frozenset({"", ".", ".."})  # the S3 client would drop or refuse them


def parse_source(text: str) -> httpx.URL | GcsObject | S3Object:
    """Parse an http(s), gs:// or s3:// address, without its fragment and surrounding blanks.

    Raises:
        SourceError: the address is malformed, ambiguous or has a user name.
        AddressNotAllowedError: the scheme is not supported.
    """
    text = text.strip(" ")
    scheme, separator, rest = text.partition("://")
    kind = _OBJECTS.get(scheme.lower())
    if kind is None or not separator:
        return _parse_http(text)
    _refuse_ambiguous(text)
    bucket, _, name = rest.partition("/")
    if not _BUCKET.fullmatch(bucket) or not name:
        raise SourceError(f"The address is not of the form {scheme.lower()}://bucket/object")
    if kind is S3Object and _SEGMENTS_LOST & {*name.split("/")}:
        raise SourceError("The object's name has an empty segment, or one of dots")
    return kind(bucket, name)


def parse_redirect(base: httpx.URL, location: str) -> httpx.URL:
    """Resolve the header ``Location`` of an answer from ``base``.

    Raises:
        SourceError: it is absent, malformed, ambiguous or carries a user name.
        AddressNotAllowedError: it leads away from http(s), or from https to http.
    """
    if not location:
        raise SourceError(f"{describe(base)} redirects nowhere")
    _refuse_ambiguous(location)
    try:
        joined = str(base.join(location))
    except httpx.InvalidURL:
        raise SourceError(f"{describe(base)} redirects to a malformed address") from None
    target = _parse_http(joined)
    if base.scheme == "https" and target.scheme == "http":
        raise AddressNotAllowedError(f"{describe(base)} redirects from https to http")
    return target


def describe(source: httpx.URL | GcsObject | S3Object) -> str:
    """Return scheme, host and path for messages, without the query, which may be a signature."""
    if isinstance(source, GcsObject | S3Object):
        name = str(source)
    else:
        path = source.raw_path.partition(b"?")[0]
        name = f"{source.scheme}://{(source.netloc + path).decode('ascii')}"
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _parse_http(text: str) -> httpx.URL:
    _refuse_ambiguous(text)
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        # Its message, and a chained one, could repeat the query.
        raise SourceError("The address is malformed") from None
    if url.scheme not in ("http", "https"):
        raise AddressNotAllowedError(
            f"The scheme {url.scheme[:20]!r} is not fetched, only http, https, gs and s3"
        )
    if "@" in re.split("[/?#]", text.partition("://")[2], maxsplit=1)[0]:
        raise SourceError("The address carries a user name or password")
    if not _is_host(url.raw_host.decode("ascii")):
        raise SourceError("The address has no valid host name")
    if url.port is not None and not 0 < url.port < 65536:
        raise SourceError("The address has no valid port")
    return url.copy_with(fragment=None)


def _refuse_ambiguous(text: str) -> None:
    if _AMBIGUOUS.search(text):
        raise SourceError("The address has a backslash or a control character")


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        return IPv6Address(host).scope_id is None
    except AddressValueError:
        return False


def gcs_client() -> "Client":
    """A client with the identity of this service (application default credentials).

    Where ``STORAGE_EMULATOR_HOST`` is set, it talks to that address without credentials. No project
    is needed: only objects of named buckets are read and written.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: the service has no identity.
    """
    from google.cloud import storage

    return storage.Client(project=None)
