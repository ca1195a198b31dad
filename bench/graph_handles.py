"""Measure a running graph through handles, and the bare pose network without Ray."""

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import crop_cost, job_of
from deployments.decode.segments import split
from deployments.messages import AnalysisOptions
from deployments.roles import ModelRole
from serve_app.model_plan import plan_models
from serve_app.pipeline import run
from serve_app.settings import load_settings
from tools.serving import Serving

CALLS_A_REPLICA = 6  # one in the network, the others ready, however Serve spreads them
REPLICAS_S = 12.0


@contextmanager
def connected(graph: Serving) -> Iterator[str]:
    """This process as a driver; gives the address of the cluster's metrics."""
    os.environ.update(graph.environment)
    import ray.serve  # sets the level of its log

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    ray.init(address=graph.environment["RAY_ADDRESS"], configure_logging=False, log_to_driver=False)
    try:
        yield f"http://127.0.0.1:{ray.nodes()[0]['MetricsExportPort']}/metrics"
    finally:
        ray.shutdown()


def first_segment(
    video: Path, folder: Path, options: AnalysisOptions, rounds: int, most_s: float
) -> dict[str, list[float]]:
    """Seconds of the first segment by itself, and until the first one of a request is done.

    The request is a whole pipeline on the graph's stages; it is left when it has told of a segment.

    Raises:
        TimeoutError: not done after ``most_s`` seconds.
    """

    async def bounded() -> dict[str, list[float]]:
        async with asyncio.timeout(most_s):
            return await _first_segment(video, folder, options, rounds)

    return asyncio.run(bounded())


async def _first_segment(
    video: Path, folder: Path, options: AnalysisOptions, rounds: int
) -> dict[str, list[float]]:
    from ray import serve

    from serve_app.ingress import GraphStages

    names = ("Decode", "Biomechanics", "Render")
    stages = GraphStages(*(serve.get_deployment_handle(name, "pose") for name in names))
    job = job_of(video, folder, options)
    media = await stages.probe(video)
    segment = split(media, options.detector_stride, job.segment_s)[0]

    async def alone() -> float:
        began = time.perf_counter()
        await stages.analyze(segment, options)
        return time.perf_counter() - began

    async def until_first(at_once: int) -> float:
        told: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()

        def progress(_: str, done: int, __: int) -> None:
            if done and not told.done():
                told.set_result(time.perf_counter() - began)

        work = asyncio.create_task(run(replace(job, segments_in_flight=at_once), stages, progress))
        await asyncio.wait((work, told), return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            work.result()  # raises why
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await alone()  # by then the models have done what was under way
        return told.result()

    found: dict[str, list[float]] = {"alone_s": [], "one_at_once_s": [], "usual_s": []}
    await alone()
    for _ in range(rounds):
        found["alone_s"].append(await alone())
        found["one_at_once_s"].append(await until_first(1))
        found["usual_s"].append(await until_first(job.segments_in_flight))
    return found


def replica_rates(rounds: int, most_s: float) -> dict[str, list[float]]:
    """Crops a second of one and of two more replicas of the pose model, each with one thread.

    They stay until the graph ends.

    Raises:
        TimeoutError: a call was not answered in ``most_s`` seconds.
    """
    import ray
    from ray import serve

    from deployments.pose.deployment import RTMPose

    plan = plan_models(load_settings())
    batch = plan.options.batch
    bound = RTMPose.options(
        max_ongoing_requests=2 * CALLS_A_REPLICA,
        ray_actor_options={"num_cpus": 0},
        user_config={"max_batch_size": batch, "batch_wait_timeout_s": 0.0},
    )
    options = replace(plan.options, threads=1)
    handles = {}
    for n in (1, 2):
        application = bound.options(num_replicas=n).bind(
            plan.choices[ModelRole.PRIMARY], plan.search, options
        )
        handles[n] = serve.run(application, name=f"pose-{n}", route_prefix=None)
    width, height = handles[1].status.remote().result(timeout_s=most_s).input_size
    crops = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)
    reference = ray.put(crops)

    def rate(n: int) -> float:
        """While all callers are waiting: neither at the start nor at the end."""

        def call(_: int) -> int:
            calls = 0
            while time.perf_counter() < end:
                handles[n].estimate.remote([reference]).result(timeout_s=most_s)
                calls += start <= time.perf_counter() < end
            return calls

        callers = CALLS_A_REPLICA * n
        start = time.perf_counter() + 1.0
        end = start + REPLICAS_S
        with ThreadPoolExecutor(callers) as pool:
            return sum(pool.map(call, range(callers))) * batch / REPLICAS_S

    rates = [(rate(1), rate(2)) for _ in range(rounds)]
    one, two = map(list, zip(*rates, strict=True))
    return {"one": one, "two": two}


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
    logging.disable(logging.WARNING)  # that test networks answer
    plan = plan_models(load_settings())
    return plan.choices[ModelRole.PRIMARY].load(plan.search, replace(plan.options, threads=1))


def _bare_rate(seconds: float) -> float:
    return crop_cost(_bare_network(), load_settings().batch_size, seconds)[0]
