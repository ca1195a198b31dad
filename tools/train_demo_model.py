"""Train the demonstration models: python -m tools.train_demo_model [STEP...]

Steps, in this order by default: render, pose, detector, export. Each goes on where it was stopped:
pictures are rendered in shards, trainings are saved after each epoch.
"""

import logging
import warnings
from pathlib import Path

import click

from serve_app.settings import ROOT
from tools.training.data import HELD_OUT, render

TARGET = ROOT / "deployments" / "pose" / "demonstration"
POSE_FILE = "rtmpose-t_synthetic-athlete_256x192.pth"
DETECTOR_FILE = "rtmdet-nano_synthetic-athlete_320.pth"
STEPS = ("render", "pose", "detector", "export")


@click.command(help=__doc__)
@click.argument("steps", nargs=-1, type=click.Choice(STEPS))
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / "out" / "training")
@click.option("--portraits", default=40_000, show_default=True, help="Pictures for RTMPose-t.")
@click.option("--groups", default=20_000, show_default=True, help="Pictures for RTMDet-nano.")
@click.option("--pose-epochs", default=5, show_default=True)
@click.option("--detector-epochs", default=2, show_default=True)
def main(
    steps: tuple[str, ...],
    work: Path,
    portraits: int,
    groups: int,
    pose_epochs: int,
    detector_epochs: int,
) -> None:
    for step in steps or STEPS:
        if step == "render":
            render("portrait", portraits, work / "portraits")
            render("portrait", 1000, work / "portraits_held_out", first=HELD_OUT)
            render("group", groups, work / "groups")
            render("group", 500, work / "groups_held_out", first=HELD_OUT)
        elif step == "pose":
            _train_pose(work, pose_epochs)
        elif step == "detector":
            _train_detector(work, detector_epochs)
        else:
            _export(work)


def _train_pose(work: Path, epochs: int) -> None:
    from tools.training import common, pose

    common.train(
        lambda: pose.config(work / "portraits", work / "portraits_held_out", work / "pose", epochs),
        "mmpose",
    )


def _train_detector(work: Path, epochs: int) -> None:
    from tools.training import common, detector

    common.train(
        lambda: detector.config(
            work / "groups", work / "groups_held_out", work / "detector", epochs
        ),
        "mmdet",
    )


def _export(work: Path) -> None:
    from tools.training.export import export

    for folder, name, config in (
        (work / "pose", POSE_FILE, "rtmpose-t_8xb256-420e_aic-coco-256x192"),
        (work / "detector", DETECTOR_FILE, "rtmdet_nano_320-8xb32_coco-person"),
    ):
        last = Path((folder / "last_checkpoint").read_text().strip())
        meta = {
            "config": config,
            "data": "procedural athlete of tools/athlete",
            "licence": "Apache-2.0",
        }
        digest = export(last, TARGET / name, meta)
        click.echo(f"{name}: {(TARGET / name).stat().st_size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger().setLevel(logging.WARNING)
    main()
