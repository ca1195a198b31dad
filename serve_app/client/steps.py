"""Describe calls as steps, which the blocking and the asynchronous client carry out alike.

A flow is a generator. It yields steps, gets the outcome of each or the error, and returns the
answer; it does no input or output of the network itself.
"""

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from deployments.errors import JobNotFinishedError, ServiceError

FIRST_WAIT_S = 0.5
"""Wait before the second try, where the service names none; doubled for each further one."""

LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; the outcome is the answer, or its error.

    Attributes:
        keywords: of httpx. to: file for the content.
        is_streamed: whether the content comes by :class:`NextPiece`.
        is_any: whether an answer of any status is an outcome.
    """

    method: str
    path: str
    keywords: Mapping[str, Any] = field(default_factory=dict)
    to: Path | None = None
    is_streamed: bool = False
    is_any: bool = False


@dataclass(frozen=True, slots=True)
class NextPiece:
    """Receive bytes of the content of the last request; None at its end."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Call a function that takes a while; the outcome is its result."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Emit:
    """Give an item to whoever iterates."""

    item: Any


Step = Send | NextPiece | Pause | Work | Emit
Result = TypeVar("Result")
Flow = Generator[Step, Any, Result]


class Exchange(Generic[Result]):
    """Run a flow, for a client that does its steps."""

    def __init__(self, flow: Flow[Result]) -> None:
        self._flow = flow
        self._results: list[Result] = []

    @property
    def result(self) -> Result:
        """Return the flow's result, once it has ended."""
        return self._results[0]

    def resume(self, outcome: object) -> Step | None:
        """Continue after a step, and return the next one; None at the end."""
        try:
            if isinstance(outcome, Exception):
                return self._flow.throw(outcome)
            return self._flow.send(outcome)
        except StopIteration as end:
            self._results.append(end.value)
            return None

    def close(self) -> None:
        """Give up."""
        self._flow.close()


def retried(request: Send, retries: int) -> Flow[httpx.Response]:
    """Send a request, again where the service says that it may succeed later.

    A job that has not ended is no reason to try again: `wait` is for that.
    """
    for attempt in range(retries + 1):
        for part in request.keywords.get("files", {}).values():
            part.seek(0)
        try:
            answer: httpx.Response = yield request
        except JobNotFinishedError:
            raise
        except ServiceError as failure:
            if not failure.retryable or attempt == retries:
                raise
            yield Pause(wait_s(failure, attempt))
        else:
            return answer
    raise AssertionError("unreachable")


def wait_s(failure: ServiceError, attempt: int) -> float:
    """Return the seconds to wait after a failure: as the service says, else more each time."""
    if failure.retry_after_s is not None:
        return failure.retry_after_s
    longest = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
    return random.uniform(longest / 2, longest)  # noqa: S311  so that clients do not come at once


class Lines:
    """Lines of the content of the last request, which came as pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def next(self) -> Flow[bytes | None]:
        """Return the next line without its end, None after the last."""
        begin = 0
        while (end := self._rest.find(b"\n", begin)) < 0:
            begin = len(self._rest)
            piece = yield NextPiece()
            if piece is None:
                last = bytes(self._rest)
                self._rest.clear()
                return last or None
            self._rest += piece
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line
