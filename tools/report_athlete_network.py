"""Measure the network of the synthetic athlete: python -m tools.report_athlete_network

On films of the athlete with bodies, clothes and places that it was not trained on.
"""

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from deployments.concurrency import run_async
from serve_app.results.response_schema import PoseData, PoseOptions
from serve_app.service import PoseService
from tools.athlete.clip import Take, film
from tools.athlete.motion import MOVEMENTS, Style, period_s
from tools.athlete.trained_network import athlete_service
from tools.score import Score, counted, score

VIEWS = {"front": 0.0, "oblique": 45.0, "left": 90.0, "right": -90.0, "behind": 180.0}
_FIRST_SEED = 800_000
_PERIOD_S = 1.6
_ABOUT_S = 4.8
_FPS = 30


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one film, repetitions of each person, and their true number."""

    score: Score
    counts: list[int | None]
    repetitions: int

    @property
    def told(self) -> bool:
        """Return whether there is anything to count."""
        return self.counts != [None]

    @property
    def exact(self) -> bool:
        """Return whether one person did exactly the filmed repetitions."""
        return self.counts == [self.repetitions]


def analyze(service: PoseService, video: Path) -> PoseData:
    """The data of a video."""
    with service.workspace() as folder:
        options = PoseOptions(video=False)
        answer = run_async(service.analyze_file(video, folder, options, "report")).response()
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
    with tempfile.TemporaryDirectory() as folder, athlete_service(Path(folder)) as service:
        path = Path(folder) / "film.mp4"
        for movement in MOVEMENTS:
            scores = []
            for view in VIEWS.values():
                for _ in range(clips):
                    seed += 1
                    truth = film(_take(movement, view, seed), path)
                    data = analyze(service, path)
                    counts = [counted(movement, person) for person in data.biomechanics_summary]
                    scores.append(Scored(score(truth, data), counts, truth.repetitions))
            everything += scores
            table.add_row(movement, *_row(scores))
    table.add_row("all", *_row(everything))
    console.print(table)


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


@click.command(help=__doc__)
@click.option("--clips", default=1, show_default=True, help="Films of each movement and view.")
def main(clips: int) -> None:
    on_films(Console(width=110), clips)


if __name__ == "__main__":
    main()
