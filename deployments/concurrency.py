"""Run threads from asynchronous code, and asynchronous work from code that is not.

Threads do not end with the task that waits for them.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor
from typing import Any, TypeAlias, TypeVar

Result = TypeVar("Result")
Item = TypeVar("Item")
Cancelled: TypeAlias = Callable[[], bool]
"""Says whether nobody waits for the result any more; to be asked several times a second."""


class WorkCancelledError(Exception):
    """The caller no longer wants the result. No ServiceError: nobody waits for an answer."""


def never() -> bool:
    """Say that the work is wanted."""
    return False


def while_wanted(items: Iterable[Item], cancelled: Cancelled) -> Iterator[Item]:
    """Yield ``items``, asking before each whether the work is cancelled.

    Raises:
        WorkCancelledError: ``cancelled`` said that nobody does.
    """
    for item in items:
        if cancelled():
            raise WorkCancelledError
        yield item


async def in_thread(work: Callable[[Cancelled], Result], pool: Executor | None = None) -> Result:
    """Run ``work`` in a thread of ``pool``, or of the event loop's own.

    When this is cancelled, work that has not begun never does, and what is under way is informed by
    its argument.
    """
    gone = threading.Event()
    call = contextvars.copy_context().run
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, call, work, gone.is_set)
    finally:
        gone.set()


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
