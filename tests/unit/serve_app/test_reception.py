"""Bodies that stall, trickle, or are too many hold up nobody else."""

import asyncio
import gzip
import threading
import tracemalloc

import httpx
import pytest
import zstandard

from deployments.errors import NotAVideoError
from serve_app.http.routes import create_app
from tests.support.loopback_server import Server, forever
from tests.unit.serve_app.test_service import service_of

FORM = {"content-type": "multipart/form-data; boundary=x"}
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
TAIL = b"\r\n--x--\r\n"
JSON = {"content-type": "application/json"}
WAYS = [("/pose", FORM), ("/pose", JSON), ("/export?format=csv", JSON)]
WAY_IDS = ["form", "json", "export"]
QUICK = {"body_window_s": 1.0, "min_body_rate": 1000}


class NoVideo:
    """Stages that say of each file that it is no video: so far came a request that was let in."""

    async def probe(self, path, options):
        raise NotAVideoError(f"{path.stat().st_size} bytes of text")


@pytest.fixture
def ask(marker_config, tmp_path):
    """Sends requests to one application, all at once; gives its answers and its service."""

    def ask(*requests, **settings):
        service = service_of(marker_config, tmp_path, stages=NoVideo(), **settings)
        app = create_app(service)

        async def all_of_them():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                async with asyncio.timeout(30):
                    return await asyncio.gather(*(request(client) for request in requests))

        answers = asyncio.run(all_of_them())
        assert list(service.settings.spool_dir.iterdir()) == []
        return answers

    return ask


def post(*pieces, every_s=0.0, path="/pose", headers=FORM, ends=True):
    """A request whose body comes piece by piece, and stalls then unless it ``ends``."""

    async def body():
        for piece in pieces:
            yield piece
            await asyncio.sleep(every_s)
        if not ends:
            await asyncio.Event().wait()

    return lambda client: client.post(path, content=body(), headers=headers)


def later(request, seconds=0.1):
    async def call(client):
        await asyncio.sleep(seconds)
        return await request(client)

    return call


GOOD = post(HEAD, b"text", TAIL)


def problem_of(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def test_uploads_that_stall_take_no_place_and_are_ended(ask):
    stalled = [post(HEAD, b"x", ends=False)] * 4
    *ended, good = ask(*stalled, later(GOOD), max_concurrent_requests=4, **QUICK)
    assert problem_of(good)["code"] == "not_a_video"
    for answer in ended:
        problem = problem_of(answer)
        assert (problem["status"], problem["code"]) == (408, "body_timeout")
        assert problem["retryable"]
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(("path", "headers"), WAYS, ids=WAY_IDS)
@pytest.mark.parametrize(
    "pieces", [[], [bytes([byte]) for byte in HEAD]], ids=["nothing", "a byte now and then"]
)
def test_every_body_that_comes_too_slowly_is_ended(ask, path, headers, pieces):
    (answer,) = ask(post(*pieces, every_s=0.02, path=path, headers=headers, ends=False), **QUICK)
    assert problem_of(answer)["code"] == "body_timeout"


@pytest.mark.parametrize(("path", "headers"), WAYS, ids=WAY_IDS)
def test_every_body_that_stalls_when_the_service_ends_is_answered(
    marker_config, tmp_path, path, headers
):
    """(S7) Its caller has the grace, too, and then no connection that is cut."""
    service = service_of(marker_config, tmp_path)
    stalled = post(path=path, headers=headers, ends=False)

    async def end():
        transport = httpx.ASGITransport(create_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = asyncio.create_task(stalled(client))
            await asyncio.sleep(0.1)
            await service.drain(0.1)
            assert answer.done()
            return await answer

    answer = asyncio.run(asyncio.wait_for(end(), 30))
    assert (answer.status_code, problem_of(answer)["code"]) == (503, "not_ready")


def test_what_came_quickly_before_is_no_credit_for_a_stall(ask):
    (answer,) = ask(post(HEAD, b"x" * 1_000_000, ends=False), **QUICK)
    assert "1000 bytes/s for 1 s" in problem_of(answer)["detail"]


def test_a_body_that_comes_steadily_may_take_longer_than_the_window(ask):
    pieces = [b"x" * 400] * 40
    (answer,) = ask(post(HEAD, *pieces, TAIL, every_s=0.05), **QUICK)
    assert "16000 bytes of text" in problem_of(answer)["detail"]


def test_a_body_has_a_time_limit_in_all(ask):
    pieces = [b"x" * 1000] * 1000
    (answer,) = ask(post(HEAD, *pieces, every_s=0.03), **QUICK, body_timeout_s=0.5)
    assert "not whole after 0.5 s" in problem_of(answer)["detail"]


def test_only_so_many_bodies_are_received_at_once(ask):
    stalled = post(HEAD, ends=False)
    *ended, refused = ask(stalled, stalled, later(GOOD), max_bodies=2, **QUICK)
    assert {answer.status_code for answer in ended} == {408}
    assert (refused.status_code, problem_of(refused)["code"]) == (429, "overloaded")
    assert refused.headers["retry-after"]


def test_bodies_being_received_are_bounded_together(ask):
    half = post(HEAD, b"x" * 60_000, ends=False)
    answers = ask(half, later(half), max_bodies_bytes=100_000, **QUICK)
    assert sorted(answer.status_code for answer in answers) == [408, 429]


def test_bodies_that_were_received_are_counted_no_more(ask):
    calls = [later(GOOD, 0.05 * i) for i in range(4)]
    answers = ask(*calls, max_bodies=1, max_bodies_bytes=200)
    assert {answer.status_code for answer in answers} == {415}


@pytest.fixture
def dripping():
    """The address of a video that begins, and then comes a byte now and then."""
    over = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 60_000
    with Server(forever(head, b"x", over, 0.02)) as server:
        yield server.url()
        over.set()


def fetching(url):
    return lambda client: client.post("/pose", json={"video_url": url})


SLOW_FETCH = {**QUICK, "allowed_hosts": ["127.0.0.1"]}


def test_videos_that_are_slowly_fetched_take_no_place_and_are_ended(ask, dripping):
    many = [fetching(dripping)] * 40  # more than the event loop's own threads
    *ended, good = ask(*many, later(GOOD), max_concurrent_requests=4, **SLOW_FETCH)
    assert problem_of(good)["code"] == "not_a_video"
    assert {problem_of(answer)["code"] for answer in ended} == {"unreachable"}
    assert all("too slowly" in answer.json()["detail"] for answer in ended)


def test_fetches_and_bodies_are_bounded_together(ask, dripping):
    fetched, refused = ask(fetching(dripping), later(GOOD), max_bodies=1, **SLOW_FETCH)
    assert (fetched.status_code, refused.status_code) == (502, 429)
    two = fetching(dripping), later(fetching(dripping))
    answers = ask(*two, max_bodies_bytes=100_000, **SLOW_FETCH)
    assert sorted(answer.status_code for answer in answers) == [429, 502]


AS_TEXT = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
GZIPPED = gzip.compress(b'{"video_url": "https://example.org/a.mp4"}')
URL = b'{"video_url": "https://example.org/a.mp4"}'
ZSTDED = zstandard.compress(URL)
WIDE = (
    zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27))
    .compressobj()
    .compress(bytes(1 << 25))
    + b""
)
GZIP, ZSTD = {"content-encoding": "gzip"}, {"content-encoding": "zstd"}


@pytest.mark.parametrize("path", ["/pose", "/export?format=csv"])
@pytest.mark.parametrize(
    ("headers", "pieces", "detail", "hint"),
    [
        (JSON, [b"\xef\xbb\xbf" + URL], "begins with a byte order mark", "UTF-8 without one"),
        (JSON, [b"\xef", b"\xbb\xbf", URL], "begins with a byte order mark", "utf-8-sig"),
        (JSON, ["\ufeff{}".encode("utf-16-le")], "is in UTF-16", "UTF-8"),
        (JSON, [GZIPPED], "is compressed with gzip", "uncompressed"),
        (JSON | GZIP, [URL], "is not valid gzip", "whole body"),
        (JSON | GZIP, [GZIPPED[:-9]], "ends before its gzip stream", "all of it"),
        (JSON | GZIP, [GZIPPED, b"x"], "data after the end", "at once"),
        (JSON | GZIP, [GZIPPED, b"x" * 1000], "data after the end", "at once"),
        (JSON | GZIP, [gzip.compress(b"\xef\xbb\xbf{}")], "byte order mark", "UTF-8"),
        (JSON | GZIP, [gzip.compress(GZIPPED)], "is compressed with gzip", "uncompressed"),
        (JSON | ZSTD, [URL], "is not valid zstd", "whole body"),
        (JSON | ZSTD, [ZSTDED[:-3]], "ends before its zstd stream", "all of it"),
        (JSON | ZSTD, [WIDE], "is not valid zstd", "whole body"),
        (JSON | {"content-encoding": "gzip, gzip"}, [GZIPPED], "encoding 'gzip, gzip'", "without"),
        (JSON | {"content-encoding": "Br"}, [b"x"], "content encoding 'br'", "without"),
    ],
)
def test_bodies_that_are_no_plain_text_are_named(ask, path, headers, pieces, detail, hint):
    (answer,) = ask(post(*pieces, path=path, headers=headers))
    problem = problem_of(answer)
    assert (answer.status_code, problem["code"]) == (422, "bad_parameter")
    assert detail in problem["detail"]
    assert hint in problem["hint"]


@pytest.mark.parametrize(
    ("headers", "pieces", "detail", "hint"),
    [
        (FORM, [AS_TEXT, b"\x00\x00\x00\x18ftyp", TAIL], "came as text", "file=@run.mp4"),
        (FORM, [AS_TEXT, bytes(range(256)) * 64, TAIL], "exceeded maximum", "file=@run.mp4"),
        (FORM, [gzip.compress(HEAD + b"text" + TAIL)], "compressed with gzip", "uncompressed"),
        (FORM | {"content-encoding": "gzip"}, [b"x"], "content encoding 'gzip'", "without"),
    ],
)
def test_forms_whose_file_does_not_arrive_as_one_are_named(ask, headers, pieces, detail, hint):
    (answer,) = ask(post(*pieces, headers=headers))
    problem = problem_of(answer)
    assert answer.status_code == 422
    assert detail in problem["detail"]
    assert hint in problem["hint"]


REFUSED_URL = b'{"video_url": "ftp://example.org/a.mp4"}'


@pytest.mark.parametrize("headers", [{}, GZIP, ZSTD, {"content-encoding": "GZIP"}])
def test_a_body_of_json_may_be_compressed(ask, headers):
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress}
    body = pack.get(headers.get("content-encoding", "").lower(), bytes)(REFUSED_URL)
    (answer,) = ask(post(body[:9], body[9:], path="/pose", headers=JSON | headers))
    assert problem_of(answer)["code"] == "address_not_allowed"


@pytest.mark.parametrize("path", ["/pose", "/export?format=csv"])
@pytest.mark.parametrize(("headers", "pack"), [(GZIP, gzip.compress), (ZSTD, zstandard.compress)])
def test_a_body_that_decompresses_to_too_much_is_refused_within_bounds(ask, path, headers, pack):
    bomb = pack(bytes(100_000_000))
    tracemalloc.start()
    (answer,) = ask(post(bomb, path=path, headers=JSON | headers), max_result_bytes=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    problem = problem_of(answer)
    assert (answer.status_code, problem["code"]) == (413, "too_large")
    assert "when decompressed" in problem["detail"]
    assert peak < 50_000_000


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_body_that_says_it_is_not_encoded_is_read(ask, encoding):
    (answer,) = ask(post(HEAD, b"text", TAIL, headers=FORM | {"content-encoding": encoding}))
    assert problem_of(answer)["code"] == "not_a_video"
