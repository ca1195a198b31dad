"""Run several callers' pictures through one network call, each with its own outcome."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import numpy as np

from deployments.errors import InferenceError
from deployments.messages import U8

logger = logging.getLogger("mmpose_service")

Answer = TypeVar("Answer")


async def run_batch(
    items: Sequence[U8],
    infer: Callable[[U8], Awaitable[Sequence[Answer]]],
) -> list[Sequence[Answer] | InferenceError]:
    """Return the answers of ``infer`` for each item, in order.

    The items (n_i, h, w, 3) go in together. If that fails each goes in alone, so that a poisonous
    item fails by itself and its neighbours get their answers.

    Args:
        items: one a caller. infer: takes (n, h, w, 3), gives a sequence of n that can be sliced.
    """
    try:
        together = await _all(items, infer)
    except Exception as error:
        logger.warning("a batch of %d calls failed: %s", len(items), error)
        if len(items) == 1:
            return [_typed(error)]
        return [(await run_batch([item], infer))[0] for item in items]
    ends = np.cumsum([len(item) for item in items])
    return [together[end - len(item) : end] for item, end in zip(items, ends, strict=True)]


async def run_alone(
    item: U8, infer: Callable[[U8], Awaitable[Sequence[Answer]]]
) -> Sequence[Answer]:
    """Return the answers of ``infer`` for one item.

    Raises:
        InferenceError: it failed, whatever its own error.
    """
    (outcome,) = await run_batch([item], infer)
    if isinstance(outcome, InferenceError):
        raise outcome
    return outcome


async def _all(
    items: Sequence[U8], infer: Callable[[U8], Awaitable[Sequence[Answer]]]
) -> Sequence[Answer]:
    pictures = items[0] if len(items) == 1 else np.concatenate(items)
    answers = await infer(pictures)
    if len(answers) != len(pictures):
        raise InferenceError(f"the network answered for {len(answers)} of {len(pictures)} pictures")
    return answers


def _typed(error: Exception) -> InferenceError:
    if isinstance(error, InferenceError):
        return error
    return InferenceError(f"the network failed: {type(error).__name__}", private=str(error))
