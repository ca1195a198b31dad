"""Calls of the pose models: which model answers, by the rules of the graph and of one process."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from deployments.errors import BadParameterError, InferenceError, NotReadyError, WeightsMissingError
from deployments.messages import AnalysisOptions
from deployments.pose_calls import first_answer
from deployments.roles import POSE_ROLES, ModelRole
from serve_app.local import LocalStages


def asked(outcomes):
    """The answer of the first role, by outcomes of each, and the roles asked."""
    order = []

    async def ask(role):
        order.append(role)
        outcome = outcomes[role]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def first():
        return await first_answer(outcomes, ask)

    try:
        return asyncio.run(first()), order
    except Exception as error:
        return error, order


def test_the_first_that_answers_is_the_only_one_asked():
    assert asked({"rtmpose": 1, "hrnet": 2}) == (1, ["rtmpose"])


@pytest.mark.parametrize(
    "failure", [NotReadyError("gone"), InferenceError("broken"), WeightsMissingError("none")]
)
def test_the_next_is_asked_where_one_cannot_answer(failure):
    assert asked({"rtmpose": failure, "hrnet": 2}) == (2, ["rtmpose", "hrnet"])
    last = InferenceError("also")
    assert asked({"rtmpose": failure, "hrnet": last}) == (last, ["rtmpose", "hrnet"])


def test_no_other_is_asked_for_what_is_the_callers_fault():
    failure = BadParameterError("wrong")
    assert asked({"rtmpose": failure, "hrnet": 2}) == (failure, ["rtmpose"])


def test_nobody_to_ask():
    assert isinstance(asked({})[0], NotReadyError)


def test_the_roles_have_the_specifications_names():
    assert {role.name: role.value for role in ModelRole} == {
        "PRIMARY": "rtmpose",
        "FALLBACK": "hrnet",
        "DETECTOR": "detector",
    }
    assert POSE_ROLES == ("rtmpose", "hrnet")


def test_in_one_process_a_network_that_fails_is_replaced_and_calls_are_those_of_the_graph(
    monkeypatch,
):
    """As in the graph, whatever the error of the network is, and in calls of as many crops."""

    def fails(crops):
        raise RuntimeError("out of streams")

    def engine(name, infer):
        return SimpleNamespace(
            infer=infer, calls_at_once=1, status=SimpleNamespace(name=name, loaded=True)
        )

    engines = {
        ModelRole.PRIMARY: engine("broken", fails),
        ModelRole.FALLBACK: engine("whole", lambda crops: crops + 1),
        ModelRole.DETECTOR: engine("finder", lambda pictures: pictures),
    }
    plan = SimpleNamespace(
        parts=None,
        guidelines=None,
        search=(),
        options=None,
        choices={
            role: SimpleNamespace(load=lambda *_, model=model: model)
            for role, model in engines.items()
        },
    )

    async def analyze_segment(segment, options, detect, estimate):
        return options, await estimate(segment)

    monkeypatch.setattr("serve_app.local.analyze_segment", analyze_segment)
    stages = LocalStages(plan, None, None)
    options = AnalysisOptions(pose_models=POSE_ROLES, batch=12, pose_calls_in_flight=4)
    try:
        used, (name, poses) = asyncio.run(stages.analyze(np.arange(3), options))
    finally:
        stages.close()
    assert (name, poses.tolist()) == ("whole", [1, 2, 3])
    assert (used.batch, used.pose_calls_in_flight) == (36, 2)
