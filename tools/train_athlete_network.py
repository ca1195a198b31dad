"""Train the network of the synthetic athlete: python -m tools.train_athlete_network [STEP...]

Steps, in this order by default: render, pose, export. Each goes on where it was stopped: pictures
are rendered in shards, the training is saved after each epoch.
"""

import logging
import warnings
from functools import partial
from pathlib import Path

import click

from serve_app.setting_types import ROOT
from tools.athlete.trained_network import CHECKPOINT
from tools.training.data import HELD_OUT, render

STEPS = ("render", "pose", "export")


@click.command(help=__doc__)
@click.argument("steps", nargs=-1, type=click.Choice(STEPS))
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / "out" / "training")
@click.option("--pictures", default=60_000, show_default=True)
def main(steps: tuple[str, ...], work: Path, pictures: int) -> None:
    chosen = steps or STEPS
    train, held_out = work / "portraits", work / "portraits_held_out"
    if "render" in chosen:
        render(pictures, train)
        render(pictures // 40, held_out, first=HELD_OUT)
    if "pose" in chosen:
        from tools.training import pose, runner

        runner.train(partial(pose.config, train, held_out, work / "pose"))
    if "export" in chosen:
        _export(Path((work / "pose" / "last_checkpoint").read_text().strip()))


def _export(checkpoint: Path) -> None:
    from tools.training.checkpoint_export import export

    meta = {
        "config": "rtmpose-t_8xb256-420e_aic-coco-256x192",
        "data": "procedural athlete of tools/athlete",
        "licence": "Apache-2.0",
    }
    digest = export(checkpoint, CHECKPOINT, meta)
    size = CHECKPOINT.stat().st_size
    click.echo(f"{CHECKPOINT.name}: {size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger().setLevel(logging.WARNING)
    main()
