"""Time of the biomechanics a frame and person, and whether it grows with the length alone.

    python -m bench.biomechanics [--hours 1] [--movement squat] [--out bench/results]

The athlete of ``tools.athlete`` moves through clips of a quarter, half and the whole length at 30
frames a second; this process's CPU time is printed. ``summary`` is all that the summary rests
on, that is every metric of every frame, events and applications; ``frames`` is writing the JSON
objects of the frames, on top. The peak of resident memory is that of the process so far, clip and
results included.
"""

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import CONSOLE, RESULTS, in_words, machine, save, table
from biomech.skeleton import KEYPOINTS
from deployments.biomechanics.clip_analysis import analyze
from deployments.biomechanics.guideline_files import load_guidelines
from deployments.messages import ClipPoses
from serve_app.setting_types import ROOT
from tools.athlete.body import Shape, stand
from tools.athlete.camera import PinholeCamera
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
    score = np.full((frames, len(KEYPOINTS)), 0.9, np.float32)
    box = np.concatenate([xy.min(1), xy.max(1)], axis=1)
    return ClipPoses(
        times_s=np.arange(frames) / FPS,
        width=SIZE[0],
        height=SIZE[1],
        track_id=np.array([1], np.int32),
        row=np.arange(frames, dtype=np.int32)[:, None],
        box=box.astype(np.float32),
        box_score=score[:, 0],
        keypoints=xy.astype(np.float32),
        score=score,
        raw_score=score,
        sigma=np.full((frames, len(KEYPOINTS), 2), NOISE_PX, np.float32),
        model=np.zeros(frames, np.int32),
        models=("Simulated",),
        decoded=np.ones(frames, bool),
    )


def _points(movement: str, frames: int) -> Iterator[np.ndarray]:
    camera = PinholeCamera(
        size=SIZE, azimuth=90.0, distance=6.0, target=(0.0, 0.0, 0.52), height_px=420.0
    )  # fmt: skip
    for start in range(0, frames, _CHUNK):
        times = np.arange(start, min(start + _CHUNK, frames)) / FPS
        made = MOVEMENTS[movement](times, Style())
        yield camera.project(stand(made.angles, Shape(), lift=made.lift).keypoints)[0]


def cost_s(clip: ClipPoses, *, max_people_in_frames: int) -> float:
    """Processor time of the whole clip."""
    guidelines = load_guidelines(ROOT / "config" / "rules.yaml", ROOT / "config" / "mdc.yaml")
    started = time.process_time()
    analyze(clip, 0.3, guidelines=guidelines, max_people_in_frames=max_people_in_frames)
    return time.process_time() - started


def measured(movement: str, frames: int) -> dict[str, float]:
    """Return seconds, milliseconds a frame and peak memory of a clip of ``frames``."""
    clip = clip_of(movement, frames)
    summary_s, with_frames_s = (cost_s(clip, max_people_in_frames=people) for people in (0, 1))
    return {
        "frames": frames,
        "summary_s": round(summary_s, 3),
        "summary_ms_a_frame": round(1000 * summary_s / frames, 4),
        "with_frames_s": round(with_frames_s, 3),
        "with_frames_ms_a_frame": round(1000 * with_frames_s / frames, 4),
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--movement", choices=list(MOVEMENTS), default="squat")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    facts = machine()
    whole = round(options.hours * 3600 * FPS)
    analyze(clip_of(options.movement, 300), 0.3)  # imports and tables are not counted
    figures: dict[str, Any] = {
        "machine": facts,
        "movement": options.movement,
        "fps": FPS,
        "people": 1,
        "target_ms_a_frame": TARGET_MS,
        "peak_before_mb": _peak_mb(),
    }
    rows = [measured(options.movement, frames) for frames in (whole // 4, whole // 2, whole)]
    figures["clips"] = rows
    figures["four_times_the_length_costs"] = round(rows[-1]["summary_s"] / rows[0]["summary_s"], 3)
    table(
        f"{options.movement}, one person; {in_words(facts)}",
        [name.replace("_", " ") for name in rows[0]],
        [list(row.values()) for row in rows],
    )
    met = max(row["summary_ms_a_frame"] for row in rows) < TARGET_MS
    CONSOLE.print(
        f"target {TARGET_MS} ms a frame: {'met' if met else 'missed'}; four times the length costs "
        f"{figures['four_times_the_length_costs']} times as much"
    )
    save("biomechanics", figures, options.out)


if __name__ == "__main__":
    main()
