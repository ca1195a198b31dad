"""Time of each stage and of the whole, per frame: `make bench`.

For other videos: python -m bench.stages VIDEO...

Each stage runs alone over the same video, on the engines that `mmpose-service analyze` would use;
then the whole, in which the stages overlap. CPU time is of the process with all its threads.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from bench.harness import CONSOLE, in_words, job_of, machine, shared_videos, stages_of, table
from deployments.annotated_video import EncodeOptions
from deployments.biomechanics.clip_analysis import analyze as analyze_biomechanics
from deployments.concurrency import run_async
from deployments.crops import crop_transforms
from deployments.decode.blur import blur_of
from deployments.decode.probe import probe
from deployments.decode.segments import split
from deployments.media.picture import Picture
from deployments.media.reader import read
from deployments.messages import AnalysisOptions, CropPoses, MediaInfo, Segment
from deployments.render.render import render_segment
from deployments.roles import ModelRole
from serve_app.local import LocalStages
from serve_app.pipeline import Outcome, overlay_of, run
from serve_app.results.response_schema import PoseOptions
from serve_app.results.response_writer import Answer

# Seconds for sports2d_demo.mp4 on a machine of two cores, with the same two ONNX networks where the
# peer can run them: shared/reference/sports2d/README.md. Measured elsewhere, hence no ratios here.
PEERS = {
    "rtmlib 0.0.16, every 4th frame detected, video as mp4v": 13.5,
    "Sports2D 0.8.34, default filters, with video": 32.4,
    "MMPoseInferencer, RTMPose-m, every frame detected, no video": 36.0,
}


@dataclass(frozen=True)
class Cost:
    """Times of one stage over a whole video."""

    stage: str
    wall_s: float
    cpu_s: float
    frames: int

    @property
    def wall_ms(self) -> float:
        return 1000 * self.wall_s / self.frames

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_s / self.frames


class Meter:
    """Collects the costs of stages."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self.costs: list[Cost] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.costs.append(
            Cost(name, time.perf_counter() - wall, time.process_time() - cpu, self._frames)
        )


def measure(
    path: Path, stages: LocalStages, options: AnalysisOptions
) -> tuple[list[Cost], Outcome]:
    """Costs of the stages and of the whole for one video."""
    media = run_async(stages.probe(path))
    meter = Meter(media.frame_count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = job_of(path, folder, options, annotated=True)
        run_async(run(job, stages))  # warm
        with meter.stage("whole, with video"):
            outcome = run_async(run(job, stages))
        with meter.stage("whole, without video"):
            run_async(run(replace(job, video=False), stages))
        _alone(meter, outcome, stages, options, folder)
    return meter.costs, outcome


def _alone(
    meter: Meter, outcome: Outcome, stages: LocalStages, options: AnalysisOptions, folder: Path
) -> None:
    """Each stage by itself, one call after another."""
    media, clip = outcome.media, outcome.clip
    segments = split(media, options.detector_stride)
    with meter.stage("probe"):
        probe(media.path, stages.limits)
    with meter.stage("decode"):
        for segment in segments:
            for _ in read(segment):
                pass

    thumbnails, crops = [], []
    with meter.stage("decode + letterbox"):
        for picture in _pictures(segments):
            if picture.index % options.detector_stride == 0:
                thumbnails.append(picture.letterbox(options.detector_input)[0])
    detector = stages.engine(ModelRole.DETECTOR)
    with meter.stage("detect"):
        detector.infer(np.stack(thumbnails))

    rows = [row[row >= 0] for row in clip.row]
    with meter.stage("decode + crop"):
        for picture in _pictures(segments):
            boxes = clip.box[rows[picture.index]]
            for map_ in crop_transforms(boxes, options.pose_input):
                crops.append(picture.crop(map_, options.pose_input))
    pose = stages.engine(options.pose_models[0])
    with meter.stage(f"pose ({len(crops) / media.frame_count:.2f} people a frame)"):
        poses = [
            pose.infer(np.stack(crops[start : start + options.batch]))
            for start in range(0, len(crops), options.batch)
        ]
    with meter.stage("blur"):
        blur_of(np.stack(crops), CropPoses.concatenate(poses))
    with meter.stage("biomechanics"):
        biomechanics = analyze_biomechanics(clip, 0.3, max_people_in_frames=1)
    with meter.stage("answer"):
        models = {status.name: status for status in stages.statuses.values() if status.loaded}
        Answer(outcome, PoseOptions(), 0.3, models, "bench").body()
    seconds: dict[str, float] = {}
    parts = []
    with meter.stage("render: decode, draw, encode"):
        for segment in segments:
            overlay = overlay_of(segment, clip, biomechanics, 0.3)
            parts.append(render_segment(segment, overlay, folder, EncodeOptions()))
            for stage, s in parts[-1].timings_s.items():
                seconds[stage] = seconds.get(stage, 0.0) + s
    for stage in ("draw", "encode"):
        meter.costs.append(
            Cost(f"  of which {stage}", seconds[stage], float("nan"), media.frame_count)
        )
    with meter.stage("join"):
        run_async(stages.join(parts, media, folder, "stages.mp4"))


def _pictures(segments: Sequence[Segment]) -> Iterator[Picture]:
    for segment in segments:
        stop = segment.first_frame + len(segment.pts)
        yield from (picture for picture in read(segment) if picture.index < stop)


def _print(path: Path, costs: Sequence[Cost], media: MediaInfo) -> None:
    table(
        f"{path.name}: {media.width}x{media.height} {media.codec}, {media.frame_count} frames",
        ("stage", "wall ms a frame", "CPU ms a frame", "frames a second"),
        [
            (
                cost.stage,
                f"{cost.wall_ms:.1f}",
                "" if math.isnan(cost.cpu_ms) else f"{cost.cpu_ms:.1f}",
                f"{1000 / cost.wall_ms:.0f}",
            )
            for cost in costs
        ],
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path, default=shared_videos())
    parser.add_argument("--json", type=Path, help="also write the figures here")
    given = parser.parse_args()
    if not given.videos:
        parser.error("no video was given, and there is no shared/videos")
    facts = machine()
    CONSOLE.print(in_words(facts))
    figures = {}
    with tempfile.TemporaryDirectory() as out:
        stages, options = stages_of(Path(out))
        for role in (ModelRole.PRIMARY, ModelRole.DETECTOR):
            status = stages.statuses[role]
            CONSOLE.print(f"{role}: {status.name}, {status.engine} {status.precision}")
        for video in given.videos:
            costs, outcome = measure(video, stages, options)
            figures[video.name] = [asdict(cost) for cost in costs]
            _print(video, costs, outcome.media)
            if video.name == "sports2d_demo.mp4":
                whole = costs[0].wall_s
                CONSOLE.print(f"the whole with video: {whole:.1f} s. What peers took, elsewhere:")
                for peer, seconds in PEERS.items():
                    CONSOLE.print(f"  {seconds:5.1f} s  {peer}")
        stages.close()
    if given.json:
        given.json.write_text(json.dumps({"machine": facts, "videos": figures}, indent=1))


if __name__ == "__main__":
    main()
