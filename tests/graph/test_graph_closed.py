"""Strangers: who does not know Ray's token is refused before anything of theirs is unpickled."""

import os
import pickle
import subprocess
from types import SimpleNamespace

import grpc
import httpx
import pytest
import ray
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
from ray.serve.generated import serve_pb2, serve_pb2_grpc

from serve_app.ray_token import read_token
from tests.conftest import ROOT
from tests.graph.conftest import replicas
from tests.support.listeners import listeners, named_in_the_operators_page
from tools.serving import BIN

METHODS = (
    "HandleRequest",
    "HandleRequestStreaming",
    "HandleRequestWithRejection",
    "HandleRequestWithRejectionStreaming",
)
STRANGERS = pytest.mark.parametrize("token", [None, "0" * 64], ids=["no token", "wrong token"])
REFUSED = grpc.StatusCode.UNAUTHENTICATED


class Mark:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def headers(token):
    return {} if token is None else {"authorization": f"Bearer {token}"}


def call(stub, method, request, token):
    """The status of a call; OK where it is answered."""
    try:
        answer = getattr(stub, method)(request, timeout=20, metadata=[*headers(token).items()])
        if "Streaming" in method:
            list(answer)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def doors(graph):
    """Ports of the replicas' gRPC by deployment and process, as Serve and the system know them."""
    names = [d["name"] for d in graph.document["applications"][0]["deployments"]]
    ours = {replica["pid"]: name for name in names for replica in replicas(graph, name)}
    assert set(ours.values()) == set(names)
    ports = {
        (ours[s.pid], s.pid): s.port for s in listeners(os.getpid()) if s.open and s.pid in ours
    }
    assert len(ports) == len(ours)
    return ports


def test_only_what_the_operators_page_names_listens_beyond_loopback(graph):
    found = listeners(os.getpid())
    assert {s.process for s in found if s.open} == named_in_the_operators_page()
    assert {"ray::ServeController", "ray::ProxyActor"} <= {s.process for s in found}


@pytest.mark.parametrize("method", METHODS)
def test_every_replica_refuses_strangers_before_it_unpickles(doors, tmp_path, method):
    for (deployment, pid), port in doors.items():
        mark = tmp_path / f"{deployment}-{pid}"
        request = serve_pb2.ASGIRequest(pickled_request_metadata=pickle.dumps(Mark(mark)))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = serve_pb2_grpc.ASGIServiceStub(channel)
            for token in (None, "0" * 64):
                assert call(stub, method, request, token) == REFUSED, deployment
                assert not mark.exists(), deployment
            # The same call passes with the token: it is unpickled, and then found to be no request.
            assert call(stub, method, request, read_token()) == grpc.StatusCode.UNKNOWN, deployment
            assert mark.exists(), deployment


@STRANGERS
def test_the_store_of_ray_refuses_strangers(graph, token):
    request = gcs_service_pb2.InternalKVKeysRequest(namespace=b"", prefix=b"")
    with grpc.insecure_channel(ray.get_runtime_context().gcs_address) as channel:
        stub = gcs_service_pb2_grpc.InternalKVGcsServiceStub(channel)
        assert call(stub, "InternalKVKeys", request, token) == REFUSED
        assert call(stub, "InternalKVKeys", request, read_token()) == grpc.StatusCode.OK


@STRANGERS
def test_workers_take_no_task_of_strangers(doors, token):
    workers = {pid for _, pid in doors}
    ports = {s.pid: s.port for s in listeners(os.getpid()) if s.pid in workers and not s.open}
    assert ports.keys() == workers
    for port in ports.values():
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            worker = SimpleNamespace(
                push=channel.unary_unary("/ray.rpc.CoreWorkerService/PushTask")
            )
            assert call(worker, "push", b"", token) == REFUSED


@STRANGERS
def test_the_dashboard_takes_no_job_and_no_config_of_strangers(graph, tmp_path, token):
    mark = tmp_path / "mark"
    with httpx.Client(base_url=graph.dashboard, headers=headers(token)) as stranger:
        answers = (
            stranger.post("/api/jobs/", json={"entrypoint": f"touch {mark}"}),
            stranger.put("/api/serve/applications/", json={"applications": []}),
            stranger.get("/api/serve/applications/"),
        )
    assert {answer.status_code for answer in answers} == {401 if token is None else 403}
    known = httpx.get(f"{graph.dashboard}/api/jobs/", headers=headers(read_token()))
    assert {job["type"] for job in known.json()} == {"DRIVER"}  # this process, and no job of theirs
    assert not mark.exists()


def deploy(graph, home, **environment):
    """`mmpose-service deploy` of a user who has the files of ``home`` alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [BIN / "mmpose-service", "deploy", graph.path, "--address", graph.dashboard],
        cwd=ROOT,
        env=kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "none is found here"),
        ({"RAY_AUTH_MODE": "token"}, "none is found here"),
        ({"RAY_AUTH_TOKEN": "0" * 64}, "the one found here is refused"),
    ],
    ids=["no token", "no token in token mode", "wrong token"],
)
def test_deploy_without_the_token_says_so_and_what_to_do(graph, tmp_path, environment, says):
    done = deploy(graph, tmp_path, **environment)
    error, remedy = done.stderr.splitlines()
    assert done.returncode == 2
    assert error.startswith(f"error: {graph.dashboard} ")
    assert error.endswith(says)
    assert "RAY_AUTH_TOKEN_PATH" in remedy


@pytest.mark.parametrize("where", [".ray/auth_token", "mmpose-service/ray_auth_token"])
def test_deploy_finds_the_token_of_its_user(graph, tmp_path, where):
    path = tmp_path / where
    path.parent.mkdir()
    path.write_text(read_token())
    done = deploy(graph, tmp_path)
    assert done.returncode == 0, done.stderr
