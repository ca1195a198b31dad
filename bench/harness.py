"""Provide benchmarks with the machine's facts, videos, engines and results."""

import json
import logging
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from deployments.messages import AnalysisOptions
from deployments.pose.interface import PoseModel
from deployments.process_setup import usable_cpus
from deployments.render.storage import open_store
from deployments.roles import ModelRole
from serve_app.local import LocalStages
from serve_app.model_plan import plan_models
from serve_app.pipeline import Job
from serve_app.setting_types import ROOT
from serve_app.settings import load_settings

RESULTS = ROOT / "bench" / "results"
CONSOLE = Console(width=120, highlight=False)


def shared() -> Path | None:
    """The folder of test data in or beside the checkout."""
    return next((f for f in (ROOT / "shared", ROOT.parent / "shared") if f.is_dir()), None)


def shared_videos() -> list[Path]:
    """Its videos; none if it is not there."""
    folder = shared()
    return sorted((folder / "videos").glob("*.mp4")) if folder else []


def machine() -> dict[str, Any]:
    """Facts without which a time says nothing."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return {
        "cpu": names[0] if names else platform.machine(),
        "cpus_used": usable_cpus(),
        "cpus": os.cpu_count(),
        "instructions": [
            f for f in ("avx2", "avx512_bf16", "avx512_vnni", "amx_bf16") if f in flags
        ],
        "load_before": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {n: version(n) for n in ("torch", "openvino", "av", "numpy", "ray")},
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def in_words(facts: Mapping[str, Any]) -> str:
    """The machine on a line."""
    return f"{facts['cpus_used']} of {facts['cpus']} x {facts['cpu']}, load {facts['load_before']}"


def stages_of(out: Path, **settings: Any) -> tuple[LocalStages, AnalysisOptions]:
    """Engines in this process under ``settings``, and what they are asked for."""
    logging.getLogger("mmpose_service").setLevel(logging.ERROR)  # stand-ins are printed
    made = load_settings(settings)
    stages = LocalStages(plan_models(made), made.media_limits, open_store(str(out), "file://"))
    pose, detector = stages.statuses[ModelRole.PRIMARY], stages.statuses[ModelRole.DETECTOR]
    return stages, AnalysisOptions(
        pose_input=pose.input_size,
        detector_input=detector.input_size,
        detector_stride=made.detector_stride,
        finest_stride=made.finest_stride,
        batch=made.batch_size,
        in_hardware=made.hardware_video,
    )


def job_of(video: Path, folder: Path, options: AnalysisOptions, *, annotated: bool = False) -> Job:
    """One video as the service would have it done: its segments, and how many of them at once."""
    made = load_settings()
    return Job(
        video,
        folder,
        "annotated.mp4",
        options,
        min_score=0.3,
        video=annotated,
        segment_s=made.segment_s,
        segments_in_flight=made.segments_in_flight,
    )


def crop_cost(model: PoseModel, crops: int, seconds: float) -> tuple[float, float]:
    """Return crops a second at a batch size, and CPU milliseconds of one."""
    width, height = model.status.input_size
    pictures = np.random.default_rng(0).integers(0, 256, (crops, height, width, 3), np.uint8)
    for _ in range(3):
        model.infer(pictures)
    done, began, cpu = 0, time.perf_counter(), time.process_time()
    while (took := time.perf_counter() - began) < seconds:
        model.infer(pictures)
        done += crops
    return done / took, 1000 * (time.process_time() - cpu) / done


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print; every column but the first to the right."""
    made = Table(*columns, title=title)
    for column in made.columns[1:]:
        column.justify = "right"
    for row in rows:
        made.add_row(*map(str, row))
    CONSOLE.print(made)


def save(name: str, figures: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write figures with the machine's facts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")
    CONSOLE.print(f"written: {path}")
    return path


def _commit() -> str | None:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip() or None


def medians(rows: Sequence[Mapping[str, Any]], kind: Sequence[str], figures: Sequence[str]) -> None:
    """Print the medians of ``figures`` over the rows of each kind, in the order of the first."""
    kinds = dict.fromkeys(tuple(row[k] for k in kind) for row in rows)
    alike = {of: [row for row in rows if tuple(row[k] for k in kind) == of] for of in kinds}
    table(
        "medians",
        (*kind, *figures),
        [
            (*of, *(f"{median(row[f] for row in same):.1f}" for f in figures))
            for of, same in alike.items()
        ],
    )
