"""A graph whose answers begin once it drains, and end long after its replicas have said so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from ray import serve
from ray.serve import Application

PIECES = 15
_PAUSE_S = 0.2  # together longer than Serve needs to notice that it is shut down


class Late:
    """An entrance that writes a line for each who asks, in a file of its replica in ``folder``."""

    def __init__(self, folder: str) -> None:
        self._asked = Path(folder) / serve.get_replica_context().replica_tag
        self._draining = asyncio.Event()

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = FastAPI()

        @app.get("/late")
        async def late() -> StreamingResponse:
            with self._asked.open("a") as file:
                file.write("asked\n")
            await self._draining.wait()
            return StreamingResponse(_pieces())

        return app

    async def drain(self, _grace_s: float) -> None:
        """Let answers begin."""
        self._draining.set()


async def _pieces() -> AsyncIterator[str]:
    for _ in range(PIECES):
        await asyncio.sleep(_PAUSE_S)
        yield "."


def build(args: dict[str, Any]) -> Application:
    """Two replicas of the entrance; ``args`` are its own."""
    entrance = serve.deployment(serve.ingress()(Late), name="Late", num_replicas=2)
    application: Application = entrance.options(max_ongoing_requests=100).bind(**args)
    return application
