"""Answers are compressed as Accept-Encoding says, and whatever is not text is left alone."""

import asyncio
import gzip
import json
import threading
import zlib

import httpx
import pytest
import zstandard
from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse

from deployments.errors import NotAcceptableError
from serve_app.http.compression import MIN_BYTES, Compressed, coding_for
from serve_app.http.routes import create_app
from tests.support.asgi import AsgiTransport
from tests.unit.serve_app.test_service import service_of

LONG = {"numbers": list(range(2000))}
TEXT = json.dumps(LONG, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("accepted", "name", "plain"),
    [
        ("", None, True),
        ("gzip, deflate", "gzip", True),
        ("gzip, deflate, br, zstd", "zstd", True),
        ("x-gzip", "gzip", True),
        ("GZIP;Q=0.5, zstd;q=0.4", "gzip", True),
        ("gzip;q=0.5, zstd ; q=0.5", "zstd", True),
        ("gzip;q=0, zstd;q=0", None, True),
        ("gzip;q=many", None, True),
        ("br", None, True),
        ("*", "zstd", True),
        ("*, zstd;q=0", "gzip", True),
        ("identity, gzip;q=0.5", None, True),
        ("identity;q=0.5, gzip", "gzip", True),
        ("identity;q=0, gzip", "gzip", False),
        ("*;q=0, gzip", "gzip", False),
        ("identity;q=0, *", "zstd", False),
        ("gzip, identity;q=0, gzip;q=0.000", "refused", None),
        ("identity;q=0", "refused", None),
        ("*;q=0", "refused", None),
        ("br, identity;q=0", "refused", None),
        (",;q=1,=,;;", None, True),
    ],
)
def test_the_encoding_is_the_caller_s_choice(accepted, name, plain):
    if name == "refused":
        with pytest.raises(NotAcceptableError):
            coding_for(accepted)
        return
    coding, allowed = coding_for(accepted)
    assert (coding and coding.name, allowed) == (name, plain)


def application(tmp_path):
    app = FastAPI()
    app.add_middleware(Compressed)
    film = tmp_path / "film.mp4"
    film.write_bytes(bytes(5000))

    @app.get("/long")
    def long():
        return JSONResponse(LONG, headers={"ETag": '"a"', "Vary": "Origin"})

    @app.get("/short")
    def short():
        return JSONResponse({"short": True})

    @app.get("/film")
    def the_film():
        return FileResponse(film, media_type="video/mp4")

    @app.get("/range")
    def a_range():
        return PlainTextResponse("a" * 2000, 206, headers={"Content-Range": "bytes 0-1999/4000"})

    @app.get("/packed")
    def packed():
        headers = {"Content-Encoding": "gzip"}
        return PlainTextResponse(gzip.compress(b"a" * 2000), headers=headers)

    @app.get("/lines")
    def lines():
        pieces = (b'{"n":%d}\n' % n for n in range(3))
        return StreamingResponse(pieces, media_type="application/x-ndjson")

    return app


@pytest.fixture
def http(tmp_path):
    with httpx.Client(
        transport=AsgiTransport(application(tmp_path)), base_url="http://test"
    ) as client:
        client.headers.pop("accept-encoding")
        yield client


def raw(http, path, accepted, **headers):
    """The answer and its bytes as they travel."""
    request = http.build_request("GET", path, headers={"Accept-Encoding": accepted, **headers})
    answer = http.send(request, stream=True)
    return answer, b"".join(answer.iter_raw())


DECODERS = {
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


@pytest.mark.parametrize("coding", DECODERS)
def test_a_long_answer_is_compressed_whole(http, coding):
    answer, body = raw(http, "/long", coding)
    assert DECODERS[coding](body) == TEXT
    assert len(body) < len(TEXT) / 1.5
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["etag"] == 'W/"a"'
    assert answer.headers["vary"] == "Origin, Accept-Encoding"


def test_an_answer_to_a_caller_that_accepts_nothing_is_as_it_was(http):
    answer, body = raw(http, "/long", "identity")
    assert body == TEXT
    assert answer.headers["etag"] == '"a"'
    assert answer.headers["content-length"] == str(len(TEXT))
    assert "accept-encoding" in answer.headers["vary"].lower()


@pytest.mark.parametrize("path", ["/short", "/film", "/range", "/packed"])
def test_what_is_short_a_video_a_range_or_compressed_already_is_left_alone(http, path):
    plain, expected = raw(http, path, "identity")
    answer, body = raw(http, path, "gzip, zstd")
    assert body == expected
    assert answer.headers.items() == plain.headers.items()


def test_a_short_answer_is_compressed_where_nothing_else_is_accepted(http):
    answer, body = raw(http, "/short", "gzip, identity;q=0")
    assert len(body) < MIN_BYTES
    assert json.loads(gzip.decompress(body)) == {"short": True}
    assert answer.headers["content-encoding"] == "gzip"


def test_ranges_of_a_video_are_bytes_of_the_file(http):
    answer, body = raw(http, "/film", "gzip", Range="bytes=0-9")
    assert (answer.status_code, body) == (206, bytes(10))


@pytest.mark.parametrize("coding", DECODERS)
def test_each_line_of_a_stream_can_be_read_before_the_next(tmp_path, coding):
    """The pieces as they are sent, decompressed one by one."""
    sent = []
    headers = [(b"accept-encoding", coding.encode())]
    scope = {"type": "http", "method": "GET", "path": "/lines", "headers": headers}
    scope |= {"query_string": b"", "raw_path": b"/lines", "http_version": "1.1"}

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    asyncio.run(application(tmp_path)(scope, receive, send))
    start, *pieces = sent
    assert b"content-length" not in dict(start["headers"])
    decoder = (
        zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    )
    lines = [decoder.decompress(piece["body"]) for piece in pieces if piece["body"]]
    assert [line for line in lines if line] == [b'{"n":0}\n', b'{"n":1}\n', b'{"n":2}\n']


def test_a_long_answer_is_compressed_off_the_event_loop(http, monkeypatch):
    threads = []
    begin = zlib.compressobj

    class Watched:
        def __init__(self, *args, **options):
            self._inner = begin(*args, **options)

        def compress(self, data):
            threads.append(threading.current_thread())
            return self._inner.compress(data)

        def flush(self, mode):
            return self._inner.flush(mode)

    monkeypatch.setattr(zlib, "compressobj", Watched)
    _, body = raw(http, "/long", "gzip")
    monkeypatch.undo()
    assert gzip.decompress(body) == TEXT
    assert threads[0] is not threading.main_thread()


def test_a_caller_that_accepts_nothing_at_all_gets_a_problem(marker_config, tmp_path):
    app = create_app(service_of(marker_config, tmp_path))
    with httpx.Client(transport=AsgiTransport(app), base_url="http://test") as http:
        answer = http.get("/livez", headers={"Accept-Encoding": "identity;q=0"})
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
        document, body = raw(http, "/openapi.json", "zstd")
    assert document.headers["content-encoding"] == "zstd"
    assert "paths" in json.loads(DECODERS["zstd"](body))
