"""Bound videos and bodies on their way in, in number and in bytes.

They are no requests under way yet: whoever sends slowly, or not at all, holds none of their places.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployments.errors import OverloadedError
from serve_app.load import Load


class Incoming:
    """Count what this process receives and fetches, from any thread."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes: dict[object, int] = {}
        self._lock = threading.Lock()
        self._load = Load()

    @contextmanager
    def one(self) -> Iterator[Callable[[int], None]]:
        """Open a transfer; yield a function of its bytes so far, which may raise the same.

        Raises:
            OverloadedError: there are too many, or together they are too large.
        """
        key = object()
        with self._lock:
            is_full = len(self._bytes) >= self._most
            if not is_full:
                self._bytes[key] = 0
        if is_full:
            raise OverloadedError(
                f"{self._most} videos or bodies are being received, which is the limit",
                retry_after_s=self._load.retry_after_s(self._most),
                limit=self._most,
            )

        def hold(received: int) -> None:
            with self._lock:  # of two that are over it together, one goes on
                self._bytes[key] = received
                is_over = sum(self._bytes.values()) > self._most_bytes
                if is_over:
                    self._bytes[key] = 0
            if is_over:
                raise OverloadedError(
                    f"what is being received is over {self._most_bytes} bytes together",
                    retry_after_s=self._load.retry_after_s(len(self._load) or 1),
                    limit=self._most_bytes,
                )

        try:
            with self._load.one():
                yield hold
        finally:
            with self._lock:
                del self._bytes[key]
