"""A graph of deployments that do nothing: what Ray alone takes to start as many as the service has.

Nothing of the service is imported, since each replica imports this module, which is imported by no
other: Ray takes its environment as it is at its import.
"""

from collections.abc import Sequence
from typing import Any

from ray import serve
from ray.serve import Application


class Idle:
    """A deployment that answers when it, and those it is given, are there."""

    def __init__(self, *_others: Any) -> None:
        pass

    async def __call__(self, _request: Any) -> str:
        return "ready"


def build(args: dict[str, Sequence[str]]) -> Application:
    """Deployments called ``args["names"]``, the first of which is the entrance."""
    entrance, *others = (serve.deployment(Idle, name=name) for name in args["names"])
    application: Application = entrance.bind(*(other.bind() for other in others))
    return application
