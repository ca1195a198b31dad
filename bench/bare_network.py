"""Run the bare pose network in processes, without Ray: the best that two CPUs give."""

import logging
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from typing import Any

from bench.common import crop_cost
from bench.graph_handles import REPLICAS_S
from serve_app.model_plan import plan_models
from serve_app.settings import load_settings


def bare_rates(rounds: int, seconds: float = REPLICAS_S) -> dict[str, list[float]]:
    """Crops a second of one and of two processes of the pose network, each with one thread."""
    rates = []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(_bare_rate, [2.0, 2.0]))  # both have loaded it
        for _ in range(rounds):
            one = pool.submit(_bare_rate, seconds).result()
            rates.append((one, sum(pool.map(_bare_rate, [seconds, seconds]))))
    one_alone, two = map(list, zip(*rates, strict=True))
    return {"one": one_alone, "two": two}


@cache
def _bare_network() -> Any:
    logging.disable(logging.WARNING)  # of stand-ins
    plan = plan_models(load_settings())
    return plan.choices["rtmpose"].load(plan.search, replace(plan.options, threads=1))


def _bare_rate(seconds: float) -> float:
    return crop_cost(_bare_network(), load_settings().batch_size, seconds)[0]
