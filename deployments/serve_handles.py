"""Call other deployments of Serve, and log as Serve does."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from deployments.errors import OverloadedError, ServiceError, StageFailedError

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class HandleResponse(Awaitable[Result_co], Protocol[Result_co]):
    """Response of a handle's call."""

    def cancel(self) -> None:
        """End the call."""
        ...


def log_as_serve() -> None:
    """Send the service's log records where Serve sends its own, in its format, with request ids.

    Serve logs whatever a replica raises with its traceback; refusals get one line. To be called by
    the constructor of a replica.
    """
    serve = logging.getLogger("ray.serve")
    logging.getLogger("mmpose_service").parent = serve
    serve.addFilter(shorten_refusal)  # the same one is added once


def shorten_refusal(record: logging.LogRecord) -> bool:
    """Replace the traceback of an error that the service foresees by its words; keep all records.

    Those that it answers with 500 are faults, and keep theirs.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ServiceError) and error.status != ServiceError.status:
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = f"{record.getMessage()} {error.code}: {error}", ()
    return True


def http_host() -> str | None:
    """Return the address that Serve's HTTP interface listens on; None where it is not known.

    Replicas that listen themselves, instead of a proxy, do so on all interfaces.
    """
    from ray.exceptions import RayError
    from ray.serve._private import constants
    from ray.serve.context import _get_global_client
    from ray.serve.exceptions import RayServeException

    if constants.RAY_SERVE_ENABLE_HA_PROXY or constants.RAY_SERVE_ENABLE_DIRECT_INGRESS:
        return None
    try:
        host: str | None = _get_global_client().http_config.host
    except (RayError, RayServeException):
        return None
    return host or None


async def await_response(response: HandleResponse[Result], stage: str) -> Result:
    """Await a handle's response, and end the call if this is cancelled: Serve does not.

    Raises:
        ServiceError: the one the deployment raised, as it raised it.
        StageFailedError: its replica died, or failed in an unforeseen way; segments are pure
            functions of their input, so the call can be made again.
        OverloadedError: its queue is full.
    """
    from ray.exceptions import RayActorError, RayTaskError
    from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    except RayTaskError as error:
        if isinstance(error.cause, ServiceError):
            raise error.cause from None
        raise StageFailedError(
            f"{stage} failed: {type(error.cause).__name__}", private=str(error.cause)
        ) from error
    except BackPressureError as error:
        raise OverloadedError(f"the queue of {stage} is full") from error
    except (RayActorError, DeploymentUnavailableError) as error:
        raise StageFailedError(f"a replica of {stage} died: {type(error).__name__}") from error
