"""The demonstration on a machine with nothing but this project: python -m tools.demo

Films the procedural athlete squatting, starts the graph, sends it the film by HTTP and holds what
was measured against what was filmed.
"""

import tempfile
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from serve_app.client import PoseClient
from serve_app.commands.analyze import Formats, write_results
from serve_app.commands.demo import show
from serve_app.schemas import PoseData
from tools.athlete.clip import Take, Truth, film
from tools.athlete.motion import Style
from tools.score import score
from tools.serving import serving

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
    console, video = Console(), out / "squat.mp4"
    with console.status("filming a squat"):
        truth = film(SQUAT, video)
    annotated = out / "squat.annotated.mp4"
    with (
        console.status("starting the graph") as status,
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as graph,
        PoseClient(graph.url) as client,
    ):
        status.update("finding poses and drawing them")
        response = client.analyze(video)
        client.download(response, annotated)
    response.video_url = annotated.resolve().as_uri()
    write_results(response, out / "squat", Formats(csv=True))
    for notice in response.warnings:
        console.print(notice.detail, style="bold yellow")
    show(response, video.name, out / "squat")
    if response.data is None:
        raise AssertionError("data was asked for")
    console.print(against(truth, response.data))


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
