"""Compare fp32, bf16 and int8: python -m bench.precisions

CPU time of a crop by the service's own engine: RTMPose-m and HRNet-W48 of random weights, on which
time does not depend. Rounds go through all of them in turn, so that the machine's mood meets all
alike. Then what AP the athlete's network, an RTMPose-t, loses against fp32, on rendered people
that it was never trained on: in parts, of which each tells the loss.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from bench.harness import CONSOLE, crop_cost, in_words, machine, medians, save, table
from bench.peer_weights import CONFIG, WEIGHTS, of_random_weights
from deployments.crops import crop_transforms
from deployments.messages import U8
from deployments.pose.engines.openvino_engine import OpenVinoPose, pose_source
from deployments.pose.model_options import EngineOptions
from deployments.pose.offline.coco_evaluation import (
    cut_crops,
    evaluate,
    labelled_boxes,
    read_labels,
    read_picture,
)
from deployments.pose.offline.int8_quantization import quantize
from deployments.pose.registry import ModelEntry, load_model_config
from deployments.roles import ModelRole
from serve_app.cli.evaluate import pose_model_here
from serve_app.model_plan import plan_models
from serve_app.setting_types import ROOT
from serve_app.settings import load_settings
from tools.athlete.trained_network import KEY, SETTINGS
from tools.training.data import HELD_OUT, render

KEYS = ("rtmpose_medium", "hrnet_w48")
CROPS, FITTED_ON = 16, 8
SECONDS = 2.0
FOLDER = ROOT / "out" / "bench" / "people"
FITTING, FIRST = HELD_OUT + 1_000_000, HELD_OUT + 2_000_000  # apart from what training looks at
FITTED_PICTURES, PICTURES = 256, 1000


def engines(entry: ModelEntry, checkpoint: Path, crops: U8) -> list[OpenVinoPose]:
    """The network in fp32, bf16 and int8, that fitted to ``crops``."""
    options = EngineOptions(engine="openvino")
    mixed = replace(options, precision="mixed")
    exact = pose_source(entry, checkpoint, options)
    whole = replace(exact, model=quantize(exact, crops), quantized=True)
    return [
        OpenVinoPose(entry, checkpoint, how, ModelRole.PRIMARY, source)
        for how, source in ((options, exact), (mixed, exact), (mixed, whole))
    ]


def of_random(key: str) -> list[OpenVinoPose]:
    """A network of random weights in each precision."""
    entry = replace(load_model_config(CONFIG).entry(key), sha256=None)
    checkpoint = WEIGHTS / f"{key}.pth"
    if not checkpoint.exists():
        of_random_weights(entry, checkpoint)
    width, height = entry.input_size
    crops = np.random.default_rng(0).integers(0, 256, (FITTED_ON, height, width, 3), np.uint8)
    return engines(entry, checkpoint, crops)


def costs(rounds: int) -> list[dict[str, Any]]:
    """CPU time of a crop."""
    rows = []
    made = [engine for key in KEYS for engine in of_random(key)]
    for _ in range(rounds):
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
    return rows


def accuracy(parts: int) -> list[dict[str, Any]]:
    """COCO keypoint figures of the athlete's network, part by part, labelled boxes."""
    entry, checkpoint = pose_model_here(KEY, plan_models(load_settings(SETTINGS)))
    rows = []
    made = engines(entry, checkpoint, _crops(entry, FITTED_PICTURES))
    for part in range(parts):
        folder = FOLDER / f"{part}"
        labels = render(PICTURES, folder, first=FIRST + part * PICTURES)
        for engine in made:
            found = evaluate(labels, folder / "images", engine)
            rows.append({"part": part, "precision": engine.status.precision, **asdict(found)})
    return rows


def _crops(entry: ModelEntry, pictures: int) -> U8:
    """People of other pictures."""
    folder = FOLDER / "fitting"
    truth, _ = read_labels(render(pictures, folder, first=FITTING))
    crops = []
    for image_id, image in sorted(truth.imgs.items()):
        boxes, _ = labelled_boxes(truth, image_id)
        maps = crop_transforms(boxes, entry.input_size)
        picture = read_picture(folder / "images" / image["file_name"])
        crops.append(cut_crops(picture, maps, entry.input_size))
    return np.concatenate(crops)


def told(rows: list[dict[str, Any]]) -> None:
    """A table of AP, and of the AP lost."""
    by_precision: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_precision.setdefault(row["precision"], []).append(row)
    exact = [row["ap"] for row in next(iter(by_precision.values()))]
    lines = []
    for precision, found in by_precision.items():
        lost = [100 * (a - row["ap"]) for a, row in zip(exact, found, strict=True)]
        lines.append(
            (
                precision,
                sum(row["people"] for row in found),
                *(f"{100 * mean(row[k] for row in found):.2f}" for k in ("ap", "ap50", "ap75")),
                f"{mean(lost):+.2f} ({min(lost):+.2f} to {max(lost):+.2f})",
            )
        )
    table(
        f"{rows[0]['model']}, rendered people, labelled boxes",
        ("precision", "people", "AP", "AP50", "AP75", "AP lost, and by parts"),
        lines,
    )


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of the cost; 0: leave it out")
    parser.add_argument("--parts", type=int, default=5, help=f"of {PICTURES} pictures; 0: no AP")
    given = parser.parse_args()
    facts = machine()
    CONSOLE.print(in_words(facts))
    if given.rounds:
        rows = costs(given.rounds)
        medians(rows, ("model", "precision"), ("crops_s", "cpu_ms"))
        save("precisions", {"machine": facts, "rows": rows})
    if given.parts:
        rows = accuracy(given.parts)
        told(rows)
        save("precisions_ap", {"machine": facts, "rows": rows})


if __name__ == "__main__":
    main()
