"""Serve configs: what Serve would pass over is named, and ours are good."""

import re
import shutil
import subprocess

import pytest
import yaml

from serve_app.config_check import check_config
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "config").glob("serve*.yaml"))


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config" / "serve.yaml").read_text())


def problems(document, tmp_path):
    path = tmp_path / "serve.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return check_config(path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_our_configs_are_good(path):
    assert check_config(path) == []


def test_there_is_one_for_a_cluster_and_one_for_a_machine():
    assert [p.name for p in CONFIGS] == ["serve.local.yaml", "serve.yaml"]


def test_the_containers_is_that_of_one_machine_with_another_host_and_keys(tmp_path, monkeypatch):
    """By the line of the Dockerfile that makes it."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'CMD ["mmpose-service", "serve", "config/serve.container.yaml"]' in dockerfile
    (line,) = re.findall(
        r"^RUN (sed .* > config/serve\.container\.yaml)$", dockerfile, re.MULTILINE
    )
    local = ROOT / "config" / "serve.local.yaml"
    (tmp_path / "config").mkdir()
    shutil.copy(local, tmp_path / "config")
    subprocess.run(line, shell=True, cwd=tmp_path, check=True)
    made = tmp_path / "config" / "serve.container.yaml"
    monkeypatch.delenv("MMPOSE_KEYS_FILE", raising=False)
    (problem,) = check_config(made)
    assert "access: keys needs keys_file or oidc_issuer, and neither is set" in problem
    monkeypatch.setenv("MMPOSE_KEYS_FILE", "/app/access/keys.json")
    assert check_config(made) == []
    expected = yaml.safe_load(local.read_text())
    expected["applications"][0]["args"] = {"access": "keys"}
    assert expected["http_options"]["host"] == "127.0.0.1"
    expected["http_options"]["host"] = "0.0.0.0"
    assert yaml.safe_load(made.read_text()) == expected


def deployment(config, name):
    return next(d for d in config["applications"][0]["deployments"] if d["name"] == name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(proxy_locations="HeadOnly"), "proxy_locations is not a key; proxy_loc"),
        (lambda c: c["http_options"].pop("host"), "http_options.host is not set"),
        (
            lambda c: c.update(grpc_options={"grpc_servicer_functions": ["a.b"]}),
            "grpc_options would let callers reach the graph without a key",
        ),
        (
            lambda c: c["applications"][0]["args"].update(access="auto", keys_file=None),
            "args: the service would answer everybody who reaches 0.0.0.0",
        ),
        (
            lambda c: deployment(c, "RTMPose").update(max_ongoing_request=3),
            "deployments[3].max_ongoing_request is not a key; max_ongoing_requests is",
        ),
        (
            lambda c: deployment(c, "Decode")["autoscaling_config"].update(max_ongoing_requests=3),
            "autoscaling_config.max_ongoing_requests is not a key",
        ),
        (lambda c: deployment(c, "Render").update(name="Renderer"), "no Renderer; Render is"),
        (lambda c: deployment(c, "Render").update(name="Renderer"), "Render is missing"),
        (
            lambda c: deployment(c, "Ingress").pop("max_ongoing_requests"),
            "Ingress.max_ongoing_requests is not set",
        ),
        (
            lambda c: deployment(c, "HRNet")["ray_actor_options"].pop("num_gpus"),
            "HRNet.ray_actor_options.num_gpus is not set",
        ),
        (
            lambda c: deployment(c, "HRNet")["ray_actor_options"].update(num_gpus=1.5),
            "only whole GPUs",
        ),
        (
            lambda c: deployment(c, "Decode")["autoscaling_config"].update(
                target_ongoing_requests=2
            ),
            "Decode.autoscaling_config never scales",
        ),
        (
            lambda c: deployment(c, "RTMPose")["user_config"].update(max_batch_size=-1),
            "RTMPose.user_config.max_batch_size",
        ),
        (
            lambda c: deployment(c, "RTMPose").update(max_ongoing_requests=1),
            "max_batch_size never fills",
        ),
        (
            lambda c: deployment(c, "Ingress")["user_config"].update(confidence=0.2),
            "Ingress.user_config.confidence",
        ),
        (
            lambda c: deployment(c, "Decode").update(user_config={"x": 1}),
            "Decode.user_config.x is not known",
        ),
        (lambda c: c["applications"][0]["args"].update(segments=3), "args: segments"),
        (lambda c: c["applications"][0]["args"].update(pose_model="none"), "no model is called"),
        (lambda c: c["applications"][0].pop("import_path"), "import_path"),
    ],
)  # fmt: skip
def test_a_slip_is_named(config, tmp_path, change, says):
    change(config)
    if says == "max_batch_size never fills":
        config["applications"][0]["args"]["batch_size"] = 16
    assert any(says in problem for problem in problems(config, tmp_path)), problems(
        config, tmp_path
    )


def test_two_calls_of_small_batches_fill_a_large_one(config, tmp_path):
    deployment(config, "RTMPose").update(max_ongoing_requests=2)
    config["applications"][0]["args"]["batch_size"] = 16
    assert deployment(config, "RTMPose")["user_config"]["max_batch_size"] == 64
    assert not [problem for problem in problems(config, tmp_path) if "never fills" in problem]


@pytest.mark.parametrize("text", ["", "- a\n- b", "a: [", "\0"])
def test_what_is_no_config_is_said_to_be_none(tmp_path, text):
    assert len(problems(text, tmp_path)) == 1


def test_an_application_of_someone_else_is_left_alone(config, tmp_path):
    config["applications"][0] |= {"import_path": "other:app", "deployments": [], "args": {"a": 1}}
    assert problems(config, tmp_path) == []
