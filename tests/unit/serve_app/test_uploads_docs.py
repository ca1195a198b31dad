"""The examples of docs/user.md for uploads in parts, run against a server."""

import json
import re
import subprocess
import threading
import time

import httpx
import pytest
import uvicorn

from serve_app.client import PoseClient
from serve_app.http.routes import create_app
from tests.conftest import ROOT, SQUAT_FRAMES
from tests.support.parts import TUS

PAGE = (ROOT / "docs" / "user.md").read_text().partition("### Uploads in parts")[2]
PAGE = PAGE.partition("\n### ")[0]


def block(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert "http://127.0.0.1:8003" in text
    assert "match.mp4" in text
    return text


@pytest.fixture
def url(service_for_parts, squat_video, tmp_path, monkeypatch):
    """A server on loopback; the video is in the folder, as in the examples."""
    (tmp_path / "match.mp4").write_bytes(squat_video.read_bytes())
    monkeypatch.chdir(tmp_path)
    config = uvicorn.Config(create_app(service_for_parts), port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    end = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_curl(url, tmp_path):
    script = block("sh").replace("http://127.0.0.1:8003", url).replace("8M", "20k")
    subprocess.run(["sh", "-euc", script], check=True, timeout=60)
    assert len(list(tmp_path.glob("part-*"))) > 1
    answer = json.loads((tmp_path / "match.json").read_text())
    assert answer["data"]["processing_summary"]["successful_poses"] == SQUAT_FRAMES


def test_python(url, capsys):
    names = {"PoseClient": PoseClient}
    exec(block("python").replace("http://127.0.0.1:8003", url), names)
    assert names["answer"].data.processing_summary.successful_poses == SQUAT_FRAMES
    sent, size = capsys.readouterr().out.split()
    assert sent == size
    httpx.delete(f"{url}/uploads/{names['upload_id']}", headers=TUS).raise_for_status()
