"""What the demonstration models can do, as a table: python -m tools.report_demo_model

On films of the athlete with bodies, clothes and places that they were not trained on, and, where
the shared photographs and videos are, on real people, for whom they are not made.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from deployments.pose.evaluate import evaluate, find_coco
from serve_app.local import local_service
from serve_app.models import plan_models
from serve_app.schemas import PoseData, PoseOptions
from serve_app.service import PoseService
from serve_app.settings import ROOT, load_settings
from tools.athlete.clip import Take, film
from tools.athlete.motion import MOVEMENTS, Style
from tools.score import Score, points_of, score

POSE, DETECTOR = "rtmpose_tiny_demonstration", "whole_frame_demonstration"
VIEWS = {"front": 0.0, "oblique": 45.0, "left": 90.0, "right": -90.0, "behind": 180.0}
_FIRST_SEED = 800_000
_PERIOD_S = 1.6


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
        answer = asyncio.run(service.analyze_file(video, folder, options, "report"))
    if answer.data is None:
        raise AssertionError("data was asked for")
    return answer.data


def on_films(console: Console, clips: int) -> None:
    """Every movement from every side, ``clips`` bodies each."""
    table = Table(
        "movement", "PCK@0.05", "knee MAE", "elbow MAE", "shoulder MAE", "95 % hold", "counted"
    )
    everything: list[tuple[Score, bool]] = []
    seed = _FIRST_SEED
    with demonstration(pose_model=POSE, detector=DETECTOR) as service, _file() as path:
        for movement in MOVEMENTS:
            scores = []
            for view in VIEWS.values():
                for _ in range(clips):
                    seed += 1
                    style = Style.sample(np.random.default_rng(seed))
                    style = replace(style, heading=0.0, period_s=_PERIOD_S)
                    take = Take(movement, style, view, 3 * _PERIOD_S, treadmill=True, seed=seed)
                    take = replace(take, size=(480, 540))
                    truth, data = film(take, path), analyse(service, path)
                    counts = [len(person.reps) for person in data.biomechanics_summary]
                    scores.append((score(truth, data), counts == [truth.repetitions]))
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


def _row(scored: list[tuple[Score, bool]]) -> list[str]:
    scores = [s for s, _ in scored]
    held = np.concatenate([angle.held for s in scores for angle in s.angles.values()])
    return [
        f"{100 * np.mean([s.pck for s in scores]):.1f} %",
        *(
            f"{np.nanmean([s.mae(joint) for s in scores]):.2f} deg"
            for joint in ("knee", "elbow", "shoulder")
        ),
        f"{100 * held.mean():.0f} %",
        f"{sum(exact for _, exact in scored)} of {len(scored)}",
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
