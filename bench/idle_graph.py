"""A graph of deployments that do nothing: what Ray alone takes to start as many as the service has.

It imports nothing of the service, since each replica imports this module.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml
from ray import serve
from ray.serve import Application

_POLL_S = 0.2


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


def config_of(service: Path) -> dict[str, Any]:
    """The serve config ``service`` with its deployments, and resources, doing nothing."""
    config: dict[str, Any] = yaml.safe_load(service.read_text())
    (application,) = config["applications"]
    for deployment in application["deployments"]:
        deployment.pop("user_config", None)
    names = [deployment["name"] for deployment in application["deployments"]]
    application |= {"import_path": "bench.idle_graph:build", "args": {"names": names}}
    return config


def wait(url: str, most_s: float) -> None:
    """Until the entrance answers.

    Raises:
        TimeoutError: it did not in ``most_s`` seconds.
    """
    end = time.monotonic() + most_s
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=2).text == "ready":
                return
        except httpx.HTTPError:
            pass
        time.sleep(_POLL_S)
    raise TimeoutError
