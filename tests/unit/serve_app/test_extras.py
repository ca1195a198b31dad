"""The wheel in environments of one extra: a client without the service, results without models."""

import json
import socket
import subprocess
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import get_args

import numpy as np
import pytest
import uvicorn

from serve_app.cli.main import main
from serve_app.http.routes import create_app
from serve_app.jobs import migrations
from serve_app.results.job_schema import Job
from serve_app.web import FOLDER
from tests.conftest import SQUAT_FRAMES
from tests.support.extras import PROJECT, build_wheel, clean_environment, make_environment
from tests.support.loopback_server import Server, reply
from tests.support.moving_figure import frames, squats

COMMANDS = main.list_commands(None)
RESULTS = ("export", "report", "compare")
OF_RESULTS = ("numpy", "scipy", "av", "cv2", "pyarrow", "rich")
OF_SERVICE = ("torch", "ray", "mmpose", "mmdet", "mmcv", "mmengine", "openvino", "fastapi")
EXTRAS = dict.fromkeys(RESULTS, "results") | {"jobs": "client"}
PIP = "  Install them: pip install 'mmpose-service[{}]'\n"
SETUP = "  Install mmpose-service[service]: scripts/setup.sh, in a checkout of the service.\n"

CALLS = """
import json, sys
from deployments.errors import AddressNotAllowedError
from serve_app.client import PoseClient

with PoseClient(sys.argv[1]) as client:
    health = client.wait_until_ready()
    answer = client.analyze("squat.mp4", video=False)
    client.export(answer, "trc", "squat.trc", height_m=1.8)
    try:
        client.analyze("http://192.168.0.1/a.mp4")
    except AddressNotAllowedError as error:
        hint = error.hint
knees = [f.biomechanics.joint_angles["left_knee"] for f in answer.data.poses_per_frame]
print(json.dumps({"status": health.status, "knees": knees, "hint": hint}))
"""
LIBRARY = """
import biomech, numpy as np
clip = biomech.Track.from_coco(np.load("xy.npy"), fps=60)
result = biomech.analyze(clip, movement="squat", height_m=1.75)
result.write_trc("squat.trc")
print(len(result.repetitions))
"""
NULL = [
    name for name, field in Job.model_fields.items() if type(None) in get_args(field.annotation)
]
FIND = """
import sys
from importlib.util import find_spec

print([name for name in sys.argv[1:] if find_spec(name)])
"""

PAGE = """
from serve_app.web import FOLDER
print(sorted(path.name for path in FOLDER.glob("*.*")))
"""
MIGRATIONS = """
from pathlib import Path
import serve_app.jobs

folder = Path(serve_app.jobs.__file__).parent / "migrations"
print(sorted(path.name for path in folder.rglob("*.py")))
"""
OURS = Path(migrations.__file__).parent


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Run a program of the environment of an extra: its exit code, stdout and stderr."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    made = {}

    def run(extra, folder, program, *arguments):
        if extra not in made:
            made[extra] = make_environment(tmp_path_factory.mktemp("extra"), wheel, extra)
        done = subprocess.run(
            [made[extra] / program, *map(str, arguments)],
            cwd=folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@contextmanager
def listening(app):
    """Serve an application on loopback while the block lasts; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def test_the_client_alone_calls_the_service(programs, service, squat_video, tmp_path):
    """Issue 24, item 4: neither torch nor Ray, nor numpy."""
    absent = programs("client", tmp_path, "python", "-c", FIND, *OF_SERVICE, *OF_RESULTS)
    assert absent == (0, "[]\n", "")
    (tmp_path / "squat.mp4").write_bytes(squat_video.read_bytes())
    with listening(create_app(service)) as address:
        code, said, errors = programs("client", tmp_path, "python", "-c", CALLS, address)
    assert (code, errors) == (0, "")
    told = json.loads(said)
    assert told["status"] == "healthy"
    assert len(told["knees"]) == SQUAT_FRAMES
    assert told["hint"]
    assert (tmp_path / "squat.trc").read_text().startswith("PathFileType")


def test_the_migrations_of_jobs_are_in_the_wheel(programs, tmp_path):
    found = programs("client", tmp_path, "python", "-c", MIGRATIONS)
    assert found == (0, f"{sorted(path.name for path in OURS.rglob('*.py'))}\n", "")


def test_the_page_is_in_the_wheel(programs, tmp_path):
    found = programs("client", tmp_path, "python", "-c", PAGE)
    assert found == (0, f"{sorted(path.name for path in FOLDER.glob('*.*'))}\n", "")


@pytest.mark.parametrize("extra", [None, "client"])
def test_every_command_is_listed_and_says_what_it_lacks(programs, tmp_path, extra):
    code, listed, errors = programs(extra, tmp_path, "mmpose-service", "--help")
    assert (code, errors) == (0, "")
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    _, version, _ = programs(extra, tmp_path, "mmpose-service", "--version")
    assert PROJECT["project"]["version"] in version
    for name in COMMANDS:
        if name == "completion" or (extra is not None and EXTRAS.get(name) == extra):
            continue
        code, said, errors = programs(extra, tmp_path, "mmpose-service", name, "--help")
        assert (code, said) == (2, ""), errors
        problem, remedy = errors.splitlines(keepends=True)
        assert problem.startswith(f"error: {name} needs packages that are not installed: ")
        assert remedy == (PIP.format(EXTRAS[name]) if name in EXTRAS else SETUP)


def test_the_client_alone_has_the_commands_of_jobs(programs, tmp_path):
    def command(*arguments):
        return programs("client", tmp_path, "mmpose-service", "jobs", *arguments)

    for name in ("submit", "list", "watch", "result", "cancel", "delete"):
        code, said, errors = command(name, "--help")
        assert (code, errors) == (0, "")
        assert "--api-key" in said
    job_id = "0" * 32
    state = {"id": job_id, "state": "succeeded", "percent": 100, **dict.fromkeys(NULL)}
    counts = {"frames_done": 9, "created_at": 0, "attempts": 1, "cancel_requested": False}
    paths = {"self": "/", "events": "/", "source": "/", "result": "/", "video": None}
    with Server(reply(json.dumps(state | counts | {"links": paths}).encode())) as server:
        url = server.url("").rstrip("/")
        code, said, errors = command("watch", job_id, "--url", url)
    assert (code, errors) == (0, f"{job_id}: succeeded\n")
    assert said == f"{job_id}  1970-01-01 00:00 UTC  100.0 %  succeeded\n"


def test_the_library_alone_has_numpy_and_scipy(programs, tmp_path):
    """U17: `biomech` is a library of its own."""
    others = (*OF_SERVICE, *OF_RESULTS, "pydantic", "yaml")
    found = programs("biomech", tmp_path, "python", "-c", FIND, *others)
    assert found == (0, "['numpy', 'scipy']\n", "")
    np.save(tmp_path / "xy.npy", squats(frames(4.0, 60.0), [0.5, 2.3]).xy)
    assert programs("biomech", tmp_path, "python", "-c", LIBRARY) == (0, "2\n", "")
    assert (tmp_path / "squat.trc").read_text().startswith("PathFileType")


def test_results_are_worked_on_without_models(programs, squat_answer, squat_video, tmp_path):
    absent = programs("results", tmp_path, "python", "-c", FIND, *OF_SERVICE, *OF_RESULTS)
    assert absent == (0, f"{list(OF_RESULTS)}\n", "")
    (tmp_path / "run.json").write_text(json.dumps(squat_answer))

    def command(*arguments):
        code, said, errors = programs("results", tmp_path, "mmpose-service", *arguments)
        assert code == 0, errors
        return said

    for kind in ("csv", "parquet", "trc", "mot", "coco", *(["c3d"] if find_spec("ezc3d") else [])):
        command("export", "run.json", "--format", kind, "--height-m", "1.8")
    command("report", "run.json", "--video", squat_video)
    assert "data:image/jpeg" in (tmp_path / "run.report.html").read_text()
    compared = json.loads(command("compare", "run.json", "run.json", "--json"))
    assert {change["delta"] for change in compared["progress"]["changes"]} == {0}


def test_commands_of_the_service_say_what_they_lack_beside_results(programs, tmp_path):
    for name in ("analyze", "demo", "check", "deploy"):
        code, said, errors = programs("results", tmp_path, "mmpose-service", name, "--help")
        assert (code, said) == (2, "")
        assert errors.endswith(SETUP)
