"""Compare parallel streams of OpenVINO with one of all threads: python -m bench.streams

Crops a second, and CPU time of one, by the service's own engine: `MMPOSE_BATCH_SIZE` of 4 goes
through the network in one piece on all threads, one of 16 in four, on as many threads as there are.
"""

import argparse
import logging
from dataclasses import replace
from typing import Any, cast

from bench.harness import CONSOLE, crop_cost, in_words, machine, medians, save
from bench.peer_weights import rtmpose_m
from deployments.pose.interface import PoseModel
from deployments.pose.loading import load_pose_model
from deployments.pose.registry import load_model_config
from serve_app.model_plan import plan_models
from serve_app.settings import load_settings

CROPS = 64
SECONDS = 2.0
BATCHES = {4: "one of all threads", 16: "one a thread"}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    logging.getLogger("mmpose_service").setLevel(logging.ERROR)  # stand-ins are in the table
    facts = machine()
    CONSOLE.print(in_words(facts))
    plan = plan_models(load_settings())
    checkpoint, _, registry = rtmpose_m()
    entry = load_model_config(registry).entry("rtmpose_medium")
    rows: list[dict[str, Any]] = []
    for precision in ("fp32", "mixed"):
        engines: list[tuple[int, PoseModel]] = []
        for batch in BATCHES:
            options = replace(plan.options, precision=precision, batch=batch, engine="openvino")
            usual = cast(PoseModel, plan.choices["rtmpose"].load(plan.search, options))
            engines += [
                (batch, usual),
                (batch, load_pose_model(entry, checkpoint, options, "rtmpose")),
            ]
        for _ in range(given.rounds):  # in turn, so that the machine's mood meets all alike
            for batch, engine in engines:
                crops_s, cpu_ms = crop_cost(engine, CROPS, SECONDS)
                status = engine.status
                rows.append(
                    {
                        "model": status.name,
                        "precision": status.precision,
                        "streams": BATCHES[batch],
                        "crops_s": crops_s,
                        "cpu_ms": cpu_ms,
                    }
                )
    medians(rows, ("model", "precision", "streams"), ("crops_s", "cpu_ms"))
    save("streams", {"machine": facts, "rows": rows})


if __name__ == "__main__":
    main()
