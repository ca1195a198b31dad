"""How `mmpose-service serve` ends before it runs: in a process of its own, for its signals."""

import subprocess
import sys

import pytest

CONFIG = "applications: []\nhttp_options: {host: 127.0.0.1, port: 0}\n"
SCRIPT = """
import os, signal, ray, ray.serve
from serve_app.cli.main import main

def init(**_):
    if sys.argv.pop() == "Ray's":
        raise SystemExit(signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)

ray.init, ray.is_initialized = init, lambda: False
ray.shutdown = lambda: print("ended Ray")
ray.serve.shutdown = lambda: print("ended Serve")
main()
"""


@pytest.mark.parametrize("handler", ["ours", "Ray's"])
def test_a_signal_while_ray_starts_ends_all_that_was_started(tmp_path, handler):
    """(S13) Ray's handler of SIGTERM, set within ``ray.init``, left agents behind."""
    config = tmp_path / "serve.yaml"
    config.write_text(CONFIG)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("sys.argv.pop()", repr(handler)), "serve", config],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "interrupted" in ended.stderr
    assert ended.returncode == 130
    assert ended.stdout.split("\n")[:-1] == ["ended Ray"]
