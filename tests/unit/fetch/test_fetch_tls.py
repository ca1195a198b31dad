"""Encrypted downloads: certificates are checked against the name."""

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deployments.errors import (
    AddressNotAllowedError,
    UnreachableError,
)
from deployments.fetch.addresses import AddressPolicy
from tests.support.downloads import BODY, Resolver, get, refused
from tests.support.loopback_server import Server, reply


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for video.test, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "video.test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("video.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_https_keeps_the_name(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    with Server(reply(BODY), tls=tls) as server:
        assert get(server.url(host="video.test"), tmp_path) == BODY
    assert server.server_names == ["video.test"]
    assert f"Host: video.test:{server.port}\r\n" in server.requests[0]


def test_unknown_certificate(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    with Server(reply(BODY), tls=tls) as server:
        refused(UnreachableError, server.url(host="video.test"), tmp_path)
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_certificate_of_another_host(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with Server(reply(BODY), tls=tls) as server:
        refused(UnreachableError, server.url(), tmp_path)
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_downgrade_to_http(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    with Server(reply(BODY)) as plain:
        with Server(reply(status=302, Location=plain.url()), tls=tls) as server:
            refused(AddressNotAllowedError, server.url(host="video.test"), tmp_path)
        assert server.connections == 1
    assert plain.connections == 0


@pytest.mark.usefixtures("trusted")
def test_https_only(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    policy = AddressPolicy(frozenset({"127.0.0.1"}), allow_http=False)
    with Server(reply(BODY)) as plain, Server(reply(BODY), tls=tls) as server:
        assert get(server.url(host="video.test"), tmp_path, policy) == BODY
        refused(AddressNotAllowedError, plain.url(), tmp_path, policy)
    assert plain.connections == 0
