"""Train the demonstration model: python -m tools.train_demo_model [STEP...]

Steps, in this order by default: render, pose, tune, tune_legs, tune_lunges, export. Each goes on
where it was stopped: pictures are rendered in shards, a training is saved after each epoch.
"""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from serve_app.settings import ROOT
from tools.athlete.sample import OFTEN, WILD
from tools.training.data import HELD_OUT, render

TARGET = ROOT / "deployments" / "pose" / "demonstration"
POSE_FILE = "rtmpose-t_synthetic-athlete_256x192.pth"
_FEW = 0.1


@dataclass(frozen=True, slots=True)
class Training:
    """One of those that follow each other, each from the weights of the one before.

    Attributes:
        name: of its step, and of the folder of its checkpoints.
        pictures: folder of its pictures; those that are held out are beside it.
        first: seed of the first picture.
        wild_share, often: see :func:`tools.athlete.sample.portrait`.
    """

    name: str
    pictures: str
    epochs: int
    first: int
    wild_share: float
    often: Mapping[str, float]


TRAININGS = (
    Training("pose", "portraits", 4, 0, WILD, OFTEN),
    Training("tune", "as_filmed", 5, 1_000_000, _FEW, OFTEN),
    Training("tune_legs", "legs", 3, 2_000_000, _FEW, {"lunge": 6, "gait": 2, "run": 4}),
    Training("tune_lunges", "lunges", 2, 3_000_000, _FEW, {"lunge": 12, "gait": 2, "run": 3}),
)
STEPS = ("render", *(training.name for training in TRAININGS), "export")


@click.command(help=__doc__)
@click.argument("steps", nargs=-1, type=click.Choice(STEPS))
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / "out" / "training")
@click.option("--pictures", default=40_000, show_default=True, help="Of each training.")
def main(steps: tuple[str, ...], work: Path, pictures: int) -> None:
    chosen = steps or STEPS
    if "render" in chosen:
        for training in TRAININGS:
            _render(training, work, pictures)
    start = None
    for training in TRAININGS:
        if training.name in chosen:
            _train(training, work, start)
        start = work / training.name
    if "export" in chosen:
        _export(work / TRAININGS[-1].name)


def _render(training: Training, work: Path, pictures: int) -> None:
    for folder, first, count in (
        (training.pictures, training.first, pictures),
        (_held_out(training), HELD_OUT + training.first, pictures // 40),
    ):
        render(
            count,
            work / folder,
            first=first,
            wild_share=training.wild_share,
            often=training.often,
        )


def _train(training: Training, work: Path, start: Path | None) -> None:
    from tools.training import common, pose

    common.train(
        partial(
            pose.config,
            work / training.pictures,
            work / _held_out(training),
            work / training.name,
            training.epochs,
            start and _last(start),
        )
    )


def _held_out(training: Training) -> str:
    return f"{training.pictures}_held_out"


def _last(folder: Path) -> Path:
    """The last checkpoint of a training."""
    return Path((folder / "last_checkpoint").read_text().strip())


def _export(folder: Path) -> None:
    from tools.training.export import export

    meta = {
        "config": "rtmpose-t_8xb256-420e_aic-coco-256x192",
        "data": "procedural athlete of tools/athlete",
        "licence": "Apache-2.0",
    }
    digest = export(_last(folder), TARGET / POSE_FILE, meta)
    size = (TARGET / POSE_FILE).stat().st_size
    click.echo(f"{POSE_FILE}: {size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger().setLevel(logging.WARNING)
    main()
