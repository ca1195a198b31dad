"""`--json` of every command: one JSON value a line on stdout, problem documents on stderr."""

import json
import re
from contextlib import nullcontext
from importlib import import_module
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from biomech.config import Context
from serve_app.access.keys import KeyFile
from serve_app.cli import analyze as analyze_module
from serve_app.cli import demo as demo_module
from serve_app.cli import deploy as deploy_module
from serve_app.cli.json_output import json_option
from serve_app.cli.main import _COMMANDS, main
from serve_app.results.response_schema import PoseResponse, Problem
from serve_app.setting_types import CONFIG_FOLDER
from tests.conftest import ROOT
from tests.support.saved_results import saved, squatting

WITHOUT = {
    "serve": "runs a server until it is interrupted",
    "completion": "prints a script for a shell",
}
"""Commands without the flag, and why."""


def leaves(name, command):
    """Yield each command with its words."""
    if isinstance(command, click.Group):
        for below, child in command.commands.items():
            yield from leaves(f"{name} {below}", child)
    else:
        yield name, command


def all_commands():
    for name, place in _COMMANDS.items():
        module, function = place.split(":")
        yield from leaves(name, getattr(import_module(f"serve_app.cli.{module}"), function))


def flags_of(command):
    return [p for p in command.params if "--json" in p.opts]


@json_option
def _plain(**_):
    """Carry the flag as a command does."""


THE_FLAG = _plain.__click_params__[0]


def test_every_command_has_the_same_flag():
    found = dict(all_commands())
    assert len(found) > 20
    lacking = {name for name, command in found.items() if not flags_of(command)}
    assert lacking == set(WITHOUT)
    for name, command in found.items():
        for flag in flags_of(command):
            assert (flag.name, flag.help, flag.is_flag) == ("as_json", THE_FLAG.help, True), name


def test_every_command_is_explained():
    page = (ROOT / "docs" / "user.md").read_text("utf-8").partition("### JSON and exit codes")[2]
    told = set()
    for row in re.findall(r"^\| (`.*?`) \|", page.partition("| code |")[0], re.MULTILINE):
        first, *others = re.findall(r"`(.*?)`", row)
        group = first.rpartition(" ")[0]
        for name in (first, *others):
            told.add(f"{group} {name}" if group and " " not in name else name)
    assert told == dict(all_commands()).keys() - WITHOUT.keys()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder: its exit code, values on stdout, and stderr."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        done = CliRunner().invoke(main, [*map(str, arguments), "--json"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    return called


def problem_in(errors):
    return Problem.model_validate_json(errors.splitlines()[-1])


@pytest.fixture
def result(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(saved(squatting()))
    return path


def test_files_that_are_made_are_named(run, result, tmp_path):
    code, (made,), _ = run("export", "run.json", "--format", "trc")
    path = tmp_path / "run.person1_px.trc"
    assert (code, made["path"], made["bytes"]) == (0, path.name, path.stat().st_size)
    assert any("pixels" in note for note in made["notes"])
    code, values, _ = run("report", "run.json")
    size = (tmp_path / "run.report.html").stat().st_size
    assert (code, values) == (0, [{"path": "run.report.html", "bytes": size}])


def test_a_file_on_stdout_leaves_no_place_for_json(run, result):
    code, values, errors = run("export", "run.json", "--format", "csv", "--out", "-")
    assert (code, values) == (2, [])
    found = problem_in(errors)
    assert found.code == "bad_parameter"
    assert "--out -" in found.detail
    assert found.hint == "See `main export --help`."


def test_errors_are_problems_with_the_same_exit_codes(run, result, tmp_path):
    code, values, errors = run("export", tmp_path / "none.json", "--format", "csv")
    assert (code, values, problem_in(errors).code) == (2, [], "bad_parameter")
    code, _, errors = run("export", "run.json", "--format", "tsv")
    assert (code, problem_in(errors).status) == (2, 422)
    (tmp_path / "empty.json").write_text("{}")
    code, _, errors = run("report", "empty.json")
    found = problem_in(errors)
    assert (code, found.code, found.retryable) == (2, "bad_parameter", False)
    assert found.detail.startswith("empty.json: ")
    code, _, errors = run("no-such-command")
    assert (code, "no-such-command" in problem_in(errors).detail) == (2, True)
    (tmp_path / "run-2.json").write_bytes(saved(squatting(), context=Context(movement="gait")))
    code, (value,), errors = run("compare", "run.json", "run-2.json")
    assert (code, value["progress"]["status"]) == (1, "not_comparable")
    assert problem_in(errors).detail.startswith("the results cannot be compared: ")


def test_without_the_flag_errors_are_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["export", "--format", "csv", "--", "--json"])
    assert done.exit_code == 2
    assert done.stderr.startswith("Usage: ")


def test_missing_packages_are_a_problem(run, result, monkeypatch):
    monkeypatch.setattr(
        "serve_app.cli.main._COMMANDS", {"export": "no_such_module_of_a_package:run"}
    )

    def absent(*_):
        raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")

    monkeypatch.setattr("serve_app.cli.main._docstring", lambda *_: "Help.")
    monkeypatch.setattr("serve_app.cli.main.import_module", absent)
    code, values, errors = run("export", "run.json")
    found = problem_in(errors)
    assert (code, values, found.code) == (2, [], "configuration")
    assert "pyarrow" in found.detail
    assert found.hint == "Install them: pip install 'mmpose-service[results]'"


def test_check_says_what_is_wrong(run, tmp_path):
    good = CONFIG_FOLDER / "serve.local.yaml"
    (tmp_path / "wrong.yaml").write_text("applicationz: []\n")
    code, (first, second), _ = run("check", good, "wrong.yaml")
    assert (code, first["config"], first["problems"]) == (2, str(good), [])
    assert first["weights"]
    assert (second["config"], second["weights"]) == ("wrong.yaml", [])
    assert any("applicationz" in problem for problem in second["problems"])


def test_keys_never_show_a_digest(run, tmp_path):
    file = ("--file", "keys.json")
    code, (added,), _ = run("keys", "add", "lab", *file, "--queued-jobs", "5")
    assert (code, added["name"], added["state"], added["quota"]["queued_jobs"]) == (
        0,
        "lab",
        "valid",
        5,
    )
    assert KeyFile(tmp_path / "keys.json").caller(added["key"]).id == added["owner"]
    code, (listed,), _ = run("keys", "list", *file)
    assert (code, listed) == (0, {k: v for k, v in added.items() if k != "key"})
    code, (revoked,), _ = run("keys", "revoke", added["id"], *file)
    assert (code, revoked["state"]) == (0, "revoked")
    code, _, errors = run("keys", "revoke", "abc", *file)
    assert (code, problem_in(errors).detail) == (2, "there is no key abc")
    code, (secret,), errors = run("keys", "webhook-secret", "--secret-file", "secret")
    assert (code, secret["owner"]) == (0, ""), errors
    assert secret["secret"].startswith("whsec_")


def test_deploy_says_what_runs(run, tmp_path, monkeypatch):
    """On a dashboard that this test plays: nothing is deployed."""
    status = {"status": "RUNNING", "message": "", "deployments": {"A": {"status": "HEALTHY"}}}

    class Dashboard:
        def __init__(self, address, headers):
            pass

        def deploy_applications(self, document):
            pass

        def get_serve_details(self):
            return {"applications": {"pose": status}}

    import ray.dashboard.modules.serve.sdk as sdk

    monkeypatch.setattr(sdk, "ServeSubmissionClient", Dashboard)
    monkeypatch.setattr(deploy_module, "check_config", lambda _: [])
    monkeypatch.setattr(deploy_module, "read_token", lambda: None)
    (tmp_path / "serve.yaml").write_text("applications: []\n")
    code, values, _ = run("deploy", "serve.yaml")
    running = {"pose": {"status": "RUNNING", "deployments": {"A": "HEALTHY"}}}
    assert (code, values) == (0, [running])
    status |= {"status": "DEPLOY_FAILED", "message": "no GPU"}
    status["deployments"]["A"]["message"] = "no device"
    code, values, errors = run("deploy", "serve.yaml")
    found = problem_in(errors)
    assert (code, values, found.code, found.detail) == (
        1,
        [],
        "stage_failed",
        "no GPU\nA: no device",
    )


def test_the_figures_of_an_evaluation_are_printed(run, tmp_path, monkeypatch):
    """A model that is missing is a problem with exit code 3."""
    monkeypatch.setenv("MMPOSE_WEIGHTS_DIR", str(tmp_path / "none"))
    (tmp_path / "coco" / "val2017").mkdir(parents=True)
    (tmp_path / "coco" / "annotations").mkdir()
    (tmp_path / "coco" / "annotations" / "person_keypoints_val2017.json").write_text("{}")
    code, values, errors = run("eval", "coco", "--model", "hrnet_w48")
    assert (code, values, problem_in(errors).code) == (3, [], "weights_missing")


def test_a_demo_prints_the_response_alone(run, squat_video, monkeypatch):
    """The result is given: no network runs, and the sheet is not drawn."""
    response = PoseResponse.model_validate_json(saved(squatting()))
    drawn = []

    async def analyzed(*_):
        return SimpleNamespace(response=lambda: response)

    monkeypatch.setattr(analyze_module, "_analyze", analyzed)
    monkeypatch.setattr(
        demo_module, "local_service", lambda _: nullcontext(SimpleNamespace(models=()))
    )
    monkeypatch.setattr(demo_module, "write_sheet", lambda *arguments: drawn.append(arguments))
    code, (answer,), _ = run("demo", squat_video, "--offline", "--out", ".")
    assert (code, answer["request_id"], len(drawn)) == (0, "run-7", 1)


def test_a_source_that_fails_is_a_problem_of_its_own(run, marker_config, monkeypatch):
    monkeypatch.setenv("MMPOSE_CONFIG", str(marker_config))
    code, values, errors = run("analyze", "a.mp4", "b.mp4", "--no-video")
    assert (code, values) == (1, [])
    last = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert [(item["source"], item["code"]) for item in last] == [
        ("a.mp4", "bad_parameter"),
        ("b.mp4", "bad_parameter"),
    ]
