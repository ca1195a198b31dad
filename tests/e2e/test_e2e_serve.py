"""`mmpose-service serve` beside the service that runs: what fails is told, and ends it."""

import subprocess

import yaml

from tests.conftest import ROOT
from tools.serving import BIN, CONFIG, free_port


def test_a_graph_that_cannot_be_built_ends_with_the_reason(tmp_path):
    config = yaml.safe_load(CONFIG.read_text())
    config["http_options"]["port"] = free_port()
    config["applications"][0]["args"] = {"detector_stride": -1}
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(config))
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
