"""What the demonstration models can do, as a table: python -m tools.report_demo_model

On films of the athlete with bodies, clothes and places that they were not trained on, and, where
the shared photographs and videos are, on real people, for whom they are not made.
"""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from deployments.pose.evaluate import evaluate, find_coco
from serve_app.awaited import awaited
from serve_app.local import local_service
from serve_app.models import plan_models
from serve_app.schemas import PoseData, PoseOptions
from serve_app.service import PoseService
from serve_app.settings import ROOT, load_settings
from tools.athlete.clip import Take, film
from tools.athlete.motion import MOVEMENTS, Style, period_s
from tools.score import Score, counted, points_of, score

POSE, DETECTOR = "rtmpose_tiny_demonstration", "whole_frame_demonstration"
VIEWS = {"front": 0.0, "oblique": 45.0, "left": 90.0, "right": -90.0, "behind": 180.0}
_FIRST_SEED = 800_000
_PERIOD_S = 1.6
_ABOUT_S = 4.8
_FPS = 30


@dataclass(frozen=True, slots=True)
class Scored:
    """One film: how well it was told, repetitions of each person, and how many there are."""

    score: Score
    counts: list[int | None]
    repetitions: int

    @property
    def told(self) -> bool:
        """Whether there is anything to count by."""
        return self.counts != [None]

    @property
    def exact(self) -> bool:
        """Whether one person did just those that were filmed."""
        return self.counts == [self.repetitions]


@contextmanager
def demonstration(**settings: object) -> Iterator[PoseService]:
    """The service on the demonstration models, results in a folder that goes."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = {"output": f"{folder}/videos", "spool_dir": f"{folder}/spool", **settings}
        with local_service(load_settings(chosen)) as service:
            yield service


def analyse(service: PoseService, video: Path) -> PoseData:
    """The data of a video."""
    with service.workspace() as folder:
        options = PoseOptions(video=False)
        answer = awaited(service.analyze_file(video, folder, options, "report")).response()
    if answer.data is None:
        raise AssertionError("data was asked for")
    return answer.data


def on_films(console: Console, clips: int) -> None:
    """Every movement from every side, ``clips`` bodies each."""
    table = Table(
        "movement", "PCK@0.05", "knee MAE", "elbow MAE", "shoulder MAE", "95 % hold", "counted"
    )
    everything: list[Scored] = []
    seed = _FIRST_SEED
    with demonstration(pose_model=POSE, detector=DETECTOR) as service, _file() as path:
        for movement in MOVEMENTS:
            scores = []
            for view in VIEWS.values():
                for _ in range(clips):
                    seed += 1
                    truth = film(_take(movement, view, seed), path)
                    data = analyse(service, path)
                    counts = [counted(movement, person) for person in data.biomechanics_summary]
                    scores.append(Scored(score(truth, data), counts, truth.repetitions))
            everything += scores
            table.add_row(movement, *_row(scores))
    table.add_row("all", *_row(everything))
    console.print(table)


def on_people(console: Console, shared: Path) -> None:
    """AP on the photographs, and distance to what the shared stand-in sees in the video."""
    plan = plan_models(load_settings({"pose_model": POSE}))
    annotations, images = find_coco(shared / "images")
    model = plan.choices["rtmpose"].load(plan.search, plan.options)
    result = evaluate(annotations, images, model)  # type: ignore[arg-type]
    console.print(
        f"photographs, labelled boxes: AP {result.ap:.3f}, AP50 {result.ap50:.3f} "
        f"({result.people} people in {result.images} pictures)"
    )
    video = shared / "videos" / "sports2d_demo.mp4"
    with demonstration(detector="rtmdet_nano_onnx") as service:
        theirs = analyse(service, video)
    with demonstration(detector="rtmdet_nano_onnx", pose_model=POSE) as service:
        ours = analyse(service, video)
    apart = np.linalg.norm(
        points_of(ours.poses_per_frame) - points_of(theirs.poses_per_frame), axis=2
    )
    heights = np.array(
        [
            np.nan if f.pose is None else f.pose.box.y2 - f.pose.box.y1
            for f in theirs.poses_per_frame
        ]
    )
    share = apart / heights[:, None]
    console.print(
        f"{video.name}, boxes by the real detector: median distance to the stand-in's points "
        f"{100 * np.nanmedian(share):.1f} % of the box's height, "
        f"{100 * np.nanmean(share < 0.05):.0f} % of the points within 5 %"
    )


def _take(movement: str, view: float, seed: int) -> Take:
    """Whole repetitions or strides; no foot touches the ground near the beginning or the end."""
    style = Style.sample(np.random.default_rng(seed))
    style = replace(style, heading=0.0, period_s=_PERIOD_S)
    period = period_s(movement, style)
    return Take(
        movement,
        style,
        view,
        math.ceil(round(_ABOUT_S / period) * period * _FPS - 1e-6) / _FPS,
        fps=_FPS,
        size=(480, 540),
        seed=seed,
        treadmill=True,
    )


def _row(scored: list[Scored]) -> list[str]:
    scores = [s.score for s in scored]
    held = np.concatenate([angle.held for s in scores for angle in s.angles.values()])
    return [
        f"{100 * np.mean([s.pck for s in scores]):.1f} %",
        *(
            f"{np.nanmean([s.mae(joint) for s in scores]):.2f} deg"
            for joint in ("knee", "elbow", "shoulder")
        ),
        f"{100 * held.mean():.0f} %",
        f"{sum(s.exact for s in scored)} of {sum(s.told for s in scored)}",
    ]


@contextmanager
def _file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "film.mp4"


@click.command(help=__doc__)
@click.option("--clips", default=1, show_default=True, help="Films of each movement and view.")
def main(clips: int) -> None:
    console = Console(width=110)
    on_films(console, clips)
    shared = next((f for f in (ROOT / "shared", ROOT.parent / "shared") if f.is_dir()), None)
    if shared is None:
        console.print("no shared photographs and videos here")
    else:
        on_people(console, shared)


if __name__ == "__main__":
    main()
