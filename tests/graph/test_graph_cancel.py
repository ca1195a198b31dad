"""A request that ends early ends its work: at a deadline, at a failure, when its caller leaves."""

import os
import socket
import time
from pathlib import Path

import httpx
import pytest
import ray
from ray import serve

from deployments.annotated_video import EncodeOptions
from deployments.decode.probe import probe
from deployments.errors import DeadlineExceededError, NotAVideoError
from tests.graph.conftest import deploy, replicas
from tests.support import markers
from tests.support.annotated import nothing
from tests.support.corpus import ROOMY, cut

STAGES = ("Decode", "Detector", "RTMPose", "Render")
FRAMES, SEGMENT_FRAMES = 2700, 900  # most of it is left when a test ends it
SLOWLY = {"segment_s": 30.0, "segments_in_flight": 2, "flip_test": True, "detector_stride": 1}
ENDS_WITHIN_S = 5.0
_IDLE_S, _IDLE_CPU_S = 2.0, 0.5  # of all stages; one that works takes most of a CPU
_IDLE_WITHIN_S = 20.0  # of a busy machine, on which the last batch or picture takes long
_TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def slow_graph(graph, tmp_path_factory):
    """The graph with long segments of much work."""
    document = graph.document
    document["applications"][0]["args"] |= SLOWLY
    deploy(graph, document, tmp_path_factory.mktemp("slow"))
    yield document
    deploy(graph, graph.document, tmp_path_factory.mktemp("back"))


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """Nobody in the first segment, which is therefore over before the second one is."""
    poses = markers.squat(FRAMES)
    poses[: SEGMENT_FRAMES - 30] += 5000  # outside the picture
    return markers.write_video(tmp_path_factory.mktemp("long") / "long.mp4", poses)


def calls(graph, stage):
    """Calls that Serve counts in the replicas of a stage."""
    actors = [ray.get_actor(r["actor_name"], "serve") for r in replicas(graph, stage)]
    return sum(ray.get([actor.get_num_ongoing_requests.remote() for actor in actors], timeout=10))


def open_files(graph, stage):
    """Videos that the threads of a stage read or write, whatever has become of their names."""
    found = []
    for replica in replicas(graph, stage):
        for link in Path(f"/proc/{replica['pid']}/fd").iterdir():
            try:
                target = str(link.readlink())
            except FileNotFoundError:  # closed meanwhile
                continue
            if any(name in target for name in ("/upload", "/source-", "/segment-", ".mp4")):
                found.append(target)
    return found


def cpu_s(graph):
    """CPU seconds that each stage has taken."""
    taken = {}
    for stage in STAGES:
        stats = [Path(f"/proc/{replica['pid']}/stat") for replica in replicas(graph, stage)]
        ticks = [stat.read_text().rpartition(")")[2].split()[11:13] for stat in stats]
        taken[stage] = sum(int(user) + int(system) for user, system in ticks) / _TICKS
    return taken


def wait_until_at_work(graph, called, reading):
    """One stage is called, and another has files open."""
    end = time.monotonic() + 60
    while not (calls(graph, called) and open_files(graph, reading)):
        assert time.monotonic() < end
        time.sleep(0.05)


def assert_all_ends(graph):
    """Files and calls are let go within the time, and the CPUs are idle soon after."""
    time.sleep(ENDS_WITHIN_S)
    end = time.monotonic() + _IDLE_WITHIN_S
    while True:
        before, until = cpu_s(graph), time.monotonic() + _IDLE_S
        while time.monotonic() < until:
            work = {stage: files for stage in STAGES if (files := open_files(graph, stage))}
            assert not work
            time.sleep(0.1)
        taken = {stage: after - before[stage] for stage, after in cpu_s(graph).items()}
        if sum(taken.values()) < _IDLE_CPU_S:
            break
        assert time.monotonic() < end, taken
    end = time.monotonic() + 1
    while work := {stage: n for stage in STAGES if (n := calls(graph, stage))}:
        assert time.monotonic() < end, work  # the Ingress asks models how they are, briefly
        time.sleep(0.1)


def test_a_segment_that_fails_ends_the_others(graph, slow_graph, long_video, tmp_path):
    path = tmp_path / "long.mp4"
    path.write_bytes(long_video.read_bytes())
    answer = serve.get_app_handle("pose").analyze_file.remote(str(path))
    wait_until_at_work(graph, "Detector", "Decode")
    text = tmp_path / "text"
    text.write_text("no video at all")
    text.replace(path)  # segments under way keep the file that they have opened
    with pytest.raises(NotAVideoError):
        answer.result(timeout_s=60)
    assert_all_ends(graph)


@pytest.mark.parametrize(
    "asks", [{}, {"X-Request-Disconnect-Disabled": "?1"}], ids=["", "to go on"]
)
def test_a_caller_who_leaves_ends_the_work(graph, slow_graph, long_video, asks):
    """Even one who asks Serve's proxy to go on."""
    files = {"file": long_video.read_bytes()}
    request = httpx.Request("POST", f"{graph.url}/pose", files=files, headers=asks)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection((request.url.host, request.url.port)) as caller:
        caller.sendall(f"POST /pose HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        wait_until_at_work(graph, "Detector", "Decode")
    assert_all_ends(graph)


def test_a_handle_that_is_cancelled_ends_the_work(graph, slow_graph, long_video):
    answer = serve.get_app_handle("pose").analyze_file.remote(str(long_video))
    wait_until_at_work(graph, "Detector", "Decode")
    answer.cancel()
    assert_all_ends(graph)


def test_drawing_ends_too(graph, slow_graph, long_video, tmp_path):
    media = probe(long_video, ROOMY)
    segment, overlay = cut(media), nothing(media.frame_count)
    slowly = EncodeOptions(preset="veryslow", crf=1)
    render = serve.get_deployment_handle("Render", "pose").render
    answer = render.remote(segment, overlay, str(tmp_path), slowly)
    wait_until_at_work(graph, "Render", "Render")
    answer.cancel()
    assert_all_ends(graph)


def test_a_deadline_ends_the_work(graph, slow_graph, long_video, tmp_path):
    slow_graph["applications"][0]["args"]["deadline_s"] = 1.0
    deploy(graph, slow_graph, tmp_path)
    handle = serve.get_app_handle("pose")
    with pytest.raises(DeadlineExceededError):
        handle.analyze_file.remote(str(long_video)).result(timeout_s=60)
    assert_all_ends(graph)
