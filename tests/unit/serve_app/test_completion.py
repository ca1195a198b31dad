"""Shell completion: the scripts, and what is offered for commands, options, models and jobs."""

import json
import os
import shutil
import subprocess
import sys
from typing import get_args

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from serve_app import client as client_package
from serve_app.cli import main as main_module
from serve_app.cli.main import main
from serve_app.client import PoseClient
from serve_app.http.export_query import Format
from serve_app.results.job_schema import Job
from tests.conftest import ROOT
from tests.support.loopback_server import Server, reply

HEAVY = ("torch", "numpy", "ray", "httpx", "pydantic", "rich")
SHELLS = ("bash", "zsh", "fish")


def offered(line, incomplete=""):
    """Return the words that a shell would offer after ``line``."""
    completer = ShellComplete(main, {}, "mmpose-service", "_MMPOSE_SERVICE_COMPLETE")
    return [item.value for item in completer.get_completions(line.split(), incomplete)]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script(shell):
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert f"_MMPOSE_SERVICE_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True, timeout=20)


def test_the_command_itself_is_what_the_scripts_call():
    """A shell's call is offered commands, and imports nothing heavy."""
    program = (
        "import sys; sys.argv[0] = 'mmpose-service'\n"
        "from serve_app.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        f"    print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    words = {"COMP_WORDS": "mmpose-service com", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_MMPOSE_SERVICE_COMPLETE": "bash_complete",
            **words,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["plain,compare", "plain,completion"]
    assert done.stderr.split("\n")[0] == "[]"


def test_commands_options_and_formats_are_offered():
    assert {"analyze", "jobs", "completion"} <= set(offered(""))
    assert offered("jobs", "wa") == ["watch"]
    assert "--height-m" in offered("analyze", "--hei")
    assert offered("export --format") == list(get_args(Format))
    assert offered("jobs result --format", "t") == ["trc"]
    completer = ShellComplete(main, {}, "mmpose-service", "_MMPOSE_SERVICE_COMPLETE")
    (files,) = completer.get_completions(["analyze"], "vid")
    assert (files.type, files.value) == ("file", "vid")


def job_of(job_id):
    """Return a queued job as the service describes it."""
    null = {name for name, f in Job.model_fields.items() if type(None) in get_args(f.annotation)}
    counts = {"percent": 0, "frames_done": 0, "created_at": 0, "attempts": 0}
    links = {"self": "/", "events": "/", "source": "/", "result": None, "video": None}
    state = {"id": job_id, "state": "queued", "cancel_requested": False, "links": links}
    return dict.fromkeys(null) | counts | state


def test_models_are_offered_by_their_keys(monkeypatch, tmp_path):
    assert offered("eval --model", "hr") == ["hrnet_w48"]
    assert not any("rtmdet" in key for key in offered("quantize --model"))
    assert "rtmdet_nano" in offered("models verify", "rtmdet")
    monkeypatch.setenv("MMPOSE_CONFIG", str(tmp_path / "none.json"))
    assert offered("models verify") == []


def test_jobs_are_offered_by_their_ids(monkeypatch):
    page = json.dumps({"jobs": [job_of("a" * 32), job_of("b" * 32)], "cursor": None})
    with Server(reply(page.encode())) as server:
        monkeypatch.setenv("MMPOSE_URL", server.url("").rstrip("/"))
        assert offered("jobs watch") == ["a" * 32, "b" * 32]
        assert offered("jobs result", "b") == ["b" * 32]
        assert offered("jobs cancel", "c") == []
    with Server(reply(b"{}")) as other:
        assert offered(f"jobs watch --url {other.url('')}") == []


def test_a_service_that_is_not_there_offers_nothing(monkeypatch):
    asked = []
    monkeypatch.setattr(
        client_package, "PoseClient", lambda *a, **k: asked.append(k) or PoseClient(*a, **k)
    )
    monkeypatch.setenv("MMPOSE_URL", "http://127.0.0.1:1")
    assert offered("jobs delete") == []
    assert [(k["timeout_s"], k["retries"]) for k in asked] == [(2.0, 0)]
    assert offered("jobs delete --url http://x:port") == []


def test_a_command_without_its_packages_offers_nothing(monkeypatch):
    def absent(*_):
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    monkeypatch.setattr(main_module, "import_module", absent)
    assert offered("report", "--vi") == []
    assert "report" in offered("", "rep")
