"""`mmpose-service serve`: who can reach it, and how failures end it."""

import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from tests.conftest import ROOT
from tests.support import markers
from tests.support.late_graph import PIECES
from tests.support.listeners import listeners, named_in_the_operators_page
from tools.serving import BIN, CONFIG, free_port, raylet_of

pytestmark = pytest.mark.serial


def config_of(folder, **application):
    """A file of `make serve`'s config on a free port, the application changed."""
    config = yaml.safe_load(CONFIG.read_text())
    config["http_options"]["port"] = free_port()
    config["applications"][0] |= application
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_only_what_the_operators_page_names_listens_beyond_loopback(running):
    found = listeners(running.pid)
    assert {s.process for s in found if s.open} == named_in_the_operators_page()
    assert "ray::ProxyActor" in {s.process for s in found}


def test_the_token_is_in_its_file_alone_which_is_for_its_user_alone(running):
    path = Path(running.environment["RAY_AUTH_TOKEN_PATH"])
    assert path.stat().st_mode & 0o777 == 0o600
    token = path.read_bytes()
    assert re.fullmatch(rb"[0-9a-f]{64}", token)

    processes = psutil.Process(running.pid).children(recursive=True)
    read = [Path(f"/proc/{p.pid}/{name}") for p in processes for name in ("cmdline", "environ")]
    (folder,) = re.findall(r"--log_dir=([^\0]+)", raylet_of(running.pid))
    log = path.parent / "log"
    read += [log, *(p for p in Path(folder).rglob("*") if p.is_file())]
    assert len(read) > 40
    assert [p for p in read if p.exists() and token in p.read_bytes()] == []
    until(lambda: f"RAY_AUTH_TOKEN_PATH={path}" in log.read_text(), log)  # once all runs


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


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """One that takes longer to analyze than any grace here."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return markers.write_video(path, markers.squat(3000)).read_bytes()


@pytest.mark.parametrize("replicas", [1, 2])
def test_requests_under_way_are_answered_when_the_service_ends(
    tmp_path, movenet, long_video, replicas
):
    """(S7) By every replica of the Ingress, which admits nothing more and leaves nothing."""
    places = {"output": str(tmp_path / "videos"), "spool_dir": str(tmp_path / "spool")}
    path, log = config_of(tmp_path, args=places), tmp_path / "log"
    config = yaml.safe_load(path.read_text())
    config["applications"][0]["deployments"][0]["num_replicas"] = replicas
    path.write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{config['http_options']['port']}"
    environment = os.environ | {"MMPOSE_WEIGHTS_DIR": str(movenet.parent)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [BIN / "mmpose-service", "serve", path, "--grace", "4"],
            cwd=ROOT,
            stdout=file,
            stderr=file,
            env=environment,
        )
    try:
        until(lambda: "Interrupt to end" in log.read_text() or process.poll() is not None, log)
        with ThreadPoolExecutor(4) as pool, httpx.Client(base_url=url, timeout=100) as http:
            ready = []  # asked often, so that every replica answers
            until(
                lambda: ready.append(http.get("/readyz").status_code) or ready[-9:] == [200] * 9,
                log,
            )
            asked = [pool.submit(http.post, "/pose", files={"file": long_video}) for _ in range(4)]
            until(lambda: len(list(tmp_path.glob("spool/*/upload"))) == 4, log)
            process.terminate()
            until(lambda: http.get("/readyz").status_code == 503, log)
            late = []
            with suppress(httpx.TransportError):  # by then all has ended, on a busy machine
                for _ in range(8):
                    late.append(http.post("/pose", files={"file": b"x"}))
            answers = [request.result(timeout=100) for request in asked]
        assert {(a.status_code, a.json()["code"]) for a in answers + late} == {(503, "not_ready")}
        assert process.wait(60) == 0, log.read_text()
        assert list((tmp_path / "spool").iterdir()) == list((tmp_path / "videos").iterdir()) == []
        assert not raylet_of(process.pid)
    finally:
        process.kill()
        process.wait()


def test_answers_that_replicas_still_send_are_whole_before_the_proxy_ends(tmp_path):
    """(S7) Of all applications, which drain at once. Serve's shutdown kills its proxy first."""
    (asked_of := tmp_path / "asked").mkdir()
    args = {"folder": str(asked_of), "replicas": 4}
    late = {"import_path": "tests.support.late_graph:build", "args": args, "deployments": []}
    path, log = config_of(tmp_path, **late), tmp_path / "log"
    config = yaml.safe_load(path.read_text())
    config["applications"].append({**late, "name": "other", "route_prefix": "/other"})
    path.write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{config['http_options']['port']}"
    with log.open("wb") as file:
        command = [BIN / "mmpose-service", "serve", path]
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    try:
        until(lambda: "Interrupt to end" in log.read_text() or process.poll() is not None, log)
        with ThreadPoolExecutor(48) as pool:
            asked = []
            while len(asked) < 8 or (len(asked) < 48 and len(list(asked_of.iterdir())) < 4):
                for prefix in ("", "/other"):  # until Serve has chosen every replica
                    asked.append(pool.submit(httpx.get, f"{url}{prefix}/late", timeout=100))
                said = len(asked) * len("asked\n")
                until(lambda: sum(len(f.read_text()) for f in asked_of.iterdir()) == said, log)  # noqa: B023
            assert len(list(asked_of.iterdir())) == 4
            assert httpx.get(f"{url}/-/healthz").status_code == 200
            process.terminate()
            until(lambda: httpx.get(f"{url}/-/healthz").status_code == 503, log)
            answers = [request.result(timeout=100) for request in asked]
        assert [a.text for a in answers] == ["." * PIECES] * len(asked)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_a_signal_while_ray_starts_leaves_nothing_of_it(tmp_path):
    idle = {"import_path": "bench.idle_graph:build", "args": {"names": ["Idle"]}}
    path, log = config_of(tmp_path, **idle, deployments=[]), tmp_path / "log"
    with log.open("wb") as file:
        command = [BIN / "mmpose-service", "serve", path]
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    try:
        own = psutil.Process(process.pid)
        until(own.children, log)
        session = {child.pid: child for child in own.children(recursive=True)}
        process.terminate()
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                session |= {child.pid: child for child in own.children(recursive=True)}
            time.sleep(0.05)
        assert psutil.wait_procs(session.values(), timeout=20)[1] == []
    finally:
        process.kill()
        process.wait()


def until(true, log):
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


def serve(path, token):
    """`mmpose-service serve` until it ends by itself."""
    return subprocess.run(
        [BIN / "mmpose-service", "serve", path],
        cwd=ROOT,
        env=os.environ | {"RAY_AUTH_TOKEN_PATH": str(token)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_a_graph_that_cannot_be_built_ends_with_the_reason_and_an_open_token_is_named(tmp_path):
    token = tmp_path / "token"
    token.write_text("0" * 64)
    token.chmod(0o644)
    done = serve(config_of(tmp_path, args={"detector_stride": -1}), token)
    assert done.returncode == 1, done.stderr
    assert "pose: DEPLOY_FAILED" in done.stderr
    assert "detector_stride" in done.stderr
    assert f"chmod 600 {token}" in done.stderr


def test_without_a_place_for_its_token_it_does_not_start(tmp_path):
    done = serve(config_of(tmp_path), "/proc/token")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: Ray's token cannot be kept in /proc/token")
