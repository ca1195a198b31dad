"""The pose network on a GPU: python -m bench.gpu

Crops a second against the batch, fp32 and fp16, as it is and by torch.compile with CUDA graphs,
from uint8 crops to keypoints (normalization and decoding included), and the pipeline's frames a
second.
RTMPose-m with random weights, as its time does not depend on them, unless the published ones are
here. Says so where there is no GPU. Aim: 15,000 crops a second on a data-center GPU.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.harness import CONSOLE, crop_cost, job_of, machine, save, shared, stages_of, table
from bench.peer_weights import rtmpose_m
from deployments.concurrency import run_async
from deployments.pose.engines.torch_engine import TorchPose
from deployments.pose.model_options import EngineOptions
from deployments.pose.registry import load_model_config
from serve_app.pipeline import run

BATCHES = (1, 4, 16, 64, 128, 256)
AIM = 15_000
SECONDS = 2.0


def compiled(model: TorchPose) -> TorchPose:
    """The same engine with its network by torch.compile, CUDA graphs and all."""
    module = model._runner.module
    module.extract_feat = torch.compile(module.extract_feat, mode="reduce-overhead")
    return model


def kernels(model: TorchPose, batch: int) -> float:
    """Crops a second of the network alone, from a tensor on the GPU: copies and decoding aside."""
    inputs = model._runner.normalize(np.zeros((batch, 256, 192, 3), np.uint8))
    with torch.inference_mode():
        for _ in range(3):
            model._forward(inputs)
        torch.cuda.synchronize()
        calls, began = 0, time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            model._forward(inputs)
            torch.cuda.synchronize()
            calls += 1
    return calls * batch / (time.perf_counter() - began)


def measure(device: str) -> list[dict[str, Any]]:
    """A row a precision and batch."""
    checkpoint, _, registry = rtmpose_m()
    entry = load_model_config(registry).entry("rtmpose_medium")
    rows = []
    for precision in ("fp32", "mixed"):
        for with_compile in (False, True):
            options = EngineOptions(device=device, precision=precision, batch=max(BATCHES))
            model = TorchPose(entry, checkpoint, options, "rtmpose")
            if with_compile:
                model = compiled(model)
            for batch in BATCHES:
                rows.append(
                    {
                        "precision": model.status.precision,
                        "compiled": with_compile,
                        "batch": batch,
                        "crops_per_s": crop_cost(model, batch, SECONDS)[0],
                        "network_crops_per_s": None if with_compile else kernels(model, batch),
                    }
                )
    return rows


def pipeline_fps(video: Path) -> dict[str, float]:
    """Frames a second of the whole, with and without the annotated video."""
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        stages, options = stages_of(Path(name), mixed_precision=True, batch_size=64)
        for annotated in (False, True):
            job = job_of(video, Path(name), options, annotated=annotated)
            run_async(run(job, stages))  # warm
            began = time.perf_counter()
            outcome = run_async(run(job, stages))
            seconds = time.perf_counter() - began
            figures["annotated" if annotated else "plain"] = outcome.media.frame_count / seconds
        stages.close()
    return figures


def main() -> None:
    """Measure, print and save, where there is a GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        CONSOLE.print(
            f"not measured: this process has no GPU by CUDA (torch {torch.__version__}). "
            "On a machine with one: python -m bench.gpu"
        )
        return
    gpu = torch.cuda.get_device_name(given.device)
    rows = measure(given.device)
    table(
        f"RTMPose-m on {gpu}: crops a second, uint8 crops to keypoints",
        ("precision", "batch", "as it is", "network alone", "compiled"),
        [
            (
                plain["precision"],
                plain["batch"],
                f"{plain['crops_per_s']:.0f}",
                f"{plain['network_crops_per_s']:.0f}",
                f"{quick['crops_per_s']:.0f}",
            )
            for plain in rows
            if not plain["compiled"]
            for quick in rows
            if quick["compiled"]
            and (quick["precision"], quick["batch"]) == (plain["precision"], plain["batch"])
        ],
    )
    best = max(row["crops_per_s"] for row in rows)
    CONSOLE.print(f"most: {best:.0f} crops a second (aim: {AIM})")
    data = shared()
    fps = pipeline_fps(data / "videos" / "sports2d_demo.mp4") if data else {}
    save("gpu", {"machine": machine(), "gpu": gpu, "rows": rows, "pipeline_fps": fps})


if __name__ == "__main__":
    main()
