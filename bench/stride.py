"""Compare detector strides: python -m bench.stride [VIDEO...]

Against detection in every frame, on the shared videos: how much of the boxes overlaps (IoU), how
far keypoints move (of the height of the box), which people are missed or made up, and how often
the detector was asked.
"""

import argparse
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import CONSOLE, in_words, job_of, machine, save, shared_videos, stages_of, table
from deployments.concurrency import run_async
from deployments.messages import AnalysisOptions, ClipPoses
from serve_app.local import LocalStages
from serve_app.offline.analysis_diff import Rows, difference
from serve_app.pipeline import run

# Stride, and the finest where people move.
VARIANTS = ((1, None), (2, None), (4, None), (4, 1), (8, None), (8, 2), (8, 1), (16, None), (16, 2))
MIN_SCORE = 0.3


def measure(video: Path, stages: LocalStages, options: AnalysisOptions) -> list[dict[str, Any]]:
    """A row a variant."""
    clips = [_clip(video, stages, options, *variant) for variant in VARIANTS]
    reference = Rows.of_clip(clips[0][0])
    return [
        {
            "stride": stride,
            "finest": finest,
            "detections": asked,
            "frames": len(clip.times_s),
            **asdict(difference(reference, Rows.of_clip(clip), MIN_SCORE)),
        }
        for (stride, finest), (clip, asked) in zip(VARIANTS, clips, strict=True)
    ]


def _clip(
    video: Path, stages: LocalStages, options: AnalysisOptions, stride: int, finest: int | None
) -> tuple[ClipPoses, int]:
    detector = stages.engine("detector")
    asked = 0
    infer = detector.infer

    def counted(images: np.ndarray) -> object:
        nonlocal asked
        asked += len(images)
        return infer(images)

    detector.infer = counted
    try:
        so_often = replace(options, detector_stride=stride, finest_stride=finest)
        job = job_of(video, video.parent, so_often)
        clip = run_async(run(job, stages)).clip
    finally:
        del detector.infer
    return clip, asked


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path, default=shared_videos())
    given = parser.parse_args()
    if not given.videos:
        parser.error("no video was given, and there is no shared/videos")
    facts = machine()
    CONSOLE.print(in_words(facts))
    figures = {}
    with tempfile.TemporaryDirectory() as out:
        stages, options = stages_of(Path(out))
        for video in given.videos:
            rows = figures[video.name] = measure(video, stages, options)
            table(
                f"{video.name}: against detection in every frame; shift in % of the box's height",
                (
                    "stride",
                    "asked",
                    "IoU",
                    "IoU, worst 5 %",
                    "shift",
                    "shift, 95 %",
                    "missed",
                    "extra",
                ),
                [
                    (
                        f"{r['stride']}"
                        + (f", {r['finest']} where they move" if r["finest"] else ""),
                        f"{r['detections']} of {r['frames']}",
                        *(f"{r[k]:.3f}" for k in ("iou_mean", "iou_p5")),
                        *(f"{100 * r[k]:.2f}" for k in ("shift_median", "shift_p95")),
                        r["missed"],
                        r["extra"],
                    )
                    for r in rows
                ],
            )
        stages.close()
    save("stride", {"machine": facts, "videos": figures})


if __name__ == "__main__":
    main()
