"""Call the pose models: how many crops go in one call, and which model is asked next.

The graph and the service in one process follow the same rules.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from deployments.errors import ModelError, NotReadyError, ServiceError
from deployments.messages import AnalysisOptions
from deployments.roles import ModelRole

Answer = TypeVar("Answer")

_LEAST_CROPS: Final = 32  # in a call, which costs the graph some 5 ms in addition to the network


def crops_a_call(batch: int) -> int:
    """Return the crops in a full call of a pose model: whole batches, 32 crops at least."""
    return -(-_LEAST_CROPS // batch) * batch


def in_calls(options: AnalysisOptions) -> AnalysisOptions:
    """Return ``options`` with the crops of a call as the batch.

    Small batches go several in a call, as many crops in all being under way.
    """
    size = crops_a_call(options.batch)
    in_flight = -(-options.pose_calls_in_flight * options.batch // size)
    return replace(options, batch=size, pose_calls_in_flight=in_flight)


async def first_answer(
    roles: Iterable[ModelRole], ask: Callable[[ModelRole], Awaitable[Answer]]
) -> Answer:
    """Ask the models in order; the next one where one is not loaded, failing or dead.

    Raises:
        ServiceError: of the last one asked; or of the first whose error another model would have
            too, such as a request that is over.
        NotReadyError: there are no ``roles``.
    """
    failure: ServiceError | None = None
    for role in roles:
        try:
            return await ask(role)
        except ServiceError as error:
            if not (error.retryable or isinstance(error, ModelError)):
                raise
            failure = error
    raise failure or NotReadyError("no pose model is to be asked")
