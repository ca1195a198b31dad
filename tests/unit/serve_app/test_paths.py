"""No answer over HTTP names a folder of the machine; the log and `check` do."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from ray.exceptions import RayTaskError

from deployments.errors import InferenceError, ServiceError, StageFailedError
from deployments.render.storage import open_store
from deployments.roles import ModelRole
from deployments.serve_handles import await_response
from serve_app.cli.main import main
from serve_app.http.problems import without_paths
from serve_app.http.routes import create_app
from serve_app.model_plan import plan_models
from serve_app.service import PoseService
from serve_app.settings import load_settings
from tests.conftest import ROOT
from tests.support.asgi import AsgiTransport
from tests.unit.serve_app.test_service import GOOD, service_of

FOLDERS = (str(ROOT), str(Path.home()), tempfile.gettempdir(), sys.prefix)


def asked(service, method, path, **arguments):
    """The answer, which names none of the folders."""
    with httpx.Client(transport=AsgiTransport(create_app(service)), base_url="http://test") as http:
        response = http.request(method, path, **arguments)
    text = json.dumps(response.json(), ensure_ascii=False)
    assert [folder for folder in FOLDERS if folder in text] == []
    return response


@pytest.fixture
def registry(tmp_path):
    """Writes a registry of one pose model and one detector; gives its path."""
    entry = {"role": "primary", "config": "x", "mm_config": ""}
    pose = {**entry, "task": "pose", "codec": "simcc", "input_size": [192, 256], "name": "Poser"}
    finder = {**entry, "task": "detect", "family": "rtmdet", "codec": "boxes", "name": "Finder"}
    models = {
        "poser": {**pose, "family": "rtmpose", "checkpoint": "poser.onnx"},
        "finder": {**finder, "input_size": [320, 320], "checkpoint": "finder.onnx"},
    }
    path = tmp_path / "registry.json"
    path.write_text(json.dumps({"service": "mmpose", "version": "1", "models": models}))
    return path


@pytest.fixture
def loaded(registry, tmp_path):
    """A service with what of the registry's models can be loaded."""

    def loaded():
        settings = load_settings(
            {"config": registry, "weights_dir": tmp_path, "spool_dir": tmp_path / "spool"}
        )
        plan = plan_models(settings)
        statuses = {role: plan.choices[role].load(plan.search, plan.options) for role in ModelRole}
        return PoseService(settings, plan, None, lambda: statuses)

    return loaded


@pytest.mark.parametrize("found", [None, b"", b"<html>", b"\x08\x07" * 9], ids=str)
def test_weights_that_are_missing_or_damaged(loaded, tmp_path, caplog, found):
    if found is not None:
        for name in ("poser.onnx", "finder.onnx"):
            (tmp_path / name).write_bytes(found)
    service = loaded()
    health = asked(service, "GET", "/healthz").json()
    code = "weights_missing" if found is None else "weights_corrupt"
    assert health["models"]["stages"]["rtmpose"]["code"] == code
    assert any("poser.onnx" in reason for reason in health["reasons"])
    assert asked(service, "GET", "/readyz").status_code == 503
    problem = asked(service, "POST", "/pose", files={"file": b"x"})
    assert problem.status_code == 503
    assert problem.json()["code"] == ("weights_missing" if found is None else "not_ready")
    if found is None:
        assert "mmpose-service models download" in problem.json()["hint"]
    assert str(tmp_path) in caplog.text


async def later(error):
    raise error


class Failing:
    """Stages whose first call fails with this."""

    def __init__(self, error):
        self.error = error

    async def probe(self, path, options):
        raise self.error


def stage_failure(cause):
    """Return what the Ingress gets where a replica raised ``cause``."""
    with pytest.raises(StageFailedError) as caught:
        asyncio.run(await_response(later(RayTaskError("f", "trace", cause)), "Decode"))
    return caught.value


def storage_failure(tmp_path):
    store = open_store(str(tmp_path / "gone"), "http://x")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ServiceError) as caught:
        store.put(tmp_path / "video.mp4", "0" * 32 + ".mp4")
    return caught.value


@pytest.mark.parametrize(
    "error_of",
    [
        lambda folder: stage_failure(FileNotFoundError(2, "No such file", str(folder / "upload"))),
        lambda folder: stage_failure(TypeError(f"{folder} is not a number")),
        lambda folder: OSError(28, "No space left on device", str(folder / "upload")),
        lambda folder: InferenceError(f"torch: cannot open '{folder}/kernels.so'"),
        storage_failure,
    ],
    ids=["no file", "type", "unforeseen", "library", "store"],
)
def test_a_failure(marker_config, tmp_path, error_of, monkeypatch):
    async def at_once(_):
        return None

    monkeypatch.setattr("serve_app.pipeline.asyncio.sleep", at_once)
    failing = service_of(marker_config, tmp_path, stages=Failing(error_of(tmp_path)))
    response = asked(failing, "POST", "/pose", files={"file": b"x"})
    assert response.status_code >= 500
    assert response.json()["detail"]


def test_what_is_private_is_in_the_text_of_an_error_alone():
    error = stage_failure(FileNotFoundError(2, "No such file", "/somewhere/upload"))
    assert "/somewhere/upload" in str(error)
    assert error.detail == "Decode failed: FileNotFoundError"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot open '/usr/lib/x.so': no", "cannot open 'x.so': no"),
        ("see (/tmp/a b) and /etc/hosts", "see (a b) and hosts"),
        ("https://host/tmp/video.mp4 is not there", None),
        ("gs://bucket/usr/a", None),
        ("see /docs, or /healthz", None),
        ("of another machine: /no-such-root/spool/upload", "of another machine: upload"),
        ("at graph.cpp:/usr/src/x.cpp:3", "at graph.cpp:x.cpp:3"),
        ("see file:///usr/lib/x.so", "see file://x.so"),
        ("at 1/2 of the size; multipart/form-data", None),
    ],
)
def test_paths_are_cut_to_names(text, left):
    assert without_paths(text) == (text if left is None else left)


def test_check_tells_where_checkpoints_are_or_were_looked_for(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("MMPOSE_CONFIG", str(registry))
    monkeypatch.setenv("MMPOSE_WEIGHTS_DIR", str(tmp_path))
    (tmp_path / "finder.onnx").write_bytes(b"")
    result = CliRunner().invoke(main, ["check", str(ROOT / "config" / "serve.local.yaml")])
    assert result.exit_code == 0, result.output
    assert f"detector: Finder is {tmp_path / 'finder.onnx'}" in result.output
    assert "rtmpose: Poser: poser.onnx is in none of the folders searched" in result.output
    assert f"{ROOT / 'weights' / 'mmpose'}" in result.output


def test_good_statuses_have_no_code(marker_config, tmp_path):
    health = asked(service_of(marker_config, tmp_path), "GET", "/healthz").json()
    assert {stage["code"] for stage in health["models"]["stages"].values()} == {None}
    assert health["models"]["stages"].keys() == GOOD.keys()
