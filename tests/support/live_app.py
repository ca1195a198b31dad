"""An application with its background work in one event loop of a thread, for ordinary clients."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.support.asgi import AsgiTransport

Result = TypeVar("Result")


class LiveApp(AsgiTransport):
    """Runs requests of several threads in one loop; bodies are whole."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(app, loop)
        self._running = loop

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._running).result(120)


@contextmanager
def live_app(app: Any, background: Coroutine[Any, Any, None]) -> Iterator[LiveApp]:
    """Run ``background`` in a loop of a thread, in which the requests to ``app`` run too."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    live = LiveApp(app, loop)
    task = live.run(_begun(background))
    try:
        yield live
    finally:
        live.run(_ended(task))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
