"""Names that resolve as a test wants."""

import ipaddress
import socket
from typing import Any

import pytest

from tests.support.downloads import Resolver


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Makes a name resolve to one answer after another; returns the list of names asked for."""

    def install(name: str, answers: list[list[str]]) -> list[str]:
        asked: list[str] = []
        real = socket.getaddrinfo

        def stub(host: str, port: int, *args: Any, **keywords: Any) -> Any:
            if host != name:
                ipaddress.ip_address(host)  # anything but a literal would leave this machine
                return real(host, port, *args, **keywords)
            asked.append(host)
            answer = answers[min(len(asked), len(answers)) - 1]
            return [item for text in answer for item in real(text, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", stub)
        return asked

    return install
