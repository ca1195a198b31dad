"""Run the graph in separate processes, started as `make serve` starts it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from serve_app.cli.serve import CONFIG, ray_environment
from serve_app.client import PoseClient
from serve_app.setting_types import ROOT

BIN = Path(sys.executable).parent
_ENDS_S = 60


@dataclass(frozen=True, slots=True)
class Serving:
    """A running graph.

    Attributes:
        url: of its HTTP interface. pid: of the process that started it.
        environment: for processes that use it; names its Ray cluster, as others may run here, once
            it is ready.
    """

    url: str
    pid: int
    environment: dict[str, str]


@contextmanager
def serving(folder: Path, ready_s: float = 240, **variables: str) -> Iterator[Serving]:
    """``config/serve.local.yaml`` on a free port of 127.0.0.1, until the block ends.

    Args:
        folder: gets the config, the log, Ray's token, the videos and what is uploaded.
        ready_s: to wait for the models. variables: ``MMPOSE_`` and others of the environment.

    Raises:
        NotReadyError: the models were not loaded in time; the file ``log`` says more.
    """
    with started(folder, yaml.safe_load(CONFIG.read_text()), **variables) as graph:
        with PoseClient(graph.url) as client:
            client.wait_until_ready(ready_s)
        cluster = _cluster_of(graph.pid)
        yield replace(graph, environment=graph.environment | {"RAY_ADDRESS": cluster})


@contextmanager
def started(folder: Path, config: dict[str, Any], **variables: str) -> Iterator[Serving]:
    """``config`` on a free port of 127.0.0.1, as it starts, until the block ends.

    Args:
        folder, variables: as of :func:`serving`.
    """
    config["http_options"]["port"] = port = free_port()
    (folder / "serve.yaml").write_text(yaml.safe_dump(config))
    environment = _environment(folder) | variables
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / "mmpose-service", "serve", folder / "serve.yaml"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Serving(f"http://127.0.0.1:{port}", process.pid, environment)
        finally:
            process.terminate()
            process.wait(_ENDS_S)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _environment(folder: Path) -> dict[str, str]:
    ours: Mapping[str, str] = ray_environment() | {
        "MMPOSE_OUTPUT": str(folder / "videos"),
        "MMPOSE_SPOOL_DIR": str(folder / "spool"),
        "MMPOSE_JOBS_DIR": str(folder / "jobs"),
        "MMPOSE_LINK_SECRET_FILE": str(folder / "link_secret"),
        "RAY_AUTH_TOKEN_PATH": str(folder / "ray_auth_token"),
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    return {**os.environ, **ours}


def raylet_of(pid: int) -> str | None:
    """Command line of the raylet of the Ray that process ``pid`` started; None where none runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_text(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if "raylet/raylet" in command and f"_{pid}/" in command:  # the session's name ends with it
            return command
    return None


def _cluster_of(pid: int) -> str:
    """Address of the Ray cluster that process ``pid`` started."""
    command = raylet_of(pid)
    assert command, f"process {pid} has started no Ray cluster"
    address: str = re.findall(r"--gcs-address=([\d.:]+)", command)[0]
    return address
