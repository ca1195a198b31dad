"""Read answers of a service: problem documents become typed errors."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from deployments import errors
from deployments.errors import ServiceError, UnreachableError
from serve_app.access.caller import API_KEY_VARIABLE


def _all_errors(root: type[ServiceError]) -> dict[str, type[ServiceError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _all_errors(child)
    return found


_BY_CODE = _all_errors(errors.ServiceError)
_NO_FACTS = {*ServiceError("").problem(), "instance", "retry_after_s", "private"}
"""Fields of a problem document that are arguments of an error, or of the answer alone."""


class Key(httpx.Auth):
    """Send a key to the service alone: the address of a video may be a bucket's."""

    def __init__(self, key: str, service: httpx.URL) -> None:
        self._key = key
        self._service = _origin(service)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        if _origin(request.url) == self._service:
            request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


def key_for(base_url: str, api_key: str | None) -> Key | None:
    """Return the key to send, given or of the environment; None without any."""
    key = api_key or os.environ.get(API_KEY_VARIABLE)
    return Key(key, httpx.URL(base_url)) if key else None


def timeout(seconds: float) -> httpx.Timeout:
    """Return the limits of a request."""
    return httpx.Timeout(seconds, connect=10.0)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


@contextmanager
def reaching(address: httpx.URL) -> Iterator[None]:
    """Raise an UnreachableError where the connection fails within the block."""
    try:
        yield
    except httpx.RequestError as error:
        raise UnreachableError(
            f"{address} does not answer: {error or type(error).__name__}"
        ) from error


@contextmanager
def whole_file(to: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write, which is at ``to`` only once it is whole."""
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def error_of(answer: httpx.Response) -> ServiceError:
    """Return the error of a problem document."""
    try:
        return error_in(answer.json(), answer.headers.get("Retry-After", ""))
    except (ValueError, KeyError, TypeError):
        return unexpected(answer)


def error_in(document: dict[str, Any], after: str = "") -> ServiceError:
    """Return the error that a problem document describes, with its additional fields as facts.

    Args:
        after: the header ``Retry-After``.

    Raises:
        KeyError, TypeError: it is not a problem document.
    """
    kind = _BY_CODE.get(str(document["code"]), ServiceError)
    facts = {name: value for name, value in document.items() if name not in _NO_FACTS}
    return kind(
        str(document["detail"]),
        hint=str(document["hint"]),
        retryable=bool(document["retryable"]),
        retry_after_s=float(after) if after.isdecimal() else None,
        **facts,
    )


def unexpected(answer: httpx.Response) -> ServiceError:
    """Return the error of an answer of another source, such as Serve or a gateway."""
    return UnreachableError(
        f"the answer is not this service's: {answer.status_code} {answer.text[:200]!r}",
        retryable=answer.status_code in (408, 429) or answer.status_code >= 500,
    )
