"""Asynchronous work from a program that is not."""

import asyncio

import pytest

from deployments.concurrency import run_async


class Large:
    texts = 0

    def __repr__(self):
        self.texts += 1
        return "large"


def test_a_result_is_given_without_a_text_of_it():
    large = Large()

    async def made():
        await asyncio.sleep(0)
        return large

    assert run_async(made()) is large
    assert large.texts == 0


def test_errors_are_those_of_the_work():
    async def fails():
        raise KeyError("it")

    with pytest.raises(KeyError, match="it"):
        run_async(fails())
