"""A server on loopback that answers byte for byte as a test says, and counts who came."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

Answer = Callable[[socket.socket, str], None]
"""Given the connection and the path asked for, after the request's headers were read."""


def reply(
    body: bytes = b"", *, status: int = 200, length: int | None = None, **headers: str
) -> Answer:
    """A whole answer; ``length`` is what it announces instead of the true length."""
    lines = [
        f"HTTP/1.1 {status} Reason",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join([*lines, "", ""]).encode() + body)


def raw(data: bytes) -> Answer:
    """Exactly these bytes, then the connection closes."""
    return lambda connection, _path: connection.sendall(data)


def forever(head: bytes, piece: bytes, pause: threading.Event, pause_s: float) -> Answer:
    """``head``, then ``piece`` again and again until the other side goes or ``pause`` is set."""

    def answer(connection: socket.socket, _path: str) -> None:
        connection.sendall(head)
        while not pause.wait(pause_s):
            connection.sendall(piece)

    return answer


def reset(head: bytes) -> Answer:
    """``head``, then a TCP reset instead of an orderly end."""

    def answer(connection: socket.socket, _path: str) -> None:
        connection.sendall(head)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return answer


class Server:
    """Listens while the ``with`` block lasts.

    Attributes:
        answer: what each request gets. host, port: where it listens.
        connections: how many there were. requests: each request's head as text.
        server_names: the names given by TLS clients (SNI).
        over: set when the block ends.
    """

    def __init__(
        self,
        answer: Answer,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[str] = []
        self.server_names: list[str | None] = []
        self.over = threading.Event()
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.host, self.port = self._listener.getsockname()[:2]
        self._threads = [threading.Thread(target=self._accept)]

    def url(self, path: str = "/video.mp4", host: str | None = None) -> str:
        """The address of ``path`` here, under another name of this host if given."""
        name = host or self.host
        return f"{'https' if self._tls else 'http'}://{name}:{self.port}{path}"

    def __enter__(self) -> "Server":
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        # The other side may leave whenever it likes: that is what the tests are about.
        with contextlib.suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    byte = connection.recv(1)
                    if not byte:
                        return
                    head += byte
                text = head.decode("latin-1")
                self.requests.append(text)
                self.answer(connection, text.split()[1])


@contextlib.contextmanager
def closed_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port on which nothing listens, kept from others while the block lasts."""
    with socket.socket() as holder:
        holder.bind((host, 0))
        yield holder.getsockname()[1]
