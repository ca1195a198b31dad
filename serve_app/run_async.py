"""Asynchronous work from a program that is not."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run ``work`` in a new event loop: ``asyncio.run`` for large results.

    That one asks at its end whether its handler of SIGINT is still in place, and for a handler that
    is no number, Python writes, twice, an error that it drops, with the whole text of the result.
    """
    results: list[Result] = []

    async def kept() -> None:
        results.append(await work)

    asyncio.run(kept())
    return results[0]
