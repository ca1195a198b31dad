"""Time of the biomechanics a frame and person, and whether it grows with the length alone.

    python -m bench.biomechanics [--hours 1] [--movement squat]

The athlete of ``tools.athlete`` moves through clips of a quarter, half and the whole length at 30
frames a second; processor time of this process is told. ``summary`` is all that the summary rests
on, that is every metric of every frame, events and applications; ``frames`` is writing the JSON
objects of the frames, on top.
"""

import argparse
import time
from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from biomech.skeleton import KEYPOINTS
from deployments.biomechanics.analyse import analyse
from deployments.biomechanics.guidelines import load_guidelines
from deployments.messages import ClipPoses
from serve_app.settings import ROOT
from tools.athlete.body import Shape, stand
from tools.athlete.camera import Camera
from tools.athlete.motion import MOVEMENTS, Style

FPS = 30.0
SIZE = (1280, 720)
NOISE_PX = 2.0
TARGET_MS = 0.2
_CHUNK = 30_000  # frames of bodies at once


def clip_of(movement: str, frames: int) -> ClipPoses:
    """One person who does ``movement`` in place, seen from the left, with noise."""
    xy = np.concatenate(list(_points(movement, frames)))
    xy += np.random.default_rng(1).normal(0, NOISE_PX, xy.shape)
    score = np.full((frames, 1, len(KEYPOINTS)), 0.9, np.float32)
    box = np.concatenate([xy.min(1), xy.max(1)], axis=1)
    return ClipPoses(
        times_s=np.arange(frames) / FPS,
        width=SIZE[0],
        height=SIZE[1],
        track_id=np.array([1], np.int32),
        box=box[:, None].astype(np.float32),
        box_score=score[..., 0],
        keypoints=xy[:, None].astype(np.float32),
        score=score,
        raw_score=score,
        sigma=np.full((frames, 1, len(KEYPOINTS), 2), NOISE_PX, np.float32),
        model=np.zeros((frames, 1), np.int32),
        models=("Simulated",),
        decoded=np.ones(frames, bool),
    )


def _points(movement: str, frames: int) -> Iterator[np.ndarray]:
    camera = Camera(
        size=SIZE, azimuth=90.0, distance=6.0, target=(0.0, 0.0, 0.52), height_px=420.0
    )  # fmt: skip
    for start in range(0, frames, _CHUNK):
        times = np.arange(start, min(start + _CHUNK, frames)) / FPS
        made = MOVEMENTS[movement](times, Style())
        yield camera.project(stand(made.angles, Shape(), lift=made.lift).keypoints)[0]


def cost_ms(clip: ClipPoses, *, written: int) -> float:
    """Processor time a frame."""
    guidelines = load_guidelines(ROOT / "config" / "rules.yaml", ROOT / "config" / "mdc.yaml")
    started = time.process_time()
    analyse(clip, 0.3, guidelines=guidelines, written=written)
    return 1000.0 * (time.process_time() - started) / len(clip.times_s)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--movement", choices=list(MOVEMENTS), default="squat")
    options = parser.parse_args(arguments)
    whole = round(options.hours * 3600 * FPS)
    analyse(clip_of(options.movement, 300), 0.3)  # imports and tables are not counted
    table = Table("frames", "summary", "with frames", title=f"{options.movement}, ms a frame")
    costs = []
    for frames in (whole // 4, whole // 2, whole):
        clip = clip_of(options.movement, frames)
        costs.append(cost_ms(clip, written=0))
        table.add_row(f"{frames}", f"{costs[-1]:.3f}", f"{cost_ms(clip, written=1):.3f}")
    console = Console()
    console.print(table)
    console.print(
        f"target {TARGET_MS} ms: {'met' if max(costs) < TARGET_MS else 'missed'}; "
        f"four times the length costs {4 * costs[-1] / costs[0]:.2f} times as much"
    )


if __name__ == "__main__":
    main()
