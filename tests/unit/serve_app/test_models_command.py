"""`mmpose-service models`: for each role the first model that can be had, from loopback alone."""

import hashlib
import json
import logging
from dataclasses import replace

import pytest
from click.testing import CliRunner

from serve_app.cli import downloads
from serve_app.cli.downloads import DEMO_VIDEO, demo_video_folders, find_demo_video
from serve_app.cli.main import main
from tests.support.loopback_server import Server, closed_port, reply
from tests.support.wheels import make_wheel, offer_only

BODY = b"weights of a network"
VIDEO = b"frames of an athlete"


def digest(content):
    return hashlib.sha256(content).hexdigest()


def described(role, *sources, task="pose", name, **more):
    return {
        "config": name,
        "name": name.title(),
        "task": task,
        "role": role,
        "family": "rtmpose" if task == "pose" else "rtmdet",
        "codec": "simcc" if task == "pose" else "boxes",
        "mm_config": "",
        "checkpoint": f"{name}-made-for-tests.onnx",
        "sha256": digest(BODY),
        "input_size": [192, 256],
        "sources": list(sources),
        **more,
    }


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs a command with a registry of these models; weights go to ``tmp_path/weights``."""
    monkeypatch.setenv("MMPOSE_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    offer_only(monkeypatch, tmp_path / "index")

    def invoke(registry, *arguments):
        path = tmp_path / "model_config.json"
        path.write_text(json.dumps({"service": "s", "version": "1", "models": registry}))
        monkeypatch.setenv("MMPOSE_CONFIG", str(path))
        return CliRunner().invoke(main, [str(a) for a in arguments])

    return invoke


@pytest.fixture
def down():
    """Address at which nothing listens."""
    with closed_port() as port:
        yield {"url": f"http://127.0.0.1:{port}/net.onnx"}


@pytest.fixture
def up():
    with Server(reply(BODY)) as server:
        yield server


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def hasty(monkeypatch):
    """Sources are given up at once."""
    monkeypatch.setattr("deployments.pose.download.CONNECT_S", 0.1)


def test_each_role_gets_the_first_of_its_models_that_can_be_had(run, down, up, hasty, tmp_path):
    wheel = make_wheel(tmp_path / "index", {"net.onnx": BODY}, "net.onnx")
    member = {"requirement": wheel.requirement, "sha256": wheel.sha256, "members": ["net.onnx"]}
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "finder-made-for-tests.onnx").write_bytes(BODY)
    registry = {
        "best": described("primary", down, name="best"),
        "spare": described("default", down, member, name="spare"),
        "later": described("default", {"url": up.url()}, name="later"),
        "back": described("fallback", {"url": up.url("/back")}, name="back"),
        "finder": described("primary", {"url": up.url()}, task="detect", name="finder"),
        "extra": described("optional", {"url": up.url()}, name="extra"),
    }
    result = run(registry, "models", "download", "--json")
    assert result.exit_code == 0, result.stderr
    got = [json.loads(line) for line in result.stdout.splitlines()]
    assert {item["name"] for item in got} == {"Spare", "Back", "Finder"}
    assert {item["path"] for item in got} == {str(p) for p in (tmp_path / "weights").iterdir()}
    assert files(tmp_path / "weights") == [
        f"{name}-made-for-tests.onnx" for name in ("back", "finder", "spare")
    ]
    assert [head.split()[1] for head in up.requests] == ["/back"]
    assert f"Best could not be fetched: {down['url']}: given up after" in result.stderr
    assert f"Finder: {tmp_path / 'weights' / 'finder-made-for-tests.onnx'}" in result.stderr


def test_a_role_without_a_model_is_named_and_does_not_stop_the_others(
    run, down, up, hasty, tmp_path
):
    registry = {
        "best": described("primary", down, name="best"),
        "back": described("fallback", {"url": up.url()}, name="back"),
        "finder": described("primary", {"url": up.url()}, task="detect", name="finder"),
    }
    result = run(registry, "models", "download")
    assert result.exit_code == 1
    assert f"{down['url']}: given up after" in result.stderr
    assert "nothing could be fetched for: rtmpose\n" in result.stderr
    assert len(files(tmp_path / "weights")) == 2


def test_the_settings_choose_what_is_fetched(run, up, monkeypatch, tmp_path):
    monkeypatch.setenv("MMPOSE_POSE_MODEL", "extra")
    monkeypatch.setenv("HRNET_ENABLED", "0")
    registry = {
        "best": described("primary", {"url": up.url()}, name="best"),
        "back": described("fallback", {"url": up.url()}, name="back"),
        "extra": described("optional", {"url": up.url()}, name="extra"),
        "finder": described("primary", {"url": up.url()}, task="detect", name="finder"),
    }
    assert run(registry, "models", "download").exit_code == 0
    names = [f"{name}-made-for-tests.onnx" for name in ("extra", "finder")]
    assert files(tmp_path / "weights") == names


def test_a_named_folder_is_filled_whatever_lies_elsewhere(run, up, tmp_path):
    registry = {
        "best": described("primary", {"url": up.url()}, name="best"),
        "finder": described("primary", {"url": up.url()}, task="detect", name="finder"),
    }
    assert run(registry, "models", "download").exit_code == 0  # no fallback: none is needed
    assert up.connections == 2
    assert run(registry, "models", "download").exit_code == 0
    assert up.connections == 2
    assert run(registry, "models", "download", "--to", tmp_path / "own").exit_code == 0
    assert files(tmp_path / "own") == files(tmp_path / "weights")
    assert up.connections == 4


def test_mirrors_of_the_settings_are_asked_and_no_log_has_their_secrets(
    run, down, up, hasty, monkeypatch, caplog
):
    base = f"http://user:pass@127.0.0.1:{up.port}/mirror?signature=secret"
    monkeypatch.setenv("MMPOSE_MIRRORS", base)
    with caplog.at_level(logging.INFO):
        result = run(
            {"best": described("primary", down, name="best")}, "-v", "models", "download", "best"
        )
    assert result.exit_code == 0, result.stderr
    assert up.requests[0].startswith("GET /mirror/best-made-for-tests.onnx?signature=secret ")
    shown = result.output + caplog.text
    assert "secret" not in shown
    assert "pass" not in shown


def test_the_list_names_the_kinds_of_sources(run, tmp_path):
    member = {"requirement": "a==1", "sha256": "0" * 64, "members": ["net.onnx"]}
    address = {"url": "https://a.org/net.onnx"}
    registry = {
        "best": described("primary", address, address, member, name="best"),
        "back": described("fallback", name="back"),
    }
    rows = [row for row in run(registry, "models", "list").stdout.splitlines() if "│" in row]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    best = next(i for i, cell in enumerate(cells) if cell[0] == "best")
    assert cells[best][-1] == "missing"
    assert cells[best + 1][-1] == "(url, wheel)"
    assert cells[best + 2][0] == "back"
    listed = [
        json.loads(line)
        for line in run(registry, "models", "list", "--json").stdout.split("\n")[:-1]
    ]
    assert [(m["key"], m["checkpoint"], m["sources"]) for m in listed[:2]] == [
        ("best", None, ["url", "wheel"]),
        ("back", None, []),
    ]
    (verified,) = run(registry, "models", "verify", "--json").stdout.splitlines()[:1]
    assert json.loads(verified) == {"key": "best", "state": "missing", "sha256": None}


@pytest.mark.parametrize("there", [True, False])
def test_the_demonstration_video_comes_with_the_models_if_asked(
    run, up, monkeypatch, tmp_path, there
):
    wheel = make_wheel(tmp_path / "index", {"demo/demo.mp4": VIDEO}, "demo/demo.mp4")
    video = replace(DEMO_VIDEO, sha256=digest(VIDEO), sources=(wheel,))
    monkeypatch.setattr(downloads, "DEMO_VIDEO", video)
    monkeypatch.setattr(
        downloads, "demo_video_folders", lambda root=tmp_path: demo_video_folders(root)
    )
    monkeypatch.setattr(downloads, "find_demo_video", lambda: find_demo_video(tmp_path))
    if there:
        (tmp_path / "shared" / "videos").mkdir(parents=True)
        (tmp_path / "shared" / "videos" / "sports2d_demo.mp4").write_bytes(VIDEO)
    registry = {
        "best": described("primary", {"url": up.url()}, name="best"),
        "finder": described("primary", {"url": up.url()}, task="detect", name="finder"),
    }
    result = run(registry, "models", "download", "--demo")
    assert result.exit_code == 0, result.stderr
    assert len(files(tmp_path / "weights")) == 2
    assert files(tmp_path / "videos") == ([] if there else ["sports2d_demo.mp4"])
    assert find_demo_video(tmp_path).read_bytes() == VIDEO


def test_a_demonstration_video_that_cannot_be_had_ends_with_1(run, up, monkeypatch, tmp_path):
    monkeypatch.setattr(downloads, "demo_video_folders", lambda: demo_video_folders(tmp_path))
    monkeypatch.setattr(downloads, "find_demo_video", lambda: None)
    registry = {"best": described("primary", {"url": up.url()}, name="best")}
    result = run(registry, "models", "download", "best", "--demo")
    assert result.exit_code == 1
    assert "wheel sports2d==0.8.34: pip fails: " in result.stderr
    assert "nothing could be fetched for: demonstration video" in result.stderr
    assert len(files(tmp_path / "weights")) == 1


def test_the_demonstration_video_here_is_the_one_that_is_fetched(demo_video):
    assert digest(demo_video.read_bytes()) == DEMO_VIDEO.sha256
