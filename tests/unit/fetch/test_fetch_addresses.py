"""Which addresses may be contacted: every known way of writing a private one, and properties."""

import pickle
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.errors import ConfigurationError
from deployments.fetch.addresses import AddressPolicy, is_public

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "142.250.74.112",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "2001:4860:4860::8888",  # 2001::/23 ends before it
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
NOT_PUBLIC = {
    "this host": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.1.2.3", "127.255.255.255", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"],
    "metadata": ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1"],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.8", "4000::1", "5f00::1", "100::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarking": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "withdrawn": ["192.88.99.1", "3ffe::1", "2001:10::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"],
    "compatible": ["::127.0.0.1", "::169.254.169.254"],
    "translated": ["::ffff:0:127.0.0.1", "::ffff:0:808:808"],
    "NAT64": ["64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1"],
    "local NAT64": ["64:ff9b:1::a9fe:a9fe", "64:ff9b:1::808:808", "64:ff9b:1:a9fe:a9:fe00::"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:a00:1::1"],
    "Teredo": [
        "2001:0:a00:1::f7f7:f7f7",  # server 10.0.0.1, client 8.8.8.8
        "2001:0:808:808::80ff:fffe",  # server 8.8.8.8, client 127.0.0.1
    ],
    "ISATAP": [
        "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:169.254.169.254",
        "2606:4700::100:5efe:127.0.0.1",
        "fe80::5efe:8.8.8.8",
        "2002:808:808::5efe:10.0.0.1",
    ],
}


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", [text for texts in NOT_PUBLIC.values() for text in texts])
def test_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.16689662",
        "::ffff:a9fe:a9fe",
    ],
)
def test_numeric_hosts_are_judged_by_what_they_resolve_to(host: str) -> None:
    resolved = [ip_address(answer[4][0]) for answer in socket.getaddrinfo(host, 80)]
    assert resolved
    assert not any(is_public(address) for address in resolved)


@given(st.ip_addresses(v=4))
@example(IPv4Address("168.63.129.16"))
@example(IPv4Address("192.88.99.1"))
def test_ipv4_agrees_with_the_standard_library_but_for_what_that_leaves_open(
    address: IPv4Address,
) -> None:
    left_open = (
        address.is_multicast
        or address == IPv4Address("168.63.129.16")
        or int(address) >> 8 in (0xC05863, 0xC00000)  # 192.88.99.0/24, 192.0.0.0/24
    )
    assert is_public(address) == (address.is_global and not left_open)


@given(st.one_of(st.ip_addresses(v=6), st.ip_addresses(v=6, network="2000::/3")))
def test_ipv6_is_never_laxer_than_the_standard_library(address: IPv6Address) -> None:
    stands_for_ipv4 = address in IPv6Network("2002::/16") or address in IPv6Network("2001::/32")
    if is_public(address) and address.ipv4_mapped is None and not stands_for_ipv4:
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "::", "64:ff9b::"]))
@example(IPv4Address("10.0.0.1"), "64:ff9b::")
def test_ipv6_that_stands_for_ipv4_is_judged_as_that(inner: IPv4Address, prefix: str) -> None:
    assert is_public(IPv6Address(int(IPv6Address(prefix)) | int(inner))) == is_public(inner)


@given(st.ip_addresses(v=4), st.integers(0, 2**80 - 1))
@example(IPv4Address("127.0.0.1"), 1)
@example(IPv4Address("8.8.8.8"), 0)
def test_6to4_of_a_private_address_is_never_public(inner: IPv4Address, rest: int) -> None:
    address = IPv6Address(0x2002 << 112 | int(inner) << 80 | rest)
    assert address.sixtofour == inner
    assert not is_public(address) or is_public(inner)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 2**32 - 1))
def test_teredo_is_public_only_if_server_and_client_are(
    server: IPv4Address, client: IPv4Address, middle: int
) -> None:
    address = IPv6Address(
        0x2001_0000 << 96 | int(server) << 64 | middle << 32 | (int(client) ^ 0xFFFF_FFFF)
    )
    assert address.teredo == (server, client)
    assert not is_public(address) or (is_public(server) and is_public(client))


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "permitted"),
    [
        # Nothing added: public addresses on web ports.
        (None, "example.com", 443, "8.8.8.8", True),
        (None, "example.com", 80, "2606:4700::1", True),
        (None, "example.com", 8080, "8.8.8.8", False),
        (None, "example.com", 22, "8.8.8.8", False),
        (None, "example.com", 443, "10.0.0.1", False),
        # A network, whatever the name, on every port.
        ("10.1.0.0/16", "a.internal", 9000, "10.1.2.3", True),
        ("10.1.0.0/16", "a.internal", 9000, "10.2.2.3", False),
        ("127.0.0.1", "localhost", 8000, "127.0.0.1", True),
        ("127.0.0.1", "localhost", 8000, "127.0.0.2", False),
        ("127.0.0.1", "localhost", 8000, "::1", False),
        ("127.0.0.1", "localhost", 8000, "::ffff:127.0.0.1", True),
        ("::1", "localhost", 8000, "::1", True),
        ("fd00::/8", "a.internal", 80, "fd12::1", True),
        ("169.254.169.254", "169.254.169.254", 80, "169.254.169.254", True),
        # On one port.
        ("127.0.0.1:8000", "localhost", 8000, "127.0.0.1", True),
        ("127.0.0.1:8000", "localhost", 8001, "127.0.0.1", False),
        ("[::1]:8000", "localhost", 8000, "::1", True),
        ("[::1]:8000", "localhost", 80, "::1", False),
        ("10.0.0.0/8:9000", "minio", 9000, "10.0.0.1", True),
        # A name, without regard to case or a final dot.
        ("minio.internal", "minio.internal", 9000, "10.0.0.1", True),
        ("Minio.Internal.", "MINIO.internal", 9000, "fd12::1", True),
        ("minio.internal", "minio.internal.", 9000, "8.8.8.8", True),
        ("minio.internal", "other.internal", 9000, "10.0.0.1", False),
        ("minio.internal", "a.minio.internal", 9000, "10.0.0.1", False),
        ("minio:9000", "minio", 9000, "100.64.0.1", True),
        ("minio:9000", "minio", 80, "10.0.0.1", False),
        ("localhost", "localhost", 8000, "::1", True),
        # A name vouches for services, not for the machine's cloud.
        ("minio", "minio", 80, "169.254.169.254", False),
        ("minio", "minio", 80, "::ffff:169.254.169.254", False),
        ("minio", "minio", 80, "64:ff9b::a9fe:a9fe", False),
        ("minio", "minio", 80, "fd00:ec2::254", False),
        ("minio", "minio", 80, "100.100.100.200", False),
        ("minio", "minio", 80, "168.63.129.16", False),
        ("minio", "minio", 80, "0.0.0.0", False),
        ("minio", "minio", 80, "224.0.0.1", False),
    ],
)
def test_policy(entry: str | None, host: str, port: int, address: str, permitted: bool) -> None:
    policy = AddressPolicy(frozenset({entry} if entry else ()))
    assert policy.permits(host, port, ip_address(address)) is permitted


@given(st.ip_addresses(), st.integers(1, 65535))
def test_without_entries_only_public_web_is_permitted(
    address: IPv4Address | IPv6Address, port: int
) -> None:
    if AddressPolicy().permits("example.com", port, address):
        assert port in (80, 443)
        assert is_public(address)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " ",
        "*",
        "*.example.com",
        "http://minio",
        "minio/path",
        "minio:",
        "minio:0",
        "minio:65536",
        "minio:port",
        "10.0.0.1/8",  # host bits set: what was meant?
        "10.0.0.0/33",
        "2130706433",
        "127.1",
        "0x7f000001",
        "[::1]",
        "bücher.example",
        "-minio" * 50,
        "a..b",
    ],
)
def test_wrong_entry_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AddressPolicy(frozenset({entry}))
    assert repr(entry) in caught.value.detail
    assert caught.value.facts == {"setting": "allowed_hosts"}


def test_policy_travels_between_processes() -> None:
    policy = AddressPolicy(frozenset({"127.0.0.1:8000"}), allow_http=False)
    copy = pickle.loads(pickle.dumps(policy))
    assert copy == policy
    assert copy.permits("localhost", 8000, ip_address("127.0.0.1"))
