"""What a handle's failures mean to the caller, and which model answers when one fails."""

import asyncio
import logging
from types import SimpleNamespace

import numpy as np
import pytest
from ray.exceptions import ActorDiedError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from deployments.decode import deployment as decode
from deployments.decode.deployment import DecodeReplica
from deployments.errors import (
    InferenceError,
    MediaError,
    NotReadyError,
    OverloadedError,
    StageFailedError,
)
from deployments.messages import AnalysisOptions, CropPoses
from deployments.roles import ModelRole
from deployments.serve_handles import await_response, log_as_serve

NOTHING = CropPoses.concatenate([])


async def later(outcome):
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RayTaskError("f", "trace", MediaError("broken")), MediaError),
        (RayTaskError("f", "trace", NotReadyError("no weights")), NotReadyError),
        (RayTaskError("f", "trace", ZeroDivisionError("x")), StageFailedError),
        (ActorDiedError(), StageFailedError),
        (DeploymentUnavailableError(SimpleNamespace(name="Decode")), StageFailedError),
        (BackPressureError(num_queued_requests=3, max_queued_requests=2), OverloadedError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_failure_comes_as_an_error_of_the_service(raised, expected):
    with pytest.raises(expected) as error:
        asyncio.run(await_response(later(raised), "Decode"))
    assert error.value.retryable == (expected not in (MediaError,))


def test_an_answer_comes_as_it_is():
    assert asyncio.run(await_response(later(3), "Decode")) == 3


def test_log_records_go_where_serves_go(caplog):
    own, serves = logging.getLogger("mmpose_service"), logging.getLogger("ray.serve")
    before = own.parent
    try:
        log_as_serve()
        assert own.parent is serves
    finally:
        own.parent = before


def model(outcome, asked, name):
    def remote(_nested):
        asked.append(name)
        return later(outcome)

    return SimpleNamespace(estimate=SimpleNamespace(remote=remote))


@pytest.fixture
def ask(monkeypatch):
    """Asks the models by role, given what each does; tells who answered and who was asked."""

    async def estimated(_segment, _options, _detect, estimate):
        return await estimate(np.zeros((1, 256, 192, 3), np.uint8))

    monkeypatch.setattr(decode.ray, "put", lambda crops: crops)
    monkeypatch.setattr(decode, "analyze_segment", estimated)

    def ask(**outcomes):
        asked = []
        handles = {role: model(outcome, asked, role) for role, outcome in outcomes.items()}
        replica = DecodeReplica(None, None, handles)
        options = AnalysisOptions(pose_models=tuple(ModelRole(role) for role in outcomes))
        name, _ = asyncio.run(replica.analyze(None, options))
        return name, asked

    return ask


def test_the_first_model_answers_and_no_other_is_asked(ask):
    assert ask(rtmpose=("RTMPose", NOTHING), hrnet=("HRNet", NOTHING)) == ("RTMPose", ["rtmpose"])


@pytest.mark.parametrize(
    "failure",
    [
        RayTaskError("f", "trace", NotReadyError("no weights")),
        RayTaskError("f", "trace", InferenceError("NaN")),
        RayTaskError("f", "trace", MemoryError("full")),
        ActorDiedError(),
    ],
    ids=["not loaded", "fails", "breaks", "dead"],
)
def test_the_next_model_answers_where_one_does_not(ask, failure):
    assert ask(rtmpose=failure, hrnet=("HRNet", NOTHING)) == ("HRNet", ["rtmpose", "hrnet"])


def test_the_last_failure_is_told_where_none_answers(ask):
    with pytest.raises(InferenceError, match="second"):
        ask(rtmpose=ActorDiedError(), hrnet=RayTaskError("f", "trace", InferenceError("second")))


def test_an_error_of_the_request_is_no_reason_to_ask_another(ask):
    with pytest.raises(MediaError):
        ask(rtmpose=RayTaskError("f", "t", MediaError("broken")), hrnet=("HRNet", NOTHING))


@pytest.mark.parametrize(
    ("error", "is_long"),
    [
        (MediaError("no video"), False),
        (OverloadedError("full"), False),
        (NotReadyError("no weights"), False),
        (InferenceError("broken"), True),
        (ZeroDivisionError("x"), True),
    ],
)
def test_only_faults_are_logged_with_a_traceback(caplog, monkeypatch, error, is_long):
    """(S13) Serve logs what a replica raises with a traceback, ordinary refusals too."""
    serve, own = (logging.getLogger(name) for name in ("ray.serve", "mmpose_service"))
    monkeypatch.setattr(serve, "filters", [])
    monkeypatch.setattr(serve, "propagate", True)
    monkeypatch.setattr(own, "parent", own.parent)
    log_as_serve()
    try:
        raise error
    except type(error):
        serve.exception("Request failed.")
    record = caplog.records[-1]
    assert (record.exc_info is not None) == is_long
    assert ("Traceback" in caplog.text) == is_long
    if not is_long:
        assert record.getMessage() == f"Request failed. {error.code}: {error.detail}"
        assert record.levelname == "WARNING"
