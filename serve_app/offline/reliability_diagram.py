"""Draw how reliable confidences and intervals are, before and after calibration."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy

from biomech.skeleton import KEYPOINTS
from deployments.messages import F64, Bools
from deployments.pose.offline.calibration_fit import Fitted, confidence_of, reliability, usable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BEFORE: Final = "#999999"
_AFTER: Final = "#0072B2"
_DPI: Final = 110
_LEVELS: Final = np.linspace(0.05, 0.99, 48)


def draw_reliability(fitted: Fitted, path: Path) -> None:
    """Draw what the held-out pictures show as a PNG: confidence and, on the right, intervals.

    A model whose numbers mean what they say lies on the diagonals.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    calibration, held = fitted.calibration, fitted.held_out
    told = calibration.held_out
    figure = Figure(figsize=(11, 5.2), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"{calibration.checkpoint} on {told.points} labelled keypoints of {told.images} pictures "
        "held out"
    )
    left, right = figure.subplots(1, 2)
    _diagonal(left, "confidence", "share of keypoints that are right")
    raw = np.clip(held.raw_score, 0.0, 1.0)
    _draw_confidence(
        left, raw, held.right, _BEFORE, f"raw score, off by {told.confidence_error_before:.3f}"
    )
    _draw_confidence(
        left,
        confidence_of(held, calibration.confidence),
        held.right,
        _AFTER,
        f"calibrated, off by {told.confidence_error_after:.3f}",
    )
    _diagonal(right, "central interval", "share of coordinates inside")
    factor = np.array([calibration.sigma_scale[name] for name in KEYPOINTS])
    used = usable(held, calibration.confidence, calibration.min_confidence)
    for scale, color, name, found in (
        (1.0, _BEFORE, "as the model says", told.before),
        (factor[used.kind, None], _AFTER, "calibrated", told.after),
    ):
        z = np.sort((used.deviations / scale).ravel())
        inside = np.searchsorted(z, scipy.stats.norm.ppf(0.5 + _LEVELS / 2.0)) / max(len(z), 1)
        label = f"{name}: 68 % holds {found.within_68:.0%}, 95 % holds {found.within_95:.0%}"
        right.plot(_LEVELS, inside, color=color, label=label)
    for axes in (left, right):
        axes.legend(loc="upper left", frameon=False, fontsize=9)
    figure.savefig(path, format="png")


def _draw_confidence(axes: "Axes", confidence: F64, right: Bools, color: str, label: str) -> None:
    bins = list(reliability(confidence, right))
    axes.plot([b[0] for b in bins], [b[1] for b in bins], "o-", color=color, label=label)


def _diagonal(axes: "Axes", across: str, up: str) -> None:
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
    axes.set(xlabel=across, ylabel=up, xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)
