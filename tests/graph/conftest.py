"""The production graph on one machine: logical GPUs, networks that find colored discs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.client import PoseClient
from tests.conftest import ROOT
from tools.serving import free_port

os.environ |= {
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.1",  # replicas come and go while a test waits
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
}


@dataclass(frozen=True)
class Graph:
    """The running graph.

    Attributes:
        url: of its HTTP interface. dashboard: address of Ray's.
        path: the serve config that it runs.
    """

    url: str
    dashboard: str
    path: Path

    @property
    def document(self) -> dict[str, Any]:
        """The config, to be changed and deployed again."""
        document: dict[str, Any] = yaml.safe_load(self.path.read_text())
        return document


def production_config(port: int, **arguments: Any) -> dict[str, Any]:
    """``config/serve.yaml`` with its fractions of GPUs, on loopback without keys.

    Scaled to what two cores bear: two replicas of a stage at most, the second after three seconds.
    """
    document: dict[str, Any] = yaml.safe_load((ROOT / "config" / "serve.yaml").read_text())
    document["http_options"] |= {"host": "127.0.0.1", "port": port}
    document["applications"][0]["args"] |= {
        "access": "auto",
        "keys_file": None,
        "mixed_precision": False,
        "threads": 1,
        "segment_s": 0.5,
        "segments_in_flight": 4,
        **arguments,
    }
    for deployment in document["applications"][0]["deployments"]:
        scaling = deployment["autoscaling_config"]
        scaling |= {"max_replicas": min(scaling["max_replicas"], 2), "upscale_delay_s": 3}
    return document


@pytest.fixture(scope="package")
def graph(tmp_path_factory: pytest.TempPathFactory, marker_config: Path) -> Iterator[Graph]:
    """The graph, deployed as an operator would, and ready."""
    import ray
    from click.testing import CliRunner
    from ray import serve

    from serve_app.cli.main import main

    folder = tmp_path_factory.mktemp("graph")
    port = free_port()
    document = production_config(
        port,
        config=str(marker_config),
        spool_dir=str(folder / "spool"),
        output=str(folder / "videos"),
        allowed_hosts=["127.0.0.1"],
    )
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(document))
    context = ray.init(
        address="local",
        num_cpus=32,
        num_gpus=3,  # logical: nothing here has a GPU
        object_store_memory=600 * 1024**2,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        dashboard_port=free_port(),
        configure_logging=False,
        log_to_driver=False,
    )
    dashboard = f"http://{context.address_info['webui_url']}"
    try:
        result = CliRunner().invoke(main, ["deploy", str(path), "--address", dashboard])
        assert result.exit_code == 0, result.output
        with PoseClient(f"http://127.0.0.1:{port}") as client:
            client.wait_until_ready()
        yield Graph(f"http://127.0.0.1:{port}", dashboard, path)
    finally:
        serve.shutdown()
        ray.shutdown()


@pytest.fixture
def client(graph: Graph) -> Iterator[PoseClient]:
    with PoseClient(graph.url, timeout_s=120) as client:
        yield client


def replicas(graph: Graph, deployment: str) -> list[dict[str, Any]]:
    """What Serve knows of the running replicas of a deployment: ids, pids, states."""
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    details = ServeSubmissionClient(graph.dashboard).get_serve_details()
    found = details["applications"]["pose"]["deployments"][deployment]["replicas"]
    return [replica for replica in found if replica["state"] == "RUNNING"]


def deploy(graph: Graph, document: dict[str, Any], folder: Path) -> None:
    """Deploy a changed config, as `serve deploy` does, and wait for it."""
    from click.testing import CliRunner

    from serve_app.cli.main import main

    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(document))
    result = CliRunner().invoke(main, ["deploy", str(path), "--address", graph.dashboard])
    assert result.exit_code == 0, result.output
