"""Send HTTP requests over guarded connections.

httpcore is driven directly: httpx would log each URL with its query, which may be a signature.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import httpcore
import httpx

from deployments.errors import AddressNotAllowedError, UnreachableError
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_connection import Budget, GuardedBackend
from deployments.fetch.media_source import describe, parse_source

_ANSWER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits of one connection.

    Attributes:
        connect_s: for resolving a name, for one connection, and for its TLS handshake.
        silence_s: longest wait for bytes to come, or to leave.
    """

    connect_s: float = 5.0
    silence_s: float = 10.0


def post(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    policy: AddressPolicy,
    *,
    total_timeout_s: float,
    timeouts: Timeouts = Timeouts(),
) -> int:
    """Send ``content`` and return the status of the answer; a redirect is one and not followed.

    Of the answer's body at most 64 KiB and what fits in the time is read, and nothing kept.

    Raises:
        SourceError: the address is malformed.
        AddressNotAllowedError: scheme, port or an address its host resolves to.
        UnreachableError: no connection, no answer in time, or a malformed one.
    """
    target = parse_source(url)
    if not isinstance(target, httpx.URL):
        raise AddressNotAllowedError(f"{describe(target)} is not an http or https address")
    budget = Budget(describe(target), total_timeout_s)
    with (
        guarded_pool(policy, budget) as pool,
        answer_to(pool, "POST", target, policy, timeouts, headers, content) as response,
    ):
        left = _ANSWER_BYTES
        with suppress(UnreachableError, *_BROKEN):
            for chunk in response.iter_stream():
                left -= len(chunk)
                if left <= 0:
                    break
        return response.status


def guarded_pool(policy: AddressPolicy, budget: Budget) -> httpcore.ConnectionPool:
    """Return a pool that connects only where ``policy`` permits, and reuses no connection."""
    return httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(),
        network_backend=GuardedBackend(policy, budget),
        max_keepalive_connections=0,
    )


_BROKEN: Final = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


@contextmanager
def answer_to(
    pool: httpcore.ConnectionPool,
    method: str,
    url: httpx.URL,
    policy: AddressPolicy,
    timeouts: Timeouts,
    headers: Mapping[str, str],
    content: bytes | None = None,
) -> Iterator[httpcore.Response]:
    """Send a request and give the answer, its body unread.

    Raises:
        AddressNotAllowedError: the address is not permitted, or not encrypted where it must be.
        UnreachableError: the connection, or the answer while it is read, breaks or is malformed.
    """
    if url.scheme == "http" and not policy.allow_http:
        raise AddressNotAllowedError(f"{describe(url)} is not encrypted; use https")
    limits = {
        "connect": timeouts.connect_s,
        "read": timeouts.silence_s,
        "write": timeouts.silence_s,
    }
    own = {"Host": url.netloc.decode("ascii"), "User-Agent": "mmpose-service"}
    try:
        with pool.stream(
            method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=[(name.encode(), value.encode()) for name, value in {**own, **headers}.items()],
            content=content,
            extensions={"timeout": limits},
        ) as response:
            yield response
    except httpcore.ConnectError as error:
        raise UnreachableError(f"{describe(url)} does not connect: {error}") from error
    except httpcore.TimeoutException as error:
        raise UnreachableError(f"{describe(url)} did not answer in time") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise UnreachableError(f"{describe(url)} broke off or answered malformed") from error
