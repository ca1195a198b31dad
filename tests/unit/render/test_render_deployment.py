"""The render stage's replica: so many segments at once, the rest waits in it, in order."""

import asyncio
import threading
from pathlib import Path

import pytest
import yaml

from deployments.render import deployment
from serve_app.settings import load_settings
from tests.conftest import ROOT


@pytest.fixture
def replica(monkeypatch, tmp_path):
    """A replica with two threads, whose segments are numbers and wait to be let go."""
    monkeypatch.setattr(deployment, "usable_cpus", lambda: 2)

    def render_segment(segment, overlay, folder, options, cancelled):
        with lock:
            running.append(segment)
            order.append(segment)
            most.append(len(running))
        assert released[segment].wait(30)
        with lock:
            running.remove(segment)
        return folder / str(segment)

    lock, running, most, order = threading.Lock(), [], [], []
    released = [threading.Event() for _ in range(6)]
    monkeypatch.setattr(deployment, "render_segment", render_segment)
    made = deployment.RenderReplica(str(tmp_path), "file://", 60.0)
    made.order, made.running, made.most, made.released = order, running, most, released
    return made


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


def test_what_comes_while_all_threads_are_busy_waits_in_order(replica):
    async def all_of_them():
        calls = [asyncio.create_task(replica.render(i, None, "f", None)) for i in range(6)]
        for i in range(6):
            await until(lambda i=i: i in replica.running)
            replica.released[i].set()
        return await asyncio.gather(*calls)

    assert asyncio.run(all_of_them()) == [Path("f") / str(i) for i in range(6)]
    assert replica.order == list(range(6))
    assert max(replica.most) == 2


def test_a_single_replica_is_never_full_for_the_segments_of_all_requests():
    """A replica at its limit is polled for, with pauses of up to half a second."""
    document = yaml.safe_load((ROOT / "config" / "serve.local.yaml").read_text())
    (application,) = document["applications"]
    settings = load_settings(application["args"], {})
    requests = settings.max_concurrent_requests or 4  # as config/model_config.json has it
    for deployment_ in application["deployments"]:
        if deployment_["name"] in ("Decode", "Render"):
            held = deployment_["num_replicas"] * deployment_["max_ongoing_requests"]
            assert held >= requests * settings.segments_in_flight
