"""Download a video: http(s) from permitted hosts, gs:// and s3:// from permitted buckets."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpcore
import httpx

from deployments.concurrency import Cancelled
from deployments.errors import (
    AddressNotAllowedError,
    ServiceError,
    SourceError,
    SourceNotFoundError,
    UnreachableError,
)
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_connection import POLL_S, Budget
from deployments.fetch.guarded_request import Timeouts, answer_to, guarded_pool
from deployments.fetch.media_source import (
    GcsObject,
    S3Object,
    describe,
    gcs_client,
    parse_redirect,
    parse_source,
)
from deployments.fetch.s3 import S3Limits, s3_bucket
from deployments.fetch.spool import Pace, Progress, Sink, new_file

if TYPE_CHECKING:
    from obstore.store import S3Store

Result = TypeVar("Result")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_ENCODING = frozenset({"", "identity", "aws-chunked"})
_TEMPORARY = frozenset({408, 425, 429})  # the 4xx answers that ask to come again


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits of one download: bytes, seconds, redirects.

    Attributes:
        max_bytes: largest file.
        connect_timeout_s: for resolving a name, for one connection, and for its TLS handshake.
        read_timeout_s: longest silence.
        total_timeout_s: the whole download with its redirects.
        max_redirects: how many are followed.
        min_rate: bytes a second that come in every ``window_s``, once something has come.
    """

    max_bytes: int
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 10.0
    total_timeout_s: float = 600.0
    max_redirects: int = 10
    min_rate: float = 0.0
    window_s: float = math.inf


def fetch(
    url: str,
    folder: Path,
    policy: AddressPolicy,
    limits: FetchLimits,
    *,
    gcs_buckets: frozenset[str] = frozenset(),
    s3_buckets: frozenset[str] = frozenset(),
    s3_endpoint: str | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Path:
    """Download ``url`` into a new file of ``folder``, mode 0600, its name chosen here.

    On any failure nothing is left behind. ``progress`` gets the bytes received and the total (None
    where the other side does not say); ``cancelled`` is asked several times a second.

    Raises:
        SourceError: the address is malformed, redirects too often or answers compressed.
        AddressNotAllowedError: scheme, port, bucket or an address its host resolves to.
        SourceNotFoundError: the other side has no such file or will not give it.
        UnreachableError: no connection, no answer in time, a server error, a body that is broken
            or comes too slowly.
        TooLargeError: more than ``limits.max_bytes``, as announced or as received.
        StageFailedError: the disk is full.
        WorkCancelledError: ``cancelled`` said so.
    """
    source = parse_source(url)
    budget = Budget(describe(source), limits.total_timeout_s, cancelled)
    with new_file(folder) as (file, path):
        pace = partial(Pace, limits.min_rate, limits.window_s)
        sink = Sink(file, limits.max_bytes, budget, progress, pace)
        if isinstance(source, GcsObject):
            _refuse_foreign(source, gcs_buckets)
            _fetch_gcs(source, limits, budget, sink)
        elif isinstance(source, S3Object):
            _refuse_foreign(source, s3_buckets)
            _fetch_s3(source, s3_endpoint, limits, budget, sink)
        else:
            _fetch_http(source, policy, limits, budget, sink)
        sink.flush()
    return path


def _fetch_http(
    url: httpx.URL, policy: AddressPolicy, limits: FetchLimits, budget: Budget, sink: Sink
) -> None:
    timeouts = Timeouts(limits.connect_timeout_s, limits.read_timeout_s)
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    with guarded_pool(policy, budget) as pool:
        for _ in range(limits.max_redirects + 1):
            with answer_to(pool, "GET", url, policy, timeouts, headers) as response:
                answered = httpx.Headers(response.headers)
                if response.status not in _REDIRECTS:
                    _save(url, response, answered, sink)
                    return
                url = parse_redirect(url, answered.get("location", ""))
    raise SourceError(f"{budget.name} redirects more than {limits.max_redirects} times")


def _save(url: httpx.URL, response: httpcore.Response, headers: httpx.Headers, sink: Sink) -> None:
    if response.status != 200:
        raise _refusal(describe(url), response.status, headers.get("retry-after", ""))
    if not _plain(encoding := headers.get("content-encoding")):
        raise SourceError(f"{describe(url)} answers with content encoding {encoding[:20]!r}")
    # httpcore holds the body to its announced length; with both headers, chunks count (RFC 9112).
    if "content-length" in headers and "transfer-encoding" not in headers:
        sink.expect(int(headers["content-length"]))
    is_page = "html" in headers.get("content-type", "").lower()
    for chunk in response.iter_stream():
        if is_page and chunk.lstrip().startswith(b"<"):
            raise SourceError(
                f"{describe(url)} is a web page (text/html came back), not a video",
                hint="Give the address of the file itself, which downloads without signing in.",
            )
        is_page = False
        sink.write(chunk)


def _plain(encoding: str | None) -> bool:
    """Return whether a body of this content encoding is the file itself.

    ``aws-chunked`` is how it was uploaded; S3 names it with files all the same.
    """
    return {part.strip().lower() for part in (encoding or "").split(",")} <= _NO_ENCODING


def _refusal(name: str, status: int, retry_after: str = "") -> ServiceError:
    """Map a status other than 200 to an error."""
    text = f"{name} answered with status {status}"
    if 400 <= status < 500 and status not in _TEMPORARY:
        return SourceNotFoundError(text, upstream_status=status)
    return UnreachableError(
        text,
        retryable=status >= 400,
        retry_after_s=float(retry_after) if retry_after.isdecimal() else None,
        upstream_status=status,
    )


def _refuse_foreign(source: GcsObject | S3Object, buckets: frozenset[str]) -> None:
    """Refuse a bucket that no operator named.

    It is read with the service's own identity: a caller could read whatever the service may.
    """
    if source.bucket not in buckets:
        raise AddressNotAllowedError(
            f"The bucket {source.bucket} is not one this service reads",
            hint="Use a signed https address, or ask an operator to allow the bucket.",
        )


def _fetch_gcs(source: GcsObject, limits: FetchLimits, budget: Budget, sink: Sink) -> None:
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from google.cloud.storage.retry import DEFAULT_RETRY

    waits = {
        "timeout": (limits.connect_timeout_s, limits.read_timeout_s),
        "retry": DEFAULT_RETRY.with_timeout(budget.left_s()),
    }
    try:
        with gcs_client() as client:
            blob = client.bucket(source.bucket).get_blob(source.name, **waits)
            if blob is None:
                raise _refusal(budget.name, 404)
            if not _plain(blob.content_encoding):
                raise SourceError(f"{budget.name} is stored with a content encoding")
            sink.expect(blob.size)
            # The very version whose size was checked, as stored.
            blob.download_to_file(
                sink, raw_download=True, if_generation_match=blob.generation, **waits
            )
    except GoogleAPICallError as error:
        raise _refusal(budget.name, int(error.code or 500)) from error
    except GoogleAuthError as error:
        raise _no_identity(budget, "Google") from error
    except (RetryError, DataCorruption, InvalidResponse, requests.RequestException) as error:
        raise UnreachableError(f"{budget.name} could not be received whole") from error


def _no_identity(budget: Budget, of: str) -> UnreachableError:
    return UnreachableError(
        f"{budget.name} cannot be read: this service has no valid {of} identity",
        hint="An operator must give the service credentials for the bucket.",
        retryable=False,
    )


def _fetch_s3(
    source: S3Object, endpoint: str | None, limits: FetchLimits, budget: Budget, sink: Sink
) -> None:
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    waits = S3Limits(
        connect_s=limits.connect_timeout_s,
        read_s=limits.read_timeout_s,
        total_s=limits.total_timeout_s,
        retry_s=budget.left_s(),
    )
    try:
        asyncio.run(_receive(s3_bucket(source.bucket, endpoint, waits), source, budget, sink))
    except FileNotFoundError as error:
        raise _refusal(budget.name, 404) from error
    except PermissionDeniedError as error:
        raise _refusal(budget.name, 403) from error
    except UnauthenticatedError as error:
        raise _no_identity(budget, "S3") from error
    except BaseError as error:
        raise UnreachableError(f"{budget.name} could not be received whole") from error


async def _receive(store: "S3Store", source: S3Object, budget: Budget, sink: Sink) -> None:
    """Receive an object; what breaks off goes on where it broke, from the same version."""
    import obstore

    found = await _while_wanted(obstore.get_async(store, source.name), budget, sink)
    if not _plain(found.attributes.get("Content-Encoding")):
        raise SourceError(f"{budget.name} is stored with a content encoding")
    sink.expect(found.meta["size"])
    # Piece by piece, as each is judged by the lowest rate.
    pieces: AsyncIterator[bytes] = found.stream(min_chunk_size=1)
    while piece := await _while_wanted(anext(pieces, b""), budget, sink):
        sink.write(piece)


async def _while_wanted(work: Awaitable[Result], budget: Budget, sink: Sink) -> Result:
    """Wait for ``work``, and hold it to its budget and pace meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=min(POLL_S, budget.left_s()))
            sink.check_pace()
        return task.result()
    finally:
        task.cancel()
