"""The decode stage's replica: a few segments at once, the rest waits in it, in order."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from deployments.decode import deployment
from deployments.decode.probe import MediaLimits
from deployments.errors import MediaError
from deployments.messages import AnalysisOptions


@pytest.fixture
def replica(monkeypatch):
    """A replica whose segments are numbers and take turns of the loop; the third one fails."""
    running, most, order = [], [], []

    async def analyze_segment(segment, options, detect, estimate):
        running.append(segment)
        most.append(len(running))
        order.append(segment)
        await asyncio.sleep(0.001)
        running.remove(segment)
        if segment == 2:
            raise MediaError("damaged")
        return segment

    monkeypatch.setattr(deployment, "analyze_segment", analyze_segment)
    made = deployment.DecodeReplica(MediaLimits(1, 1.0, 1, 1), SimpleNamespace(), {})
    made.most, made.order = most, order
    return made


def test_a_few_segments_at_once_in_order_and_a_failure_frees_its_place(replica):
    async def all_of_them():
        calls = (replica.analyze(i, AnalysisOptions()) for i in range(12))
        return await asyncio.gather(*calls, return_exceptions=True)

    outcomes = asyncio.run(all_of_them())
    assert isinstance(outcomes.pop(2), MediaError)
    assert outcomes == [i for i in range(12) if i != 2]
    assert replica.order == list(range(12))
    assert max(replica.most) == 4


def test_a_caller_who_goes_while_he_waits_takes_no_place(replica):
    async def some_go():
        calls = [asyncio.create_task(replica.analyze(i, AnalysisOptions())) for i in range(4, 14)]
        await asyncio.sleep(0)
        for waiting in calls[5:8]:
            waiting.cancel()
        return await asyncio.gather(*calls, return_exceptions=True)

    outcomes = asyncio.run(some_go())
    assert [o for o in outcomes if isinstance(o, int)] == [4, 5, 6, 7, 8, 12, 13]
    assert not {9, 10, 11} & set(replica.order)


@pytest.mark.parametrize(
    ("batch", "window", "crops", "at_once"),
    [(16, 4, 32, 2), (1, 4, 32, 1), (12, 4, 36, 2), (32, 4, 32, 4), (64, 3, 64, 3)],
)
def test_small_batches_go_several_in_a_call(replica, monkeypatch, batch, window, crops, at_once):
    async def analyze_segment(segment, options, detect, estimate):
        return options

    monkeypatch.setattr(deployment, "analyze_segment", analyze_segment)
    options = AnalysisOptions(batch=batch, pose_calls_in_flight=window, max_people=3)
    asked = asyncio.run(replica.analyze(0, options))
    assert asked == replace(options, batch=crops, pose_calls_in_flight=at_once)
