"""How `mmpose-service serve` ends before it runs."""

import os
import signal

import pytest
import ray
import ray.serve
from click.testing import CliRunner

from serve_app.cli import main

CONFIG = "applications: []\nhttp_options: {host: 127.0.0.1, port: 0}\n"


@pytest.fixture
def ended(monkeypatch):
    """Which parts are shut down; signals and the environment are put back."""
    calls = []
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: calls.append("ray"))
    monkeypatch.setattr(ray.serve, "shutdown", lambda: calls.append("serve"))
    yield calls
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("handler", ["ours", "Ray's"])
def test_a_signal_while_ray_starts_ends_all_that_was_started(monkeypatch, ended, tmp_path, handler):
    """(S13) Ray's handler of SIGTERM, set within ``ray.init``, left agents behind."""

    def init(**_):
        if handler == "Ray's":
            raise SystemExit(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ray, "init", init)
    (tmp_path / "serve.yaml").write_text(CONFIG)
    result = CliRunner().invoke(main, ["serve", str(tmp_path / "serve.yaml")])
    assert result.exit_code not in (0, signal.SIGTERM), result.output
    assert ended == ["ray"]
