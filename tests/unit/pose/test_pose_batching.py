"""Pictures of several callers in one call: order, sizes, poisonous items, cancellation."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.errors import InferenceError
from deployments.messages import CropPoses
from deployments.pose.batching import run_batch

POISON = 255


def item(*values):
    """Pictures of one value each."""
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 3), np.uint8)


class Network:
    """Answers with the value of each picture; fails on a poisonous one. Remembers its calls."""

    def __init__(self, error=None):
        self.calls, self.error = [], error or ValueError("bad picture")

    async def __call__(self, pictures):
        values = pictures[:, 0, 0, 0].tolist()
        self.calls.append(values)
        await asyncio.sleep(0)
        if POISON in values:
            raise self.error
        return values


def run(items, network):
    return asyncio.run(run_batch(items, network))


@given(st.lists(st.lists(st.integers(0, 254), max_size=5), min_size=1, max_size=6))
def test_each_caller_gets_the_answers_for_its_pictures_in_order(rows):
    network = Network()
    assert run([item(*row) for row in rows], network) == rows
    assert network.calls == [[value for row in rows for value in row]]


def test_one_caller_is_not_copied():
    seen = []

    async def infer(pictures):
        seen.append(pictures)
        return pictures

    pictures = item(1, 2)
    asyncio.run(run_batch([pictures], infer))
    assert seen[0] is pictures


@given(st.lists(st.booleans(), min_size=2, max_size=6).filter(any))
def test_a_poisonous_item_fails_alone(poisoned):
    items = [item(POISON if bad else 1, 2) for bad in poisoned]
    network = Network()
    outcomes = run(items, network)
    for bad, outcome in zip(poisoned, outcomes, strict=True):
        if bad:
            assert isinstance(outcome, InferenceError)
            assert str(outcome) == "the network failed: ValueError; bad picture"
        else:
            assert outcome == [1, 2]
    assert len(network.calls) == 1 + len(items)  # once together, then each once


def test_a_lone_poisonous_item_is_not_tried_again():
    network = Network()
    (outcome,) = run([item(POISON)], network)
    assert isinstance(outcome, InferenceError)
    assert len(network.calls) == 1


def test_a_typed_error_stays_as_it_is():
    error = InferenceError("no memory", hint="buy some")
    assert run([item(POISON)], Network(error)) == [error]


@pytest.mark.parametrize("answers", [[], [1], [1, 2, 3]], ids=["none", "fewer", "more"])
@pytest.mark.parametrize("callers", [1, 2])
def test_answers_of_another_number_than_the_pictures_are_an_error(answers, callers):
    async def infer(pictures):
        return answers

    outcomes = asyncio.run(run_batch([item(1, 2)] * callers, infer))
    assert [type(o) for o in outcomes] == [InferenceError] * callers
    assert f"answered for {len(answers)} of 2 pictures" in outcomes[0].detail


def test_pictures_of_another_size_do_not_spoil_the_others():
    odd = np.zeros((1, 5, 5, 3), np.uint8)
    assert run([item(1, 2), odd, item(3)], Network()) == [[1, 2], [0], [3]]


def test_poses_are_sliced_as_a_whole():
    async def infer(pictures):
        values = pictures[:, 0, 0, 0].astype(np.float32)
        points = np.tile(values[:, None, None], (1, 17, 2))
        return CropPoses(points, points[..., 0], points[..., 0], points)

    first, second = asyncio.run(run_batch([item(1), item(2, 3)], infer))
    assert first.keypoints[:, 0, 0].tolist() == first.score[:, 0].tolist() == [1]
    assert second.sigma[:, 5, 1].tolist() == second.raw_score[:, 3].tolist() == [2, 3]


def test_cancelling_is_no_failure_of_the_network():
    started = []

    async def infer(pictures):
        started.append(len(pictures))
        await asyncio.Event().wait()

    async def cancelled():
        task = asyncio.create_task(run_batch([item(1), item(2)], infer))
        while not started:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert started == [2]
