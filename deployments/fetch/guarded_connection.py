"""Connections that are judged when they are made, and given up in time.

This is the one place where a socket to a caller's address is opened. The name is resolved once,
every address it resolves to must be permitted, and the connection goes to one of those very
addresses; whatever led here, a redirect or a name that resolves differently each time, is
therefore covered. TLS and the ``Host`` header keep the name.
"""

import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import httpcore

from deployments.concurrency import Cancelled, WorkCancelledError
from deployments.errors import AddressNotAllowedError, UnreachableError
from deployments.fetch.addresses import AddressPolicy, IPAddress

_log = logging.getLogger(__name__)

POLL_S = 0.25  # how soon a wait for bytes notices that it is no longer wanted


@dataclass(frozen=True, slots=True)
class Budget:
    """The time one download may take in all, and whether it is still wanted.

    Attributes:
        name: of the download in messages.
        total_s: seconds from the creation of this object.
        cancelled: asked at every wait; None never cancels.
    """

    name: str
    total_s: float
    cancelled: Cancelled | None = None
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_end", time.monotonic() + self.total_s)

    def left_s(self) -> float:
        """Seconds left, more than 0.

        Raises:
            WorkCancelledError: the caller no longer wants the file.
            UnreachableError: the time is used up.
        """
        if self.cancelled is not None and self.cancelled():
            raise WorkCancelledError(self.name)
        left = self._end - time.monotonic()
        if left <= 0:
            raise UnreachableError(
                f"{self.name} was not received within {self.total_s:g} s", limit_s=self.total_s
            )
        return left


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections for httpcore, only to addresses that ``policy`` permits."""

    def __init__(self, policy: AddressPolicy, budget: Budget) -> None:
        self._policy = policy
        self._budget = budget
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of ``host`` that answers.

        Raises:
            AddressNotAllowedError: one of its addresses is not permitted; none was contacted.
            httpcore.ConnectError: the name has no address, or none answers.
            httpcore.ConnectTimeout: the last one tried did not answer in time.
        """
        addresses = _resolve(
            host, port, min(timeout or self._budget.left_s(), self._budget.left_s())
        )
        for address in addresses:
            if not self._policy.permits(host, port, address):
                _log.warning("refused to contact %s port %d: it is %s", host, port, address)
                raise AddressNotAllowedError(
                    f"{host} port {port} is not a public web address, or not on an allowed port"
                )
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            left = self._budget.left_s()
            try:
                stream = self._plain.connect_tcp(
                    str(address), port, min(timeout or left, left), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _GuardedStream(stream, self._budget)
        raise failure


class _GuardedStream(httpcore.NetworkStream):
    """A connection whose every wait ends with the budget, at the latest."""

    def __init__(self, stream: httpcore.NetworkStream, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        end = time.monotonic() + (timeout or self._budget.total_s)
        while True:
            wait_s = min(POLL_S, self._budget.left_s(), max(0.001, end - time.monotonic()))
            try:
                return self._stream.read(max_bytes, wait_s)
            except httpcore.ReadTimeout:
                if time.monotonic() >= end:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self._budget.left_s()
        self._stream.write(buffer, min(timeout or left, left))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._budget.left_s()
        stream = self._stream.start_tls(ssl_context, server_hostname, min(timeout or left, left))
        return _GuardedStream(stream, self._budget)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _resolve(host: str, port: int, timeout_s: float) -> list[IPAddress]:
    """The addresses of ``host`` in the resolver's order, each once.

    The resolver of the system knows no time limit, hence the thread; it is left behind, a daemon,
    when the limit passes.
    """
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"{host} was not resolved in {timeout_s:g} s") from None
    if isinstance(answer, Exception):
        raise httpcore.ConnectError(f"{host} cannot be resolved") from answer
    return list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in answer))
