"""The demonstration on a machine with nothing but this project: python -m tools.demo

Films the procedural athlete squatting, analyses the video as `mmpose-service demo` does, and holds
what was measured against what was filmed.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from biomech.skeleton import JOINT_ANGLES
from serve_app.commands.demo import show
from serve_app.schemas import PoseData
from serve_app.sheet import angle_values
from tools.athlete.clip import Take, Truth, film
from tools.athlete.motion import Style

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
        "joint angle", "true", "measured", "mean error", "95 % of errors under", "in the interval",
        title="filmed against measured, degrees (least to greatest)",
    )  # fmt: skip
    for column in table.columns[1:]:
        column.justify = "right"
    frames = data.poses_per_frame
    for name in JOINT_ANGLES:
        true, found = truth.angle(name), angle_values(frames, name)
        there = np.isfinite(found)
        if not there.any():
            table.add_row(name, _span(true), "nowhere", "", "", "")
            continue
        errors = np.abs(found - true)[there]
        intervals = [frame.biomechanics.detail.get("ci95", {}).get(name) for frame in frames]
        held = [
            pair[0] <= value <= pair[1] for value, pair in zip(true, intervals, strict=True) if pair
        ]
        table.add_row(
            name,
            _span(true),
            _span(found[there]),
            f"{errors.mean():.1f}",
            f"{np.percentile(errors, 95):.1f}",
            f"{100 * np.mean(held):.0f} %" if held else "",
        )
    return table


def _span(values: np.ndarray) -> str:  # type: ignore[type-arg]
    return f"{values.min():.0f} to {values.max():.0f}"


if __name__ == "__main__":
    main()
