"""Decide from which network addresses a video may be fetched.

The check applies to the addresses that a name resolves to, never to the text of a URL:
``2852039166``, ``0xA9FEA9FE`` and ``0251.0376.0251.0376`` all resolve to the metadata service of a
cloud. ``ipaddress.is_global`` is not sufficient: it is true for multicast and for IPv6 addresses
that embed a private IPv4 address.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)

from deployments.errors import ConfigurationError

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

# IANA special-purpose registries, 2025: everything that is no ordinary host of the internet.
_SPECIAL_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network; the kernel connects 0.0.0.0 to itself
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared behind carrier NAT; clouds keep services here
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's host agent, on a public address
            "169.254.0.0/16",  # link-local: the metadata service of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays, withdrawn
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarking
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)

# Only 2000::/3 has been given out for hosts; within it:
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: benchmarking, ORCHID, anycast services
            "2001:db8::/32",  # documentation
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # 6bone, withdrawn
            "3fff::/20",  # documentation
        ),
    )
)

# IPv6 that embeds IPv4. The local NAT64 prefix 64:ff9b:1::/48 is not among them: where it puts
# the IPv4 address is each site's choice, and the registry calls it not globally reachable.
_MAPPED = IPv6Network("::ffff:0:0/96")
_IN_LOWEST_BITS = (_MAPPED, IPv6Network("::/96"), IPv6Network("64:ff9b::/96"))
_6TO4 = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")

# What the name of an allow-listed host vouches for: a private service, not the machine's own cloud.
_INTERNAL = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "::1/128",
            "fc00::/7",
        ),
    )
)
_METADATA = tuple(map(ip_network, ("100.100.100.200/32", "fd00:ec2::254/128")))

_WEB_PORTS = frozenset({80, 443})
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_-]{1,63}\.)*[a-z_]([a-z0-9_-]{0,62})")
_HOST_AND_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<plain>[^:\[\]]+)):(?P<port>\d{1,5})")


def is_public(address: IPAddress) -> bool:
    """Return whether ``address`` is an ordinary host of the public internet.

    An IPv6 address that embeds an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo or
    ISATAP) is public only if every IPv4 address in it is.
    """
    if isinstance(address, IPv4Address):
        return not _within(address, _SPECIAL_V4)
    embedded = _transition(address)
    if not embedded and (address not in _GLOBAL_UNICAST or _within(address, _SPECIAL_V6)):
        return False
    return all(is_public(inner) for inner in (*embedded, *_isatap(address)))


def _within(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(address in network for network in networks)


def _transition(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses embedded in ``address``, by its prefix."""
    bits = int(address)
    if _within(address, _IN_LOWEST_BITS):
        return (_v4(bits),)
    if address in _6TO4:
        return (_v4(bits >> 80),)
    if address in _TEREDO:  # the server, and the client with its bits inverted
        return (_v4(bits >> 64), _v4(~bits))
    return ()


def _isatap(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 address in an interface identifier ``[02]00:5efe:a.b.c.d``, any prefix."""
    bits = int(address)
    return (_v4(bits),) if (bits >> 32) & 0xFCFF_FFFF == 0x0000_5EFE else ()


def _v4(bits: int) -> IPv4Address:
    return IPv4Address(bits & 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One allow-listed host: a name or a network, on one port or on all."""

    name: str | None
    network: IPNetwork | None
    port: int | None

    def covers(self, host: str, port: int, address: IPAddress) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address in self.network
        return host == self.name and (
            is_public(address) or (_within(address, _INTERNAL) and not _within(address, _METADATA))
        )


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Hosts that may be contacted: public ones on ports 80 and 443, and those an operator adds.

    An entry of ``allowed_hosts`` is one of

    - a network or an address (``10.1.0.0/16``, ``127.0.0.1``, ``::1``): it covers every address
      in it, whichever name led there;
    - a name (``minio.internal``): it covers the addresses that this very name resolves to, public,
      private, shared, unique-local or loopback. It never covers link-local addresses, metadata
      services, multicast or reserved ranges: those open only as a network;

    and holds for every port, or with a port behind (``minio.internal:9000``, ``127.0.0.1:8080``,
    ``[::1]:8080``) for that port alone.

    Attributes:
        allowed_hosts: the entries; a name is without regard to case, ASCII (``xn--...``).
        allow_http: whether unencrypted ``http`` may be used at all.

    Raises:
        ConfigurationError: an entry is none of these.
    """

    allowed_hosts: frozenset[str] = frozenset()
    allow_http: bool = True
    _entries: tuple[_Entry, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        entries = tuple(_parse_entry(text) for text in sorted(self.allowed_hosts))
        object.__setattr__(self, "_entries", entries)

    def permits(self, host: str, port: int, address: IPAddress) -> bool:
        """Return whether ``host`` may be contacted at the resolved ``address`` on ``port``."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # the same end point by another spelling
        host = host.lower().removesuffix(".")
        return (port in _WEB_PORTS and is_public(address)) or any(
            entry.covers(host, port, address) for entry in self._entries
        )


def _parse_entry(text: str) -> _Entry:
    network = _parse_network(text)
    if network is not None:
        return _Entry(None, network, None)
    match = _HOST_AND_PORT.fullmatch(text)
    host, port = text, None
    if match:
        host, port = match["v6"] or match["plain"], int(match["port"])
        network = _parse_network(host)
    name = host.lower().removesuffix(".")
    if (port is None or 0 < port < 65536) and (network or _NAME.fullmatch(name)):
        return _Entry(None if network else name, network, port)
    raise ConfigurationError(
        f"allowed_hosts: {text!r} is no host name, address or network",
        hint="Write a name, name:port, an address or a network such as 10.1.0.0/16.",
        setting="allowed_hosts",
    )


def _parse_network(text: str) -> IPNetwork | None:
    try:
        return ip_network(text)
    except ValueError:
        return None
