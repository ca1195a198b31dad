"""Train the demonstration model: python -m tools.train_demo_model [STEP...]

Steps, in this order by default: render, pose, tune, export. Each goes on where it was stopped:
pictures are rendered in shards, the training is saved after each epoch.
"""

import logging
import warnings
from pathlib import Path

import click

from serve_app.settings import ROOT
from tools.training.data import HELD_OUT, render

TARGET = ROOT / "deployments" / "pose" / "demonstration"
POSE_FILE = "rtmpose-t_synthetic-athlete_256x192.pth"
STEPS = ("render", "pose", "tune", "export")
AS_FILMED = 1_000_000
"""First seed of the pictures of the second training, few of which are wild."""
_FEW = 0.1


@click.command(help=__doc__)
@click.argument("steps", nargs=-1, type=click.Choice(STEPS))
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / "out" / "training")
@click.option("--pictures", default=40_000, show_default=True, help="Of each training.")
@click.option("--epochs", default=4, show_default=True, help="Of the first training.")
@click.option("--tuning-epochs", default=5, show_default=True, help="Of the second.")
def main(
    steps: tuple[str, ...], work: Path, pictures: int, epochs: int, tuning_epochs: int
) -> None:
    for step in steps or STEPS:
        if step == "render":
            render(pictures, work / "portraits")
            render(1000, work / "portraits_held_out", first=HELD_OUT)
            few = {"wild_share": _FEW}
            render(pictures, work / "as_filmed", first=AS_FILMED, **few)
            render(1000, work / "as_filmed_held_out", first=HELD_OUT + AS_FILMED, **few)
        elif step == "pose":
            _train(work, "pose", "portraits", epochs)
        elif step == "tune":
            _train(work, "tune", "as_filmed", tuning_epochs, start=_last(work / "pose"))
        else:
            _export(work)


def _train(work: Path, to: str, pictures: str, epochs: int, start: Path | None = None) -> None:
    from tools.training import common, pose

    train, held_out = work / pictures, work / f"{pictures}_held_out"
    common.train(lambda: pose.config(train, held_out, work / to, epochs, start=start))


def _last(folder: Path) -> Path:
    """The last checkpoint of a training."""
    return Path((folder / "last_checkpoint").read_text().strip())


def _export(work: Path) -> None:
    from tools.training.export import export

    meta = {
        "config": "rtmpose-t_8xb256-420e_aic-coco-256x192",
        "data": "procedural athlete of tools/athlete",
        "licence": "Apache-2.0",
    }
    digest = export(_last(work / "tune"), TARGET / POSE_FILE, meta)
    size = (TARGET / POSE_FILE).stat().st_size
    click.echo(f"{POSE_FILE}: {size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger().setLevel(logging.WARNING)
    main()
