"""Do the steps of flows over HTTP, blocking and in asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack

import httpx

from serve_app.client.answers import error_of, reaching, whole_file
from serve_app.client.steps import Emit, NextPiece, Pause, Send, Step


class Connection:
    """Does the steps of one flow, which has one answer open at a time."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._open = ExitStack()
        self._pieces: Iterator[bytes] = iter(())

    def close(self) -> None:
        """Close the open answer."""
        self._open.close()

    def outcome(self, step: Step) -> object:
        """Do a step, and return its outcome.

        Raises:
            ServiceError: as the service answered; UnreachableError: the connection failed.
        """
        match step:
            case Send():
                with reaching(self._http.base_url):
                    return self._answer(step)
            case NextPiece():
                with reaching(self._http.base_url):
                    return next(self._pieces, None)
            case Pause():
                time.sleep(step.seconds)
                return None
            case Emit():
                return step.item
            case _:
                return step.function()

    def _answer(self, step: Send) -> httpx.Response:
        self.close()
        answer = self._open.enter_context(
            self._http.stream(step.method, step.path, **step.keywords)
        )
        if not answer.is_success:
            answer.read()
            if not step.is_any:
                raise error_of(answer)
        elif step.is_streamed:
            self._pieces = answer.iter_bytes()
        elif step.to is not None:
            with whole_file(step.to) as file:
                for piece in answer.iter_bytes():
                    file.write(piece)
        else:
            answer.read()
        return answer


class AsyncConnection:
    """Does the same in asyncio."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._open = AsyncExitStack()
        self._pieces: AsyncIterator[bytes] | None = None

    async def close(self) -> None:
        """Close the open answer."""
        await self._open.aclose()

    async def outcome(self, step: Step) -> object:
        """Do a step, and return its outcome; see :class:`Connection`."""
        match step:
            case Send():
                with reaching(self._http.base_url):
                    return await self._answer(step)
            case NextPiece():
                with reaching(self._http.base_url):
                    return await anext(self._pieces, None) if self._pieces else None
            case Pause():
                await asyncio.sleep(step.seconds)
                return None
            case Emit():
                return step.item
            case _:
                return await asyncio.to_thread(step.function)

    async def _answer(self, step: Send) -> httpx.Response:
        await self.close()
        answer = await self._open.enter_async_context(
            self._http.stream(step.method, step.path, **step.keywords)
        )
        if not answer.is_success:
            await answer.aread()
            if not step.is_any:
                raise error_of(answer)
        elif step.is_streamed:
            self._pieces = answer.aiter_bytes()
        elif step.to is not None:
            with whole_file(step.to) as file:
                async for piece in answer.aiter_bytes():
                    file.write(piece)
        else:
            await answer.aread()
        return answer
