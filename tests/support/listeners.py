"""Sockets that the processes of a graph listen on, and what the operators' page says of them."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

import psutil

from tests.conftest import ROOT

_NAMED = re.compile(r"^\| all interfaces \| `([^`]+)`", re.MULTILINE)


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket: pid and name of its process, and its port.

    Attributes:
        open: whether it is bound to an address other than loopback's.
    """

    pid: int
    process: str
    port: int
    open: bool


def listeners(pid: int) -> list[Listener]:
    """Return the listeners of process ``pid`` and of its descendants."""
    first = psutil.Process(pid)
    found = []
    for process in (first, *first.children(recursive=True)):
        try:
            name = process.cmdline()[0]
            sockets = process.net_connections("tcp")
        except (psutil.NoSuchProcess, IndexError):  # it has ended meanwhile
            continue
        found += [
            Listener(
                process.pid, ":".join(name.split(":")[:3]), s.laddr.port, not _loops(s.laddr.ip)
            )
            for s in sockets
            if s.status == psutil.CONN_LISTEN
        ]
    return found


def named_in_the_operators_page() -> set[str]:
    """Return the processes that ``docs/operator.md`` says listen on all interfaces."""
    return set(_NAMED.findall((ROOT / "docs" / "operator.md").read_text()))


def _loops(host: str) -> bool:
    address = ip_address(host)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
