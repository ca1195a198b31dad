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
_TOGETHER_S = 5.0
_PAUSE_S = 0.2  # together longer than Serve needs to notice that it is shut down


class Late:
    """An entrance that writes a line for each who asks, in a file of its replica in ``folder``."""

    def __init__(self, folder: str, replicas: int) -> None:
        self._replicas = replicas
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
        """Let answers begin once all replicas drain, if they do so at once."""
        self._asked.with_suffix(".drains").touch()
        async with asyncio.timeout(_TOGETHER_S):
            while len(list(self._asked.parent.glob("*.drains"))) < self._replicas:
                await asyncio.sleep(0.05)
        self._draining.set()


async def _pieces() -> AsyncIterator[str]:
    for _ in range(PIECES):
        await asyncio.sleep(_PAUSE_S)
        yield "."


def build(args: dict[str, Any]) -> Application:
    """Two replicas of the entrance; ``args`` are its own, with the replicas of all applications."""
    entrance = serve.deployment(serve.ingress()(Late), name="Late", num_replicas=2)
    application: Application = entrance.options(
        ray_actor_options={"num_cpus": 0.1}, max_ongoing_requests=100
    ).bind(**args)
    return application
