"""The service started as `make serve` starts it, on a free port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from serve_app.client import PoseClient
from tests.conftest import ROOT, find_shared
from tests.graph.conftest import free_port

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class RunningService:
    """A service in processes of its own.

    Attributes:
        url: of its HTTP interface.
        environment: for processes that use it; names its Ray cluster, as others may run here.
        video: a short one in which its models find people.
    """

    url: str
    environment: dict[str, str]
    video: Path


@pytest.fixture(scope="package")
def running(
    tmp_path_factory: pytest.TempPathFactory, marker_config: Path, squat_video: Path
) -> Iterator[RunningService]:
    """With the real networks where they are, else with those that find coloured discs."""
    folder = tmp_path_factory.mktemp("service")
    config = yaml.safe_load((ROOT / "config" / "serve.local.yaml").read_text())
    config["http_options"]["port"] = port = free_port()
    (folder / "serve.yaml").write_text(yaml.safe_dump(config))
    shared = find_shared()
    environment = os.environ | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "MMPOSE_OUTPUT": str(folder / "videos"),
        "MMPOSE_SPOOL_DIR": str(folder / "spool"),
        "MMPOSE_ALLOWED_HOSTS": "127.0.0.1",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    if shared is None:
        environment["MMPOSE_CONFIG"] = str(marker_config)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / "serve", "run", folder / "serve.yaml"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            with PoseClient(f"http://127.0.0.1:{port}") as client:
                client.wait_until_ready(240)
            environment["RAY_ADDRESS"] = _cluster_of(process.pid)
            video = shared / "videos" / "mmpose_demo.mp4" if shared else squat_video
            yield RunningService(f"http://127.0.0.1:{port}", environment, video)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _cluster_of(pid: int) -> str:
    """Address of the Ray cluster that process ``pid`` started: its session is called after it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_text(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if "raylet/raylet" in command and f"_{pid}/" in command:
            return re.findall(r"--gcs-address=([\d.:]+)", command)[0]
    raise AssertionError(f"process {pid} has started no Ray cluster")
