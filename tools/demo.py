"""The demonstration on a machine with nothing but this project: python -m tools.demo

Films the procedural athlete squatting, analyses the video as `mmpose-service demo` does, and holds
what was measured against what was filmed.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from serve_app.commands.demo import show
from serve_app.schemas import PoseData
from tools.athlete.clip import Take, Truth, film
from tools.athlete.motion import Style
from tools.score import score

SQUAT = Take(
    movement="squat",
    style=Style(period_s=2.0, depth=0.9, wide=8.0),
    view=60.0,
    seconds=6.0,
    size=(720, 720),
    seed=12,
)


@click.command(help=__doc__)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
)
def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    video = out / "squat.mp4"
    truth = film(SQUAT, video)
    data = show(video, out)
    Console().print(against(truth, data))


def against(truth: Truth, data: PoseData) -> Table:
    """True and measured joint angles side by side."""
    table = Table(
        *("joint angle", "filmed", "measured in", "mean error", "worst of 95 %", "in the interval"),
        title="filmed against measured, degrees",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, angle in score(truth, data).angles.items():
        true = truth.angle(name)
        row = [f"{true.min():.0f} to {true.max():.0f}", f"{100 * angle.measured:.0f} %"]
        if len(angle.errors):
            row += [f"{angle.mae:.1f}", f"{np.percentile(np.abs(angle.errors), 95):.1f}"]
            row += [f"{100 * angle.coverage:.0f} %"]
        table.add_row(name, *row)
    return table


if __name__ == "__main__":
    main()
