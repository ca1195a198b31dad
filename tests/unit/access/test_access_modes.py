"""Who may call: what the settings choose, and that nobody answers a network by accident."""

import pytest
import yaml
from click.testing import CliRunner

from deployments.errors import ConfigurationError
from serve_app import ingress
from serve_app.access.keys import KeyFile
from serve_app.access.modes import AccessMode, access_mode, is_loopback, require_choice
from serve_app.app import build
from serve_app.cli.main import main
from serve_app.model_plan import plan_models
from serve_app.settings import Settings, load_settings
from tests.conftest import ROOT
from tools.serving import free_port

OIDC = {
    "oidc_issuer": "https://login.example.org/",
    "oidc_audience": "mmpose",
    "oidc_jwks_url": "https://login.example.org/jwks",
}


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        ({}, "open"),
        ({"keys_file": "keys.json"}, "keys"),
        (OIDC, "keys"),
        ({"access": "keys", "keys_file": "keys.json", **OIDC}, "keys"),
        ({"access": "gateway"}, "gateway"),
    ],
)
def test_the_mode_is_by_the_settings(arguments, mode):
    assert access_mode(load_settings(arguments)) == mode


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"access": "keys"}, "neither is set"),
        ({"access": "gateway", "keys_file": "keys.json"}, "checks no key"),
        ({"oidc_issuer": "https://a/"}, "set together"),
        ({"access": "none"}, "access"),
        ({**OIDC, "oidc_jwks_url": "http://login.example.org/jwks"}, "oidc_jwks_url"),
        ({"cors_origins": "*"}, "'\\*' is not an origin"),
        ({"cors_origins": "https://a.example.org/"}, "is not an origin"),
        ({"quota": {"requests": 1}}, "quota"),
    ],
)
def test_settings_that_contradict_each_other_are_named(arguments, says):
    with pytest.raises(ConfigurationError, match=says):
        access_mode(load_settings(arguments))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("pose.example.org", False),
        ("localhost.example.org", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_only_this_machine_reaches_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "", "10.0.0.1", None])
def test_everybody_on_a_network_is_answered_only_by_choice(host):
    require_choice(AccessMode.KEYS, host)
    require_choice(AccessMode.GATEWAY, host)
    with pytest.raises(ConfigurationError) as refused:
        require_choice(AccessMode.OPEN, host)
    for remedy in ("127.0.0.1", "mmpose-service keys add", "MMPOSE_KEYS_FILE", "access: gateway"):
        assert remedy in refused.value.detail


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write the config of one machine on all interfaces, with arguments, and return its file."""
    for field in Settings.model_fields:
        monkeypatch.delenv(f"MMPOSE_{field.upper()}", raising=False)
    monkeypatch.setattr("ray.init", None)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "one")

    def write(**arguments):
        document = yaml.safe_load((ROOT / "config" / "serve.local.yaml").read_text())
        document["http_options"] |= {"host": "0.0.0.0", "port": free_port()}
        document["applications"][0]["args"] = arguments
        path = tmp_path / "serve.yaml"
        path.write_text(yaml.safe_dump(document))
        return str(path)

    return write


@pytest.mark.parametrize("command", ["check", "serve", "deploy"])
def test_a_public_config_without_keys_ends_every_command_with_2_and_the_remedies(config, command):
    done = CliRunner().invoke(main, [command, config()])
    assert done.exit_code == 2, done.output
    assert "the service would answer everybody who reaches 0.0.0.0" in done.output
    assert "access: gateway" in done.output


@pytest.mark.parametrize(
    "arguments", [{"access": "gateway"}, {"keys_file": "/none/keys.json"}, OIDC]
)
def test_a_public_config_with_a_choice_is_good(config, arguments):
    done = CliRunner().invoke(main, ["check", config(**arguments)])
    assert done.exit_code == 0, done.output


def test_serve_names_a_file_of_keys_that_is_not_there_before_ray_starts(config, tmp_path):
    done = CliRunner().invoke(main, ["serve", config(keys_file=str(tmp_path / "keys.json"))])
    assert done.exit_code == 2, done.output
    assert "mmpose-service keys add" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", None])
def test_an_entrance_on_a_network_or_an_unknown_address_refuses_to_start(
    host, monkeypatch, tmp_path, marker_config
):
    """However it was deployed: Ray's own commands know nothing of ours."""
    monkeypatch.setattr(ingress, "http_host", lambda: host)
    KeyFile(tmp_path / "keys.json").add("me")

    def start(**arguments):
        settings = load_settings({"config": marker_config, "spool_dir": tmp_path, **arguments})
        stages = dict.fromkeys(("decode", "biomechanics", "render"))
        return ingress.IngressReplica(settings, plan_models(settings), stages, {})

    with pytest.raises(ConfigurationError, match="it has no keys"):
        start()
    assert start(access="gateway")._service.access.mode == "gateway"
    assert start(keys_file=tmp_path / "keys.json")._service.access.mode == "keys"


def test_the_arguments_of_the_application_have_the_settings_of_access():
    assert build.__annotations__["args"] is Settings
