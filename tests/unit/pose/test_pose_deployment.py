"""A model replica without a cluster: Serve's own batching, split chunks, errors and settings."""

import asyncio
import gc
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import ray
from hypothesis import given, settings
from hypothesis import strategies as st
from ray import serve
from ray.serve.batching import _BatchQueue

from deployments.errors import ConfigurationError, InferenceError, NotReadyError
from deployments.messages import CropPoses, Detections, ModelStatus
from deployments.pose import deployment
from deployments.pose.deployment import UNHEALTHY_AFTER, DetectorReplica, PoseReplica
from deployments.pose.model_options import EngineOptions

POISON = 255


class Engine:
    """Answers with the value of each picture; fails on a poisonous one. Remembers its calls."""

    calls_at_once = 1

    def __init__(self, role="rtmpose", error=None):
        self.status = ModelStatus(role=role, loaded=True, name="Fake")
        self.calls, self.error = [], error

    def infer(self, pictures):
        values = pictures[:, 0, 0, 0]
        self.calls.append(values.tolist())
        if self.error or POISON in values:
            raise self.error or RuntimeError("bad picture")
        if self.status.role == "detector":
            return [Detections(np.full((1, 4), v, np.float32), np.ones(1)) for v in values]
        points = np.tile(values.astype(np.float32)[:, None, None], (1, 17, 2))
        return CropPoses(points, points[..., 0], points[..., 0], points)


@pytest.fixture(autouse=True, scope="module")
def in_a_replica():
    """What Serve's batching asks its surroundings for."""
    context = SimpleNamespace(_deployment_config=SimpleNamespace(max_ongoing_requests=10_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "get_replica_context", lambda: context)
        # Where no event loop runs any more it makes one, and leaves it open.
        patch.delattr(_BatchQueue, "__del__")
        yield
        gc.collect()


def replica(engine, kind=PoseReplica, user_config=None, **options):
    choice = SimpleNamespace(role=engine.status.role, load=lambda search, options: engine)
    made = kind(choice, (), EngineOptions(**options))
    made.reconfigure({"batch_wait_timeout_s": 0.05, **(user_config or {})})
    return made


def item(*values):
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 3), np.uint8)


class Reference:
    """Awaited as an object reference is."""

    def __init__(self, pictures):
        self.pictures = pictures

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return self.pictures


async def estimate(model, *values):
    _, poses = await model.estimate([Reference(item(*values))])
    return poses.keypoints[:, 0, 0].tolist()


def run(*calls):
    async def together():
        return await asyncio.gather(*(call() for call in calls), return_exceptions=True)

    return asyncio.run(together())


def test_calls_share_a_batch_and_get_their_own_answers():
    engine = Engine()
    model = replica(engine)
    answers = run(*(lambda v=v: estimate(model, v, v + 1) for v in (10, 20, 30)))
    assert answers == [[10, 11], [20, 21], [30, 31]]
    assert engine.calls == [[10, 11, 20, 21, 30, 31]]


def test_a_call_larger_than_a_batch_is_cut_and_its_answers_joined():
    engine = Engine()
    model = replica(engine, user_config={"max_batch_size": 3})
    answers = run(lambda: estimate(model, *range(8)), lambda: estimate(model, 100, 101))
    assert answers == [[*range(8)], [100, 101]]
    assert sorted(engine.calls) == [[0, 1, 2], [3, 4, 5], [6, 7], [100, 101]]


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8), limit=st.integers(1, 8))
def test_no_batch_is_above_the_limit_in_pictures_and_no_call_waits_for_ever(sizes, limit):
    engine = Engine()
    wait = {"max_batch_size": limit, "batch_wait_timeout_s": 0.0005}
    model = replica(engine, user_config=wait)
    calls = [tuple(range(20 * i, 20 * i + size)) for i, size in enumerate(sizes)]
    answers = run(*(lambda c=c: estimate(model, *c) for c in calls))
    assert answers == [list(c) for c in calls]
    assert max(map(len, engine.calls), default=0) <= limit
    assert sorted(v for call in engine.calls for v in call) == sorted(v for c in calls for v in c)


def test_pictures_in_the_queue_outlive_a_lower_limit():
    engine = Engine()
    model = replica(engine, user_config={"max_batch_size": 8})

    async def lowered(pictures):
        lower = {"max_batch_size": 2, "batch_wait_timeout_s": 0.0}
        asyncio.get_running_loop().call_soon(model.reconfigure, lower)
        return pictures

    async def both():
        _, poses = await model.estimate([lowered(item(*range(8)))])
        return poses.keypoints[:, 0, 0].tolist(), await estimate(model, *range(20, 25))

    assert asyncio.run(both()) == ([*range(8)], [*range(20, 25)])
    assert sorted(engine.calls) == [[*range(8)], [20, 21], [22, 23], [24]]


def test_a_new_limit_holds_for_the_next_call():
    engine = Engine()
    model = replica(engine)

    async def twice():
        await estimate(model, *range(4))
        model.reconfigure({"max_batch_size": 2, "batch_wait_timeout_s": 0.0})
        await estimate(model, *range(4))

    asyncio.run(twice())
    assert engine.calls == [[0, 1, 2, 3], [0, 1], [2, 3]]


def test_a_poisonous_call_fails_alone_with_a_typed_error():
    engine = Engine()
    model = replica(engine)
    good, bad, other = run(
        lambda: estimate(model, 1, 2),
        lambda: estimate(model, 3, POISON),
        lambda: estimate(model, 4),
    )
    assert (good, other) == ([1, 2], [4])
    assert isinstance(bad, InferenceError)
    assert "bad picture" in bad.private


def test_a_part_that_fails_fails_its_call():
    model = replica(Engine(), user_config={"max_batch_size": 2})
    bad, good = run(lambda: estimate(model, 1, 2, POISON, 3), lambda: estimate(model, 5))
    assert isinstance(bad, InferenceError)
    assert good == [5]


def test_an_engine_that_answers_for_too_few_is_an_error():
    class Short(Engine):
        def infer(self, pictures):
            return super().infer(pictures)[:1]

    (outcome,) = run(lambda: estimate(replica(Short()), 1, 2))
    assert isinstance(outcome, InferenceError)
    assert "answered for 1 of 2 pictures" in outcome.detail


@pytest.mark.parametrize("share", [True, False])
def test_a_detector_answers_one_list_for_all_pictures(share):
    model = replica(Engine("detector"), DetectorReplica, {"max_batch_size": 2}, share_batches=share)
    (found,) = run(lambda: model.detect([Reference(item(1, 2, 3, 4, 5))]))
    assert [f.boxes[0, 0] for f in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("share", [True, False])
def test_no_pictures_have_no_answers(share):
    model = replica(Engine(), share_batches=share)
    (answer,) = run(lambda: model.estimate([Reference(item())]))
    assert answer[0] == "Fake"
    assert answer[1].keypoints.shape[1:] == (17, 2)
    assert len(answer[1]) == 0


def test_without_sharing_each_call_goes_alone():
    engine = Engine()
    model = replica(engine, user_config={"max_batch_size": 2}, share_batches=False)
    calls = [(1, 2, 3), (4,), (5, POISON), (6, 7)]
    outcomes = run(*(lambda c=c: estimate(model, *c) for c in calls))
    assert sorted(engine.calls) == [list(c) for c in calls]
    assert [o for o in outcomes if not isinstance(o, Exception)] == [[1, 2, 3], [4], [6, 7]]
    assert isinstance(outcomes[2], InferenceError)


def test_a_cancelled_caller_leaves_the_others_their_answers():
    model = replica(Engine())

    async def one_leaves():
        leaving = asyncio.create_task(estimate(model, 1))
        staying = asyncio.create_task(estimate(model, 2))
        await asyncio.sleep(0.01)
        leaving.cancel()
        answer = await staying
        return answer, leaving.cancelled(), await estimate(model, 3)

    assert asyncio.run(one_leaves()) == ([2], True, [3])


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("at_once", [1, 2])
def test_the_replica_answers_while_the_network_works_as_many_calls_as_it_can(at_once, share):
    class Slow(Engine):
        calls_at_once = at_once

        def __init__(self):
            super().__init__()
            self.release, self.lock = threading.Event(), threading.Lock()
            self.working = self.most = 0

        def infer(self, pictures):
            with self.lock:
                self.working += 1
                self.most = max(self.most, self.working)
            assert self.release.wait(30)
            with self.lock:
                self.working -= 1
            return super().infer(pictures)

    engine = Slow()
    model = replica(engine, user_config={"max_batch_size": 1}, share_batches=share)

    async def meanwhile():
        calls = [asyncio.create_task(estimate(model, v)) for v in (1, 2, 3, 4)]
        while engine.working < at_once:
            await asyncio.sleep(0)
        status = await model.status()
        model.check_health()
        assert not any(call.done() for call in calls)
        engine.release.set()
        return status, await asyncio.gather(*calls)

    status, answers = asyncio.run(asyncio.wait_for(meanwhile(), 30))
    assert status is engine.status
    assert answers == [[1], [2], [3], [4]]
    assert engine.most == at_once


def test_a_model_that_is_not_loaded_says_why():
    missing = ModelStatus(role="hrnet", loaded=False, reason="no such file; get it by: a command")
    choice = SimpleNamespace(role="hrnet", load=lambda search, options: missing)
    model = PoseReplica(choice, (), EngineOptions())
    model.check_health()
    status, outcome = run(model.status, lambda: estimate(model, 1))
    assert status is missing
    assert isinstance(outcome, NotReadyError)
    assert outcome.detail == "hrnet: no such file; get it by: a command"


def test_many_failures_in_a_row_ask_for_another_replica():
    engine = Engine(error=RuntimeError("CUDA error: device-side assert triggered"))
    model = replica(engine, user_config={"batch_wait_timeout_s": 0.0})

    async def story():
        for failures in range(UNHEALTHY_AFTER):
            model.check_health()
            with pytest.raises(InferenceError, match="device-side assert"):
                await estimate(model, failures)
        with pytest.raises(RuntimeError, match=f"the last {UNHEALTHY_AFTER} calls"):
            model.check_health()
        engine.error = None
        await estimate(model, 1)
        model.check_health()

    asyncio.run(story())


@pytest.mark.parametrize(
    "user_config",
    [
        {"max_batch_size": -1},
        {"max_batch_size": 0},
        {"max_batch_size": 5000},
        {"max_batch_size": 2.5},
        {"max_batch_size": "16"},
        {"max_batch_size": True},
        {"max_batch_size": None},
        {"batch_wait_timeout_s": -0.1},
        {"batch_wait_timeout_s": 5},
        {"batch_wait_timeout_s": "x"},
        {"batch_wait_timeout_s": float("nan")},
        {"batch_size": 16},
    ],
)
def test_wrong_settings_are_refused_by_name_and_change_nothing(user_config):
    engine = Engine()
    model = replica(engine, user_config={"max_batch_size": 2})
    with pytest.raises(ConfigurationError, match=next(iter(user_config))):
        model.reconfigure(user_config)
    run(lambda: estimate(model, 1, 2, 3))
    assert engine.calls == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("cluster", "actor", "share", "threads", "expected"),
    [
        (False, None, 0, None, None),
        (True, "a", 0.5, None, None),
        (True, "a", 1, None, 1),
        (True, "a", 4, None, 4),
        (True, "a", 4, 2, 2),
        (True, None, 4, None, None),  # a driver has no share
    ],
)
def test_threads_are_the_share_of_the_replica_and_asking_starts_no_cluster(
    monkeypatch, cluster, actor, share, threads, expected
):
    def context():
        assert cluster
        return SimpleNamespace(
            get_actor_id=lambda: actor, get_assigned_resources=lambda: {"CPU": share}
        )

    monkeypatch.setattr(ray, "is_initialized", lambda: cluster)
    monkeypatch.setattr(ray, "get_runtime_context", context)
    assert deployment._threads(EngineOptions(threads=threads)) == expected
