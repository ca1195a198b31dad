"""Access: every route with no key, a wrong one, another's and one's own; no secret in any log.

A new route fails `test_every_route_has_a_row` until `ROUTES` has a row for it.
"""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import time
from concurrent.futures import wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from serve_app.access.authentication import OPEN_PATHS
from serve_app.access.keys import KeyFile
from serve_app.http.routes import create_app
from serve_app.jobs.jobs import Jobs
from tests.conftest import ROOT
from tests.e2e.conftest import first_frames
from tests.support.asgi import AsgiTransport
from tests.support.keyed_service import keyed_service
from tools.serving import free_port, raylet_of, serving

NAME = "0" * 32 + ".mp4"


@dataclass(frozen=True)
class Row:
    """What a route answers.

    Attributes:
        own: status for the key of the owner. other: for another's; None for the same.
        at: address with the names of :func:`made`; the route's own by default.
        headers, request: that the call needs, and other arguments of httpx.
    """

    own: int
    other: int | None = None
    at: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)


TUS = {"Tus-Resumable": "1.0.0"}
PART = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
UPLOAD = {"files": {"file": b"no video"}}
ROUTES = {
    "POST /pose": Row(415, request=UPLOAD),
    "POST /export": Row(422, at="/export?format=csv", request={"json": {}}),
    "GET /videos/{key}": Row(404, at="/videos/{name}"),
    "GET /videos/{owner}/{key}": Row(200, 404, at="/videos/{me}/{name}"),
    "OPTIONS /uploads": Row(204),
    "OPTIONS /uploads/{upload_id}": Row(204),
    "POST /uploads": Row(201, headers=TUS | {"Upload-Length": "5"}),
    "GET /uploads/{upload_id}": Row(200, 404, headers=TUS),
    "PATCH /uploads/{upload_id}": Row(204, 404, headers=TUS | PART, request={"content": b"12"}),
    "DELETE /uploads/{upload_id}": Row(204, 404, headers=TUS),
    "POST /jobs": Row(202, request=UPLOAD),
    "GET /jobs": Row(200),
    "GET /jobs/{job_id}": Row(200, 404),
    "DELETE /jobs/{job_id}": Row(204, 404),
    "GET /jobs/{job_id}/events": Row(200, 404),
    "GET /jobs/{job_id}/result": Row(409, 404),
    "GET /jobs/{job_id}/video": Row(409, 404),
    "GET /jobs/{job_id}/sentences": Row(409, 404),
    "GET /jobs/{job_id}/source": Row(200, 404),
    "GET /jobs/{job_id}/report": Row(409, 404),
    "POST /jobs/{job_id}/corrections": Row(409, 404, request={"json": {"changes": []}}),
    "GET /jobs/{job_id}/export/{kind}": Row(409, 404, at="/jobs/{job_id}/export/csv"),
}
"""A row for each route that needs a key; HEAD is as GET where there is one."""


@pytest.fixture(scope="module")
def keyed(marker_config, tmp_path_factory):
    return keyed_service(tmp_path_factory.mktemp("keyed"), marker_config)


@pytest.fixture(scope="module")
def app_and_loop(keyed):
    """The application with its table of jobs, and the loop of a thread in which it runs."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    jobs = Jobs(keyed.service)
    running = asyncio.run_coroutine_threadsafe(jobs.keep_running(), loop)
    yield create_app(keyed.service, jobs), loop
    running.cancel()
    wait([running])
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def http(app_and_loop):
    with httpx.Client(transport=AsgiTransport(*app_and_loop), base_url="http://test") as client:
        yield client


def ended_job(http, headers):
    """Id of a job that has failed, as its file is no video."""
    for _ in range(600):
        made = http.post("/jobs", headers=headers, **UPLOAD)
        if made.status_code == 202:
            break
        time.sleep(0.05)  # until the table is open
    assert made.status_code == 202, made.text
    for _ in range(600):
        job = http.get(f"/jobs/{made.json()['id']}", headers=headers).json()
        if job["state"] == "failed":
            return job["id"]
        time.sleep(0.05)
    raise AssertionError(job)


@pytest.fixture(scope="module")
def jobs():
    """Ids of the jobs that :func:`made` has made."""
    return []


@pytest.fixture
def made(http, keyed, jobs):
    """Names of things that the caller ``own`` has made; the job is another once it is deleted."""
    if not jobs or http.get(f"/jobs/{jobs[-1]}", headers=keyed.headers()).status_code == 404:
        jobs.append(ended_job(http, keyed.headers()))
    video = Path(keyed.service.settings.output) / keyed.me / NAME
    video.parent.mkdir(parents=True, exist_ok=True)
    video.write_bytes(b"12345")
    begun = http.post("/uploads", headers=keyed.headers() | TUS | {"Upload-Length": "5"})
    return {
        "me": keyed.me,
        "name": NAME,
        "upload_id": begun.json()["upload_id"],
        "job_id": jobs[-1],
    }


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Method and template of each route, also within routers; a mount has no methods and fails."""
    found = iter_route_contexts(app.routes)
    return {(method, route.path) for route in found for method in route.methods}


def test_every_route_has_a_row(app_and_loop):
    found = routes_of(app_and_loop[0])
    needed = {
        f"{method} {path}"
        for method, path in found
        if path not in OPEN_PATHS and not (method == "HEAD" and ("GET", path) in found)
    }
    assert needed == set(ROUTES)
    assert {path for _, path in found} >= OPEN_PATHS


@pytest.mark.parametrize("who", ["none", "wrong", "another", "own"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_route_answers_its_owner_alone(http, app_and_loop, keyed, made, route, who):
    row, (method, template) = ROUTES[route], route.split()
    headers = keyed.headers(who) | row.headers
    expected = {
        "none": 401,
        "wrong": 401,
        "another": row.own if row.other is None else row.other,
        "own": row.own,
    }[who]
    address = (row.at or template).format(**made)
    answer = http.request(method, address, headers=headers, **row.request)
    assert answer.status_code == expected, answer.text
    if expected == 401 and method != "HEAD":
        assert answer.json()["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"
    if who == "another" and answer.is_success:  # a list is of the caller's own
        assert [name for name in (made["job_id"], made["upload_id"]) if name in answer.text] == []
    if method == "GET" and ("HEAD", template) in routes_of(app_and_loop[0]):
        assert http.head(address, headers=headers).status_code == expected
    if row.other == 404 and who == "another" and method != "HEAD":
        nobodys = made | {"name": "1" * 32 + ".mp4", "upload_id": "1" * 32, "job_id": "1" * 32}
        absent = http.request(
            method, (row.at or template).format(**nobodys), headers=headers, **row.request
        )
        assert without_id(answer.json()) == without_id(absent.json())


def without_id(problem):
    """A problem document as text, without ids, which differ from request to request."""
    text = json.dumps({name: value for name, value in problem.items() if name != "instance"})
    return re.sub("[0-9a-f]{32}", "", text)


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_what_is_open_needs_no_key_and_has_no_secret(http, keyed, path):
    for key in keyed.keys.values():
        answer = http.get(path, headers={"X-API-Key": key} if key else {})
        assert answer.status_code == 200
        assert [s for s in [*keyed.secrets, keyed.me] if s in answer.text] == []


def test_nothing_that_is_secret_is_logged(http, keyed, made, caplog):
    """Over ASGI, at the level of debugging; the test below looks at the logs of a whole service."""
    link = keyed.service.access.links.sign(f"/videos/{keyed.me}/{NAME}")
    wrong = link.replace("signature=", "signature=0")
    with caplog.at_level(logging.DEBUG):
        assert http.get(link).status_code == 200
        assert http.get(wrong).status_code == 401
        for key in keyed.keys.values():
            http.get("/videos/x", headers={"Authorization": f"Bearer {key}"})
            http.get(f"/nothing?key={key}", headers={"X-API-Key": key})
            http.post("/pose", headers={"X-API-Key": key}, **UPLOAD)
    texts = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    assert len([t for t in texts if '"route"' in t]) == 2 + 3 * len(keyed.keys)
    leaked = [*keyed.secrets, "signature", link.partition("?")[2]]
    assert [text for text in texts if any(secret in text for secret in leaked)] == []


@pytest.fixture(scope="module")
def running(tmp_path_factory, movenet, demo_video):
    """A service with keys, in processes of its own; the key and a video."""
    folder = tmp_path_factory.mktemp("service")
    _, key = KeyFile(folder / "keys.json").add("me")
    video = first_frames(demo_video, folder / "demo.mp4", 5)
    with serving(folder, MMPOSE_KEYS_FILE=str(folder / "keys.json")) as service:
        yield service, folder, key, video


def test_no_log_of_a_running_service_has_a_key_or_a_signature(running):
    service, folder, key, video = running
    wrong = f"{key.partition('.')[0]}.{'B' * 43}"
    with httpx.Client(base_url=service.url, timeout=120) as http:
        assert http.get("/healthz").json()["access"] == "keys"
        for given in ({}, {"X-API-Key": wrong}, {"Authorization": f"Bearer {wrong}"}):
            refused = http.post("/pose", headers=given, files={"file": video.read_bytes()})
            assert refused.status_code == 401
        answer = http.post(
            f"/pose?key={key}",
            headers={"Authorization": f"Bearer {key}"},
            files={"file": video.read_bytes()},
            data={"data": "false"},
        )
        assert answer.status_code == 200, answer.text
        link = answer.json()["video_url"]
        assert re.fullmatch(
            rf"{service.url}/videos/{key.partition('.')[0]}/[0-9a-f]{{32}}\.mp4"
            r"\?expires=\d+&signature=[0-9a-f]{64}",
            link,
        )
        assert http.get(link).headers["content-type"] == "video/mp4"
        bare = link.partition("?")[0]
        assert http.get(bare).status_code == 401
        assert http.get(bare, headers={"X-API-Key": key}).status_code == 200
        assert http.get(link.replace("expires=", "expires=1")).status_code == 401

    (session,) = re.findall(r"--log_dir=([^\0]+)", raylet_of(service.pid))
    logs = [folder / "log", *(path for path in Path(session).rglob("*") if path.is_file())]
    texts = {path: path.read_bytes() for path in logs if path.exists()}
    secrets = [key.partition(".")[2], wrong.partition(".")[2], link.partition("signature=")[2]]
    secrets.append((folder / "link_secret").read_text())
    assert [p for p, text in texts.items() if any(s.encode() in text for s in secrets)] == []
    everything = b"\n".join(texts.values()).decode(errors="replace")
    audited = [json.loads(line) for line in re.findall(r'\{"time": .*\}', everything)]
    assert {(a["route"], a["status"]) for a in audited} >= {
        *(("/pose", 200), (None, 401)),
        *(("/videos/{owner}/{key}", 200), (None, 401)),
    }
    assert {a["caller"] for a in audited} >= {key.partition(".")[0], None}
    assert "access: keys, HTTP on 127.0.0.1" in everything
    assert "Access on 127.0.0.1: callers need a key or token." in (folder / "log").read_text()


PUBLIC = """
import sys, ray
from ray import serve
from serve_app.ingress import Ingress
from serve_app.model_plan import plan_models
from serve_app.settings import load_settings

settings = load_settings()
ray.init(address="local", num_cpus=2, include_dashboard=False)
serve.start(http_options={"host": sys.argv[1], "port": int(sys.argv[2])})
try:
    once = Ingress.options(max_constructor_retry_count=1)
    serve.run(once.bind(settings, plan_models(settings), {}, {}))
except RuntimeError:
    print(serve.status().applications["default"].deployments["Ingress"].message)
"""


@pytest.mark.serial
def test_a_graph_that_rays_own_command_deploys_on_a_network_refuses_to_start():
    """`serve deploy` runs none of our checks: the Ingress asks Serve which host it listens on."""
    done = subprocess.run(
        [sys.executable, "-c", PUBLIC, "0.0.0.0", str(free_port())],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    said = " ".join(done.stdout.split())
    assert "the service would answer everybody who reaches 0.0.0.0: it has no keys" in said, done
    assert "access: gateway" in said, done
