"""Batches of a model on Serve: what counts, what is too large, what starves and what poisons."""

from functools import partial

import numpy as np
import pytest
import ray
import yaml
from ray import serve

from deployments.errors import InferenceError
from deployments.pose.deployment import BatchConfig, RTMPose
from deployments.pose.model_options import EngineOptions
from tests.conftest import ROOT
from tests.graph.batch_teller import POISON, Choice

MOST = 8
FEW, MANY = 2, 2 * MOST
WAIT_S = {FEW: 0.05, MANY: 1.0}  # of batches that do not fill, by the calls let in
CONFIGS = sorted((ROOT / "config").glob("serve*.yaml"))
MODELS = ("Detector", "RTMPose", "HRNet")


@pytest.fixture(scope="module")
def handles(graph):
    """Two models beside the graph's, by the number of calls that they take at once."""
    targets = [
        serve.RunTarget(
            RTMPose.options(
                max_ongoing_requests=calls,
                ray_actor_options={"num_cpus": 0.1, "num_gpus": 0},
                user_config={"max_batch_size": MOST, "batch_wait_timeout_s": wait_s},
            ).bind(Choice(), (), EngineOptions()),
            name=f"takes-{calls}",
            route_prefix=None,
        )
        for calls, wait_s in WAIT_S.items()
    ]
    yield dict(zip(WAIT_S, serve.run_many(targets), strict=True))
    for target in targets:
        serve.delete(target.name, _blocking=False)


@pytest.fixture
def ask(handles):
    """Sizes of the batches that answer calls of so many crops each, by call and crop."""

    def ask(*calls, most_calls=MANY):
        answers = [handles[most_calls].estimate.remote([ray.put(crops)]) for crops in calls]
        return [partial(sizes, answer) for answer in answers]

    return ask


def sizes(answer):
    return answer.result(timeout_s=60)[1].keypoints[:, 0, 0].tolist()


def crops(n, value=0):
    return np.full((n, 4, 3, 3), value, np.uint8)


def test_a_batch_is_full_by_its_crops_not_by_its_calls(ask):
    told = np.array([answer() for answer in ask(*[crops(MOST // 2)] * 4)])
    assert told.shape == (4, MOST // 2)
    assert told.max() == MOST  # two calls; a third waits, although there would be place for four


def test_a_call_larger_than_a_batch_is_answered_in_order_by_several(ask):
    (answer,) = ask(crops(2 * MOST + 3))
    assert answer() == [*[MOST] * 2 * MOST, 3, 3, 3]


def test_a_bad_crop_fails_its_call_alone_and_its_neighbours_are_asked_again(ask):
    good, bad, other = ask(crops(3), crops(2, POISON), crops(3))
    assert (good(), other()) == ([3] * 3, [3] * 3)  # 8 together have failed: each went alone
    with pytest.raises(InferenceError, match="bad picture"):
        bad()


def test_calls_that_are_not_let_in_cannot_fill_a_batch(ask):
    fed, starved = (
        max(answer()[0] for answer in ask(*[crops(1)] * MOST, most_calls=calls))
        for calls in (MANY, FEW)
    )
    assert starved <= FEW < fed <= MOST


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_our_configs_let_in_one_batch_of_the_smallest_calls_beside_the_one_at_work(path, name):
    deployments = yaml.safe_load(path.read_text())["applications"][0]["deployments"]
    (model,) = (d for d in deployments if d["name"] == name)
    most = BatchConfig.model_validate(model["user_config"]).max_batch_size
    assert model["max_ongoing_requests"] >= 2 * most
