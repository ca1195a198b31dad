"""Downloads from a server on this machine that misbehaves as servers do."""

import errno
import fcntl
import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from deployments.errors import DownloadError
from deployments.pose.download import ATTEMPTS, download
from deployments.pose.sources import Asset, UrlSource

BODY = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(BODY).hexdigest()
NAME = "net-0a1b2c3d.pth"


@dataclass
class Behavior:
    """How the server answers, and what it was asked."""

    body: bytes = BODY
    etag: str | None = '"one"'
    date: str | None = None
    ranges: bool = True
    chunked: bool = False
    statuses: list[int] = field(default_factory=list)  # of the first answers
    cuts: list[int] = field(default_factory=list)  # bytes after which the first answers break off
    asked: list[str | None] = field(default_factory=list)  # Range of each request


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        does: Behavior = self.server.behavior
        wanted = self.headers["Range"]
        does.asked.append(wanted)
        if does.statuses:
            return self.answer(does.statuses.pop(0), b"")
        start = 0
        if does.ranges and wanted and self.headers["If-Range"] in (does.etag, does.date):
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
        size = len(does.body)
        if start >= size:
            return self.answer(416, b"", {"Content-Range": f"bytes */{size}"})
        extra = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        extra |= {"ETag": does.etag} if does.etag else {}
        extra |= {"Last-Modified": does.date} if does.date else {}
        cut = does.cuts.pop(0) if does.cuts else None
        return self.answer(206 if start else 200, does.body[start:], extra, cut)

    def answer(self, status, body, headers=None, cut=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.server.behavior.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = cut is not None


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.behavior = Behavior()
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def asset(server):
    return asset_at(f"http://127.0.0.1:{server.server_address[1]}/models/{NAME}")


def asset_at(url, sha256=DIGEST):
    return Asset("Net", NAME, sha256, (UrlSource(url),) if url else ())


def fetch(asset, folder, **more):
    with httpx.Client(trust_env=False, follow_redirects=True) as client:
        return download(asset, folder, client=client, pause_s=0.0, **more)


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != NAME)


def test_fetches_into_a_new_folder_and_tells_progress(server, asset, tmp_path):
    told = []
    path = fetch(
        asset, tmp_path / "a" / "b", progress=lambda done, total: told.append((done, total))
    )
    assert path == tmp_path / "a" / "b" / NAME
    assert path.read_bytes() == BODY
    assert leftovers(path.parent) == []
    assert told[-1] == (len(BODY), len(BODY))
    assert told == sorted(told)


def test_does_not_ask_for_a_file_that_is_there(server, asset, tmp_path):
    (tmp_path / NAME).write_bytes(BODY)
    assert fetch(asset, tmp_path) == tmp_path / NAME
    assert server.behavior.asked == []


def test_replaces_a_file_of_another_digest(server, asset, tmp_path):
    (tmp_path / NAME).write_bytes(b"old")
    assert fetch(asset, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(
    "does",
    [
        Behavior(cuts=[100_000, 50_000]),
        Behavior(cuts=[100_000, 50_000], etag=None, date="Tue, 18 Apr 2023 08:00:00 GMT"),
        Behavior(cuts=[100_000, 50_000], etag='W/"weak"', date="Tue, 18 Apr 2023 08:00:00 GMT"),
    ],
    ids=["etag", "date", "weak etag and date"],
)
def test_goes_on_after_a_break(server, asset, tmp_path, does):
    server.behavior = does
    assert fetch(asset, tmp_path).read_bytes() == BODY
    assert does.asked == [None, "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize(
    "does",
    [
        Behavior(cuts=[100_000], ranges=False),
        Behavior(cuts=[100_000], etag=None),
        Behavior(cuts=[100_000], etag='"\xe9"'),
    ],
    ids=["no ranges", "nothing to tell versions by", "an ETag that cannot be sent"],
)
def test_begins_anew_where_it_cannot_go_on(server, asset, tmp_path, does):
    server.behavior = does
    assert fetch(asset, tmp_path).read_bytes() == BODY
    assert len(does.asked) == 2


def test_takes_a_body_of_unknown_length(server, asset, tmp_path):
    server.behavior.chunked = True
    told = []
    path = fetch(asset, tmp_path, progress=lambda done, total: told.append(total))
    assert path.read_bytes() == BODY
    assert set(told) == {None}


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, asset, tmp_path):
    server.behavior.cuts = [100_000, *[0] * ATTEMPTS]
    with pytest.raises(DownloadError, match="given up after"):
        fetch(asset, tmp_path)
    assert not (tmp_path / NAME).exists()
    asked = len(server.behavior.asked)
    server.behavior.cuts = []
    assert fetch(asset, tmp_path).read_bytes() == BODY
    assert server.behavior.asked[asked:] == ["bytes=100000-"]
    assert leftovers(tmp_path) == []


def test_of_several_calls_at_once_one_fetches(server, asset, tmp_path):
    server.behavior.cuts = [100_000]
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: fetch(asset, tmp_path), range(4)))
    assert {path.read_bytes() for path in paths} == {BODY}
    assert server.behavior.asked == [None, "bytes=100000-"]
    assert leftovers(tmp_path) == []


def test_fetches_where_folders_cannot_be_locked(server, asset, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EBADF, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert fetch(asset, tmp_path).read_bytes() == BODY


def test_does_not_join_two_versions(server, asset, tmp_path):
    server.behavior.cuts = [100_000, *[0] * ATTEMPTS]
    server.behavior.body = bytes(len(BODY))
    with pytest.raises(DownloadError):
        fetch(asset, tmp_path)
    server.behavior = Behavior(etag='"two"')
    assert fetch(asset, tmp_path).read_bytes() == BODY


def test_a_whole_part_needs_no_more_bytes(server, asset, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(BODY)
    (tmp_path / f"{NAME}.part.validator").write_text('"one"')
    assert fetch(asset, tmp_path).read_bytes() == BODY
    assert server.behavior.asked == [f"bytes={len(BODY)}-"]


@pytest.mark.parametrize("note", [b"\xff\xfe", b'"\0one"', b"\n", b""])
def test_a_damaged_note_of_a_part_begins_anew(server, asset, tmp_path, note):
    (tmp_path / f"{NAME}.part").write_bytes(BODY[:1000])
    (tmp_path / f"{NAME}.part.validator").write_bytes(note)
    assert fetch(asset, tmp_path).read_bytes() == BODY
    assert server.behavior.asked == [None]
    assert leftovers(tmp_path) == []


def test_a_part_longer_than_the_file_is_thrown_away(server, asset, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(BODY + b"more")
    (tmp_path / f"{NAME}.part.validator").write_text('"one"')
    assert fetch(asset, tmp_path).read_bytes() == BODY
    assert server.behavior.asked == [f"bytes={len(BODY) + 4}-", None]


def test_waits_out_a_passing_error(server, asset, tmp_path):
    server.behavior.statuses = [503, 429, 502]
    assert fetch(asset, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, ATTEMPTS)])
def test_gives_up_naming_address_and_place(server, asset, tmp_path, status, tries):
    server.behavior.statuses = [status] * 10
    with pytest.raises(DownloadError, match=str(status)) as caught:
        fetch(asset, tmp_path)
    assert len(server.behavior.asked) == tries
    assert str(asset.sources[0]) in caught.value.detail
    assert str(tmp_path / NAME) in caught.value.hint
    assert caught.value.retryable is (status == 503)


def test_refuses_the_wrong_bytes_and_keeps_none(server, asset, tmp_path):
    server.behavior.body = b"<html>Log in to the network</html>"
    with pytest.raises(DownloadError, match=DIGEST) as caught:
        fetch(asset, tmp_path)
    assert str(asset.sources[0]) in caught.value.detail
    assert list(tmp_path.iterdir()) == []


def test_a_prefix_of_the_digest_is_enough(server, asset, tmp_path):
    assert fetch(asset_at(asset.sources[0].url, DIGEST[:8]), tmp_path).read_bytes() == BODY
    with pytest.raises(DownloadError):
        fetch(asset_at(asset.sources[0].url, "00000000"), tmp_path / "other")


def test_nobody_listens(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    with pytest.raises(DownloadError, match="given up after") as caught:
        fetch(asset_at(f"http://127.0.0.1:{port}/{NAME}"), tmp_path)
    assert caught.value.retryable


def test_an_unpublished_model_has_no_download(tmp_path):
    with pytest.raises(DownloadError, match="not published") as caught:
        download(asset_at(None), tmp_path)
    assert str(tmp_path / NAME) in caught.value.hint


def test_a_folder_that_cannot_be_made(server, asset, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="Not a directory"):
        fetch(asset, tmp_path / "file" / "below")


def test_makes_a_client_of_its_own(server, asset, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert download(asset, tmp_path).read_bytes() == BODY
