"""Draw a whole result as one picture: frames of the annotated video over curves of the angles."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from biomech.joints import JOINT_ANGLES
from biomech.skeleton import split_side
from deployments.side_colors import SIDE_RGB, hexadecimal
from serve_app.results.response_schema import Box, FramePose, PoseResponse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PICTURES = 7
_MARGIN = 0.25  # around the box, of its longer side
COLORS = {side: hexadecimal(rgb) for side, rgb in SIDE_RGB.items()}  # of the annotated video
_JOINTS = tuple(dict.fromkeys(split_side(name)[1] for name in JOINT_ANGLES))
_DPI = 110


def write_sheet(response: PoseResponse, video: Path, out: Path, title: str) -> None:
    """Draw the contact sheet of ``response`` as a PNG.

    Args:
        response: with data.
        video: its annotated video.
        out: file to write. title: first line.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if response.data is None:
        raise ValueError("the response has no data")
    frames = response.data.poses_per_frame
    times = np.array([frame.frame_info.timestamp for frame in frames])
    info = response.data.processing_summary.video_info
    found = pictures_of(video, _spread(frames), (info.width, info.height))

    figure = Figure(figsize=(16, 10), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=14)
    grid = figure.add_gridspec(
        1 + len(_JOINTS), max(len(found), 1), height_ratios=[2.2] + [1] * len(_JOINTS)
    )
    for column, (index, picture) in enumerate(found):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(picture)
        axes.set_title(f"{times[index]:.2f} s", fontsize=10)
        axes.set_axis_off()
    for row, joint in enumerate(_JOINTS, 1):
        axes = figure.add_subplot(grid[row, :])
        draw_joint(axes, joint, times, frames)
        for index, _ in found:
            axes.axvline(times[index], color="0.8", linewidth=0.8, zorder=0)
        if row == 1:
            axes.legend(loc="lower right", fontsize=9, frameon=False, ncols=2)
    axes.set_xlabel("seconds")
    figure.savefig(out, format="png")


def angle_values(frames: list[FramePose], name: str) -> NDArray[np.float64]:
    """Return joint angle ``name`` (f,) of the primary person, degrees, NaN where null."""
    values = [frame.biomechanics.joint_angles.get(name) for frame in frames]
    return np.array([np.nan if v is None else v for v in values], np.float64)


def draw_joint(
    axes: "Axes", joint: str, times: NDArray[np.float64], frames: list[FramePose]
) -> None:
    """Draw the angles of a joint on either side over ``times`` (f,), intervals shaded."""
    for side, color in COLORS.items():
        name = f"{side}_{joint}"
        low, high = _interval(frames, name)
        axes.fill_between(times, low, high, color=color, alpha=0.2, linewidth=0)
        # Points too: a measured frame between two that are not has no line.
        axes.plot(
            times,
            angle_values(frames, name),
            ".-",
            color=color,
            markersize=3,
            linewidth=1.2,
            label=f"{side}, nominal 95 % interval shaded",
        )
    axes.set_ylabel(f"{joint} (deg)")
    axes.set_xlim(times[0], max(times[-1], times[0] + 1e-3))
    axes.set_ylim(0, 185)
    axes.set_yticks([0, 45, 90, 135, 180])
    axes.grid(axis="y", color="0.92")
    axes.spines[["top", "right"]].set_visible(False)


def _interval(
    frames: list[FramePose], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = [frame.biomechanics.interval(name) for frame in frames]
    pairs = np.array([pair or (np.nan, np.nan) for pair in found], np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _spread(frames: list[FramePose]) -> dict[int, Box | None]:
    """Choose frames evenly from those with a pose; return them with the person's box."""
    posed = [i for i, frame in enumerate(frames) if frame.pose] or list(range(len(frames)))
    places = np.linspace(0, len(posed) - 1, _PICTURES + 2).round().astype(int)[1:-1]
    chosen = sorted({posed[place] for place in places.tolist()})
    return {i: pose.box if (pose := frames[i].pose) else None for i in chosen}


def pictures_of(
    video: Path, wanted: Mapping[int, Box | None], size: tuple[int, int]
) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return frames of a video by index, RGB, each cut to the person in it.

    Args:
        video: an MP4. wanted: box of the person by index of the frame.
        size: (width, height) of the picture that the boxes are of; the video may be smaller.
    """
    import av

    found = []
    last = max(wanted, default=-1)
    with av.open(str(video), format="mp4") as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i in wanted:
                picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                found.append((i, _cut(picture, wanted[i], picture.shape[1] / size[0])))
            if i >= last:
                break
    return found


def _cut(picture: NDArray[np.uint8], box: Box | None, scale: float) -> NDArray[np.uint8]:
    """Cut an upright part of a picture around a box, 3 by 4, as far as the picture reaches.

    ``scale`` is pixels of the picture for one of the box.
    """
    if box is None:
        return picture
    half = scale * max((box.x2 - box.x1) / 3 * 4, box.y2 - box.y1) * (0.5 + _MARGIN)
    x, y = scale * (box.x1 + box.x2) / 2, scale * (box.y1 + box.y2) / 2
    left, top = (max(round(v), 0) for v in (x - 0.75 * half, y - half))
    return picture[top : max(round(y + half), 1), left : max(round(x + 0.75 * half), 1)]
