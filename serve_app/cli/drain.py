"""Answer the requests under way before Serve is shut down, which kills its proxies first."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import ray
from ray import serve
from ray.actor import ActorHandle
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentBroadcastResponse

_ENDS_WITHIN_S = 5.0  # work that is ended stops within a picture or a batch
_SENT_WITHIN_S = 5.0  # answers of replicas, by proxies and to slow readers
_KNOWN_WITHIN_S = 5.0
_POLL_S = 0.05
_PROXY = "SERVE_PROXY_ACTOR-{node}"  # as Ray's controller names them, in the namespace `serve`


def drain(grace_s: float) -> None:
    """Let the requests under way end in all replicas, and proxies send what these have answered.

    Meanwhile proxies answer 503 to `/-/healthz`, by which load balancers go elsewhere.

    Args:
        grace_s: after which replicas end requests by 503.
    """
    with suppress(RayError, RayServeException, TimeoutError):
        status = serve.status()
        proxies = _proxies(list(status.proxies))
        told = [_broadcast(name, grace_s) for name in status.applications]
        asyncio.run(_all_of(filter(None, told), grace_s + _ENDS_WITHIN_S))
        _until(lambda: _have_sent(proxies), _SENT_WITHIN_S)


def _proxies(nodes: list[str]) -> list[ActorHandle]:
    """Return the proxies of ``nodes``, which say from now on that they are to end."""
    proxies = []
    for node in nodes:
        with suppress(ValueError):  # it is not up, or has ended
            proxies.append(ray.get_actor(_PROXY.format(node=node), namespace="serve"))
    for proxy in proxies:
        proxy.update_draining.remote(True)
    return proxies


def _have_sent(proxies: list[ActorHandle]) -> bool:
    """Return whether each proxy has answered its requests; see ray.local.env for how soon."""
    return all(ray.get([proxy.is_drained.remote() for proxy in proxies], timeout=_SENT_WITHIN_S))


def _broadcast(application: str, grace_s: float) -> DeploymentBroadcastResponse | None:
    """Tell all replicas of an application's entrance to drain; None where it has none.

    A new handle learns of its replicas after a while, and until then broadcasts to nobody.
    """
    handle = serve.get_app_handle(application).options()  # which makes its router
    if not _until(handle.running_replicas_populated, _KNOWN_WITHIN_S):
        return None
    return handle.broadcast("drain", grace_s)


async def _all_of(told: Iterable[DeploymentBroadcastResponse], within_s: float) -> None:
    """Wait for all at once: each is sent when it is waited for, and may fail alone."""
    waiting = (one.results_async(timeout_s=within_s, return_exceptions=True) for one in told)
    await asyncio.gather(*waiting, return_exceptions=True)


def _until(true: Callable[[], bool], within_s: float) -> bool:
    """Wait until ``true()``, and return whether it was in time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True
