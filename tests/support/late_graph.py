"""A graph whose answers begin once it drains, and end long after its replicas have said so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from ray import serve
from ray.serve import Application

PIECES = 15
_PAUSE_S = 0.2  # together longer than Serve needs to notice that it is shut down


class Late:
    """An entrance that counts those who ask it."""

    def __init__(self) -> None:
        self._asked = 0
        self._draining = asyncio.Event()

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = FastAPI()

        @app.get("/asked")
        async def asked() -> tuple[str, int]:
            return serve.get_replica_context().replica_tag, self._asked

        @app.get("/late")
        async def late() -> StreamingResponse:
            self._asked += 1
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


def build(_args: dict[str, Any]) -> Application:
    """Two replicas of the entrance."""
    entrance = serve.deployment(serve.ingress()(Late), name="Late", num_replicas=2)
    application: Application = entrance.options(max_ongoing_requests=100).bind()
    return application
