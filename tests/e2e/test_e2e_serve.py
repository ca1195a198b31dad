"""`mmpose-service serve` beside the service that runs: what fails is told, and ends it."""

import subprocess
import time

import yaml

from tests.conftest import ROOT
from tools.serving import BIN, CONFIG, free_port, raylet_of


def config_of(folder, **application):
    """A file of `make serve`'s config on a free port, the application changed."""
    config = yaml.safe_load(CONFIG.read_text())
    config["http_options"]["port"] = free_port()
    config["applications"][0] |= application
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_what_ends_it_ends_its_ray_too(tmp_path):
    idle = {"import_path": "bench.idle_graph:build", "args": {"names": ["Idle"]}}
    path, log = config_of(tmp_path, **idle, deployments=[]), tmp_path / "log"
    with log.open("wb") as file:
        command = [BIN / "mmpose-service", "serve", path]
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    try:
        end = time.monotonic() + 120
        while process.poll() is None and "Interrupt to end" not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        assert raylet_of(process.pid)
        process.terminate()  # it alone, as `docker stop` does
        assert process.wait(60) == 0, log.read_text()
        assert not raylet_of(process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_graph_that_cannot_be_built_ends_with_the_reason(tmp_path):
    path = config_of(tmp_path, args={"detector_stride": -1})
    done = subprocess.run(
        [BIN / "mmpose-service", "serve", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "pose: DEPLOY_FAILED" in done.stderr
    assert "detector_stride" in done.stderr
