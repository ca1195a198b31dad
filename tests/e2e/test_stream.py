"""A stream through Serve's proxy: lines while segments finish, bounded memory if nobody reads."""

import json
import os
import socket
import time
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from serve_app.http.pose_stream import MOST_BYTES
from tests.support import markers

STALL_S = float(os.environ.get("STREAM_STALL_S", "5"))
MOST_MEMORY = 64 * 1024**2
FRAMES = 1800
pytestmark = pytest.mark.parametrize("survivor", ["sqlite"], indirect=True)


def memory(service, *names):
    """Resident bytes of the processes of these names."""
    found = psutil.Process(service.pid).children(recursive=True)
    return sum(
        p.memory_info().rss for p in found if any(name in " ".join(p.cmdline()) for name in names)
    )


def test_lines_come_before_the_video_is_done(survivor, tmp_path):
    video = markers.write_video(tmp_path / "squats.mp4", markers.squat(90)).read_bytes()
    kinds = []
    with (
        httpx.Client(base_url=survivor.url, timeout=120) as http,
        http.stream("POST", "/pose", params={"stream": "true"}, files={"file": video}) as answer,
    ):
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        kinds = [json.loads(line)["type"] for line in answer.iter_lines()]
    assert kinds.count("frame") == 90
    assert kinds.index("poses") < kinds.index("frame")
    assert kinds[-1] == "result"


def test_a_reader_that_stalls_costs_little_memory(survivor, tmp_path):
    """What is sent has a limit, as Serve's proxy takes all of it at once."""
    video = markers.write_video(tmp_path / "long.mp4", markers.squat(FRAMES)).read_bytes()
    watched = ("ProxyActor", "Ingress")
    with httpx.Client(base_url=survivor.url, timeout=300) as http:
        http.post("/pose", data={"video": "false"}, files={"file": video}).raise_for_status()
    before = memory(survivor, *watched)
    address = urlsplit(survivor.url)
    boundary = b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    body = (
        boundary % (b"video", b"", b"false")
        + boundary % (b"file", b'; filename="long.mp4"', video)
        + b"--x--\r\n"
    )
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect((address.hostname, address.port))
        reader.sendall(
            b"POST /pose?stream=true HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        reader.settimeout(120)
        head = reader.recv(1024)
        assert head.startswith(b"HTTP/1.1 200")
        most = 0
        end = time.monotonic() + STALL_S + 10
        while time.monotonic() < end:
            most = max(most, memory(survivor, *watched) - before)
            time.sleep(0.25)
    print(f"{most >> 20} MiB over idle")
    assert most < MOST_MEMORY, f"{most >> 20} MiB over"
    assert MOST_BYTES < MOST_MEMORY
    # The reader has gone: its place is free, and the next one is answered.
    with httpx.Client(base_url=survivor.url, timeout=120) as http:
        short = markers.write_video(tmp_path / "short.mp4", markers.squat(30)).read_bytes()
        assert http.post("/pose", files={"file": short}).status_code == 200
