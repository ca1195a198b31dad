"""CPU cost of a crop in fp32, bf16 and int8: python -m bench.precisions

RTMPose-m and HRNet-W48 of random weights, on which time does not depend, by the service's own
engine. Rounds go through all of them in turn, so that the machine's mood meets all alike.
"""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from bench.common import CONSOLE, crop_cost, in_words, machine, medians, save
from bench.peer_weights import CONFIG, of_random_weights
from deployments.pose.engines.openvino_engine import OpenVinoPose, pose_source
from deployments.pose.options import EngineOptions
from deployments.pose.quantize import quantize
from deployments.pose.registry import load_model_config
from serve_app.settings import ROOT

KEYS = ("rtmpose_medium", "hrnet_w48")
CROPS, FITTED_ON = 16, 8
SECONDS = 2.0


def engines(key: str) -> list[OpenVinoPose]:
    """The network in each precision."""
    entry = replace(load_model_config(CONFIG).entry(key), sha256=None)
    checkpoint = ROOT / "out" / "peers" / "weights" / f"{key}.pth"
    if not checkpoint.exists():
        of_random_weights(entry, checkpoint)
    options = EngineOptions(engine="openvino")
    mixed = replace(options, precision="mixed")
    width, height = entry.input_size
    crops = np.random.default_rng(0).integers(0, 256, (FITTED_ON, height, width, 3), np.uint8)
    exact = pose_source(entry, checkpoint, options)
    whole = replace(exact, model=quantize(exact, crops), quantized=True)
    return [
        OpenVinoPose(entry, checkpoint, how, "rtmpose", source)
        for how, source in ((options, exact), (mixed, exact), (mixed, whole))
    ]


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    facts = machine()
    CONSOLE.print(in_words(facts))
    rows: list[dict[str, Any]] = []
    made = [engine for key in KEYS for engine in engines(key)]
    for _ in range(given.rounds):
        for engine in made:
            crops_s, cpu_ms = crop_cost(engine, CROPS, SECONDS)
            status = engine.status
            rows.append(
                {
                    "model": status.name,
                    "precision": status.precision,
                    "crops_s": crops_s,
                    "cpu_ms": cpu_ms,
                }
            )
    medians(rows, ("model", "precision"), ("crops_s", "cpu_ms"))
    save("precisions", {"machine": facts, "rows": rows})


if __name__ == "__main__":
    main()
