"""The comparison with peers as one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

OURS, THEIRS = "#0072b2", "#999999"


def picture(rows: Sequence[Mapping[str, Any]], path: Path, caption: str) -> None:
    """Bars of the median wall time, one panel a video and output; whiskers from least to most."""
    panels: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["runs"]:
            panels.setdefault((row["video"], row["annotated"]), []).append(row)
    if not panels:
        return
    heights = [len(panel) for panel in panels.values()]
    figure, axes = plt.subplots(
        len(panels),
        figsize=(9, 0.32 * sum(heights) + 0.9 * len(panels) + 0.6),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for axis, ((video, annotated), panel) in zip(axes[:, 0], panels.items(), strict=True):
        panel.sort(key=lambda row: -median(r["wall_s"] for r in row["runs"]))
        for place, row in enumerate(panel):
            walls = [r["wall_s"] for r in row["runs"]]
            middle = median(walls)
            color = OURS if row["peer"].startswith("ours") else THEIRS
            axis.barh(
                place,
                middle,
                xerr=[[middle - min(walls)], [max(walls) - middle]],
                color=color,
                ecolor="black",
            )
            axis.text(max(walls), place, f" {middle:.1f} s", va="center", fontsize=8)
        axis.set_yticks(range(len(panel)), [f"{r['peer']} · {r['weights']}" for r in panel])
        axis.tick_params(labelsize=8)
        axis.set_xlim(0, max(r["wall_s"] for row in panel for r in row["runs"]) * 1.12)
        what = "with annotated video" if annotated else "without annotated video"
        axis.set_title(f"{video}, {what}", fontsize=9, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel(f"seconds of work, median; {caption}", fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)
