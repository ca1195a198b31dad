"""What detecting less often costs and saves: python -m bench.stride [VIDEO...]

Against detection in every frame, on the shared videos: how much of the boxes overlaps (IoU), how
far keypoints move (of the height of the box), which people are missed or made up, and how often
the detector was asked.
"""

import argparse
import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from bench.common import CONSOLE, in_words, machine, save, shared_videos, stages_of, table
from deployments.messages import AnalysisOptions, ClipPoses
from serve_app.local import LocalStages
from serve_app.pipeline import Job, run

# Stride, and the finest where people move.
VARIANTS = ((1, None), (2, None), (4, None), (4, 1), (8, None), (8, 2), (8, 1), (16, None), (16, 2))
MIN_SCORE = 0.3
MIN_IOU = 0.1


def measure(video: Path, stages: LocalStages, options: AnalysisOptions) -> list[dict[str, object]]:
    """A row a variant."""
    clips = [_clip(video, stages, options, *variant) for variant in VARIANTS]
    reference = clips[0][0]
    return [
        {
            "stride": stride,
            "finest": finest,
            "detections": asked,
            "frames": len(clip.keypoints),
            **_against(reference, clip),
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
        job = Job(
            video,
            video.parent,
            "none.mp4",
            replace(options, detector_stride=stride, finest_stride=finest),
            MIN_SCORE,
            video=False,
        )
        clip = asyncio.run(run(job, stages)).clip
    finally:
        del detector.infer
    return clip, asked


def _against(reference: ClipPoses, clip: ClipPoses) -> dict[str, object]:
    overlaps: list[float] = []
    shifts: list[np.ndarray] = []
    missed = extra = 0
    for frame in range(len(reference.keypoints)):
        mine, theirs = (np.flatnonzero(c.model[frame] >= 0) for c in (clip, reference))
        iou = _iou(clip.box[frame, mine], reference.box[frame, theirs])
        pairs = [
            (i, j) for i, j in zip(*linear_sum_assignment(-iou), strict=True) if iou[i, j] > MIN_IOU
        ]
        missed += len(theirs) - len(pairs)
        extra += len(mine) - len(pairs)
        for i, j in pairs:
            a, b = mine[i], theirs[j]
            overlaps.append(iou[i, j])
            seen = (clip.score[frame, a] >= MIN_SCORE) & (reference.score[frame, b] >= MIN_SCORE)
            apart = clip.keypoints[frame, a] - reference.keypoints[frame, b]
            height = np.ptp(reference.box[frame, b, 1::2])
            shifts.append(100 * np.linalg.norm(apart[seen], axis=1) / height)
    shift = np.concatenate(shifts)
    return {
        "iou_mean": float(np.mean(overlaps)),
        "iou_p5": float(np.quantile(overlaps, 0.05)),
        "shift_median_pct": float(np.median(shift)),
        "shift_p95_pct": float(np.quantile(shift, 0.95)),
        "missed": missed,
        "extra": extra,
    }


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) of boxes (n, 4) and (m, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = (high - low).clip(0).prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b)]
    return common / (areas[0][:, None] + areas[1][None] - common)


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
                        *(f"{r[k]:.2f}" for k in ("shift_median_pct", "shift_p95_pct")),
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
