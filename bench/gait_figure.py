"""Picture of the knees of somebody who walks: both sides, intervals and steps.

mmpose-service analyze --no-video --out out shared/videos/sports2d_demo.mp4
python -m bench.gait_figure out/sports2d_demo.json docs/biomechanics/gait.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from biomech.records.event_records import GaitRecord
from biomech.records.person_record import PersonSummary
from serve_app.report.contact_sheet import COLORS, draw_joint
from serve_app.results.response_schema import PoseResponse

_AROUND_S = 0.3


def draw(response: PoseResponse, out: Path) -> None:
    """Write the picture of the primary person's knees.

    Raises:
        ValueError: the response has no walk.
    """
    people = response.data.biomechanics_summary if response.data else []
    gait = people[0].gait if people else None
    if response.data is None or gait is None:
        raise ValueError("nobody walks in this response")
    frames = response.data.poses_per_frame
    figure, axes = plt.subplots(figsize=(11, 4), layout="constrained")
    draw_joint(axes, "knee", np.array([f.frame_info.timestamp for f in frames]), frames)
    _mark_steps(axes, gait)
    axes.set_title(_title(people[0], gait), fontsize=10)
    axes.set_ylabel("knee, 180 straight (deg)")
    axes.set_xlabel("seconds")
    axes.legend(loc="lower left", fontsize=8, frameon=False, ncols=4)
    figure.savefig(out, dpi=110)
    plt.close(figure)


def _mark_steps(axes: plt.Axes, gait: GaitRecord) -> None:
    told = set()
    for event in gait.events:
        kind = f"{event.side} {event.kind.replace('_', '-')}"
        axes.axvline(
            event.t_s,
            color=COLORS[event.side],
            linestyle="-" if event.kind == "contact" else ":",
            linewidth=1,
            label=None if kind in told else kind,
        )
        told.add(kind)
    axes.set_xlim(gait.bouts[0].t_start_s - _AROUND_S, gait.bouts[-1].t_end_s + _AROUND_S)
    axes.set_ylim(45, 185)
    axes.set_yticks(range(60, 181, 30))


def _title(person: PersonSummary, gait: GaitRecord) -> str:
    cutoff_hz = person.filter.cutoff_hz if person.filter else None
    return (
        f"{gait.steps} steps, {gait.cadence_per_min:.0f} a minute; {person.model}, "
        f"view {person.view}, filter {cutoff_hz:g} Hz"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read a saved response and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("response", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    draw(PoseResponse.model_validate_json(options.response.read_bytes()), options.out)


if __name__ == "__main__":
    main()
