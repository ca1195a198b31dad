"""What the emulators of object stores share: a server on loopback, its requests and its faults."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class StoreEmulator:
    """Answers by ``handler`` while the ``with`` block lasts; it is the server's ``emulator``.

    Attributes:
        requests: what came, in order, those answered with a fault too.
        faults: request and status to fail it with, each for one request and in order.
        ended: set as the block ends.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.requests: list[str] = []
        self.faults: list[tuple[str, int]] = []
        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.emulator = self  # type: ignore[attr-defined]
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def fault(self, request: str) -> int | None:
        """The status to fail this request with, if it is its turn."""
        self.requests.append(request)
        if self.faults and self.faults[0][0] == request:
            return self.faults.pop(0)[1]
        return None
