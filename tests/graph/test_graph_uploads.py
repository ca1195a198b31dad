"""A large upload to a slow disk through Serve's proxy: in little memory, whole although broken.

`UPLOAD_MIB=1536 pytest -s tests/graph/test_graph_uploads.py` sends 1.5 GiB and prints the memory.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from ray import serve
from ray.util.state import list_actors

from serve_app import upload_part
from serve_app.client import PoseClient
from serve_app.ingress import IngressReplica
from serve_app.model_plan import plan_models
from serve_app.settings import load_settings
from serve_app.workspaces import UPLOADS
from tests.graph.conftest import Graph

MIB = 1024**2
SIZE = int(os.environ.get("UPLOAD_MIB", "200")) * MIB
DISK_BYTES_PER_S = 50 * MIB
MOST_MORE = 128 * MIB
"""Less than the file: a body that is sent whole needs its size in both processes."""
BROKEN = {2, 3, 11}
"""Numbers of the parts that break off half way."""


class SlowDisk(IngressReplica):
    """The real entrance with a slow disk, and without stages: uploads need none."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        write = upload_part.write_piece

        def slowly(file: Any, data: bytes) -> None:
            time.sleep(len(data) / DISK_BYTES_PER_S)
            write(file, data)

        upload_part.write_piece = slowly
        settings = load_settings(arguments)
        stages = dict.fromkeys(("decode", "biomechanics", "render"))
        super().__init__(settings, plan_models(settings), stages, {})

    def pid(self) -> int:
        return os.getpid()


class Breaking(httpx.HTTPTransport):
    """Breaks off some parts half way."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.method)
        if request.method == "PATCH" and self.asked.count("PATCH") in BROKEN:
            request.stream = _Half(request.read())
        return super().handle_request(request)


class _Half(httpx.SyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[: len(self._content) // 2]
        raise httpx.WriteError("the connection broke")


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Peaks:
    """The most memory of processes while the ``with`` block lasts, over what they had before."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._idle = {name: resident(pid) for name, pid in pids.items()}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.more = dict.fromkeys(pids, 0)

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            for name, pid in self._pids.items():
                self.more[name] = max(self.more[name], resident(pid) - self._idle[name])

    def __enter__(self) -> "Peaks":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def slow_disk(graph: Graph, marker_config: Path, tmp_path: Path) -> Iterator[dict[str, int]]:
    """A second application of the graph, below `/slow`; gives the ids of the processes."""
    settings = {
        "config": str(marker_config),
        "spool_dir": str(tmp_path / "spool"),
        "output": str(tmp_path / "videos"),
        "max_bytes": SIZE,
    }
    entrance = serve.deployment(serve.ingress()(SlowDisk), name="SlowDisk")
    application = entrance.options(ray_actor_options={"num_cpus": 0.1}).bind(settings)
    handle = serve.run(application, name="slow", route_prefix="/slow")
    (proxy,) = list_actors(
        graph.dashboard, [("class_name", "=", "ProxyActor"), ("state", "=", "ALIVE")]
    )
    try:
        yield {"proxy": proxy.pid, "Ingress": handle.pid.remote().result(timeout_s=60)}
    finally:
        serve.delete("slow")


def random_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE // MIB):
            block = os.urandom(MIB)
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def test_a_large_upload_to_a_slow_disk(
    graph: Graph, slow_disk: dict[str, int], tmp_path: Path
) -> None:
    digest = random_file(tmp_path / "large.mp4")
    transport = Breaking()
    with (
        PoseClient(f"{graph.url}/slow", transport=transport) as client,
        Peaks(slow_disk) as peaks,
    ):
        upload_id = client.upload(tmp_path / "large.mp4")
    print({name: f"{more / MIB:.0f} MiB more" for name, more in peaks.more.items()})
    assert {name: more for name, more in peaks.more.items() if more > MOST_MORE} == {}
    with (tmp_path / "spool" / UPLOADS / upload_id / "data").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    assert transport.asked.count("HEAD") >= len(BROKEN)
