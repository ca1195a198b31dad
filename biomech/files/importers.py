"""Read keypoint files of other tools as tracks: `.trc`, CSV and COCO's JSON."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from biomech.files import FileError
from biomech.kinematics.geometry import Array
from biomech.skeleton import INDEX, KEYPOINTS
from biomech.track import MARGIN_PX, Track

_PX_PER_UNIT: Final[Mapping[str, float]] = {"px": 1.0, "m": 1000.0, "cm": 10.0, "mm": 1.0}
"""Pixels a unit of length: a pixel is a millimetre where a file has lengths."""

_SIDES: Final = {"R": "right", "L": "left"}
_TALLEST_M: Final = 5.0
_SPARSEST: Final = 100
"""Largest span of image numbers over their count; beyond it they do not number frames."""


def read_trc(path: str | Path, *, unit: str | None = None) -> Track:
    """Read the markers of a `.trc` file of OpenSim, Pose2Sim or Sports2D.

    Markers are found by COCO's names or Pose2Sim's (``LKnee``), whatever their case. The picture's
    plane is X and Y, and Z is left out. Units of px have y down; those of length have y up, and a
    millimetre becomes a pixel. The file has no confidences: points that are there have 1.

    Args:
        path: of the file.
        unit: ``px``, ``m``, ``cm`` or ``mm``; that of the header by default, but for people taller
            than 5 m, who are in pixels: Sports2D writes m in the headers of its pixel files, too.

    Raises:
        FileError: not such a file; says what was found.
    """
    lines = Path(path).read_text("utf-8-sig").splitlines()
    if len(lines) < 6 or not lines[0].startswith("PathFileType"):
        raise FileError(
            f"{path} is not a .trc file: it does not begin with PathFileType and five lines of "
            "header",
            "Write it with OpenSim, Pose2Sim or Sports2D.",
        )
    header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    chosen, unit = unit, header.get("Units", "") if unit is None else unit
    if unit not in _PX_PER_UNIT:
        raise FileError(
            f"Units of {path} are {unit!r}, expected one of {', '.join(_PX_PER_UNIT)}",
            "Give unit=.",
        )
    cells = lines[3].rstrip("\t").split("\t")
    columns = {}
    for i, cell in enumerate(cells[2:], 2):
        keypoint = _keypoint(cell.strip())
        if keypoint is not None:
            columns[keypoint] = (i, i + 1)
    table = _numbers([line.split("\t") for line in lines[5:] if line.strip()])
    xy = _points(table, columns, path)
    if chosen is None and unit == "m" and _spread(xy) > _TALLEST_M:
        unit = "px"
    if unit != "px":
        xy *= np.array([1.0, -1.0]) * _PX_PER_UNIT[unit]
        xy += MARGIN_PX - xy[np.isfinite(xy).all(-1)].min(0, initial=np.inf)
    return Track.from_coco(xy, times_s=_ascending(table[:, 1], path))


def read_csv(path: str | Path, *, size: tuple[int, int] | None = None) -> Track:
    """Read a wide table: a row a frame, ``time_s``, and x, y and score of each keypoint.

    Columns are ``time_s``, ``left_knee_x``, ``left_knee_y`` (pixels, y down) and, where there are
    confidences, ``left_knee_score``, with COCO's names of keypoints. Empty cells are missing, and
    so are keypoints without columns. Other columns are ignored.

    Args:
        path: of the file. size: (width, height) of the picture in pixels.

    Raises:
        FileError: columns are missing, or a cell is not a number; says which.
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    names = [name.strip() for name in rows[0]] if rows else []
    if "time_s" not in names:
        raise FileError(
            f"{path} has no column time_s", "Add one with the seconds of each frame, ascending."
        )
    where = {name: i for i, name in enumerate(names)}
    axes = {k: [where.get(f"{k}_{axis}") for axis in "xy"] for k in KEYPOINTS}
    columns = {k: (x, y) for k, (x, y) in axes.items() if x is not None and y is not None}
    wanted = ["time_s", *(f"{k}_{part}" for k in columns for part in ("x", "y", "score"))]
    used = [where[name] for name in wanted if name in where]
    table = np.full((len(rows) - 1, len(names)), np.nan)
    table[:, used] = _numbers([[_at(row, i) for i in used] for row in rows[1:]])
    xy = _points(table, columns, path)
    score = np.where(np.isfinite(xy).all(-1), 1.0, 0.0)
    for keypoint, i in INDEX.items():
        if keypoint in columns and f"{keypoint}_score" in where:
            score[:, i] = table[:, where[f"{keypoint}_score"]]
    return Track.from_coco(
        xy, score, times_s=_ascending(table[:, where["time_s"]], path), size=size
    )


def read_coco(path: str | Path, *, fps: float, size: tuple[int, int] | None = None) -> Track:
    """Read one person from COCO's JSON: a list of results, or annotations with their images.

    ``image_id`` is the number of the frame: frames between the first and the last that have no
    entry are without the person. A keypoint's third number is its confidence in results, and its
    visibility in annotations, where 0 is missing.

    Args:
        path: of the file. fps: frames a second of the world.
        size: (width, height) of the picture in pixels; by default that of the images.

    Raises:
        FileError: not such a file, several people in a frame, or pictures that are no frames.
    """
    try:
        document = json.loads(Path(path).read_text("utf-8"))
        labelled = isinstance(document, dict)
        entries = document["annotations"] if labelled else document
        found = {int(e["image_id"]): e["keypoints"] for e in entries}
        rows = np.array([found[f] for f in sorted(found)], np.float64)
        points = rows.reshape(len(found), rows.shape[-1] // 3, 3)
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(
            f"{path} is not COCO's keypoints: {error!r}",
            "Each entry has a number image_id and a list keypoints of x, y and confidence.",
        ) from error
    if not found or len(found) < len(entries):
        raise FileError(
            f"{path} has {len(entries)} entries in {len(found)} frames, expected one in a frame",
            "Keep the entries of one person.",
        )
    frames = np.array(sorted(found)) - min(found)
    if frames[-1] >= _SPARSEST * len(frames):
        raise FileError(
            f"image_id of {path} spread over {frames[-1] + 1} numbers for {len(frames)} pictures",
            "Number the frames of the video from 0.",
        )
    xy = np.full((frames[-1] + 1, points.shape[1], 2), np.nan)
    score = np.zeros(xy.shape[:2])
    xy[frames] = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    score[frames] = points[..., 2] > 0 if labelled else points[..., 2]
    return Track.from_coco(
        xy, score, fps=fps, size=_size_of(document) if labelled and size is None else size
    )


def _spread(xy: Array) -> float:
    """Return the median over frames of the height of the points, 0 without any."""
    known = xy[np.isfinite(xy[..., 1]).any(axis=1), :, 1]
    spread = np.nanmax(known, axis=1) - np.nanmin(known, axis=1)
    return float(np.median(spread)) if len(spread) else 0.0


def _size_of(document: Mapping[str, Any]) -> tuple[int, int] | None:
    sizes = {(i.get("width"), i.get("height")) for i in document.get("images", ())}
    if len(sizes) != 1:
        return None
    ((width, height),) = sizes
    return (int(width), int(height)) if width and height else None


def _keypoint(marker: str) -> str | None:
    """Find COCO's name of a marker: ``LKnee`` or ``left_knee``; None for another point."""
    if marker.lower() in INDEX:
        return marker.lower()
    sided = f"{_SIDES.get(marker[:1].upper(), '')}_{marker[1:].lower()}"
    return sided if sided in INDEX else None


def _at(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _numbers(rows: Sequence[Sequence[str]]) -> Array:
    """Return the cells (f, n) of a table, NaN where empty."""
    width = max((len(row) for row in rows), default=0)
    table = np.full((len(rows), width), np.nan)
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            try:
                table[r, c] = float(cell) if cell.strip() else np.nan
            except ValueError as error:
                raise FileError(
                    f"row {r + 1} of the table has {cell!r}, expected a number",
                    "Write numbers with a point, and leave cells of missing points empty.",
                ) from error
    return table


def _points(table: Array, columns: Mapping[str, tuple[int, int]], path: str | Path) -> Array:
    """Return keypoints (f, 17, 2) of some columns of a table, the others NaN."""
    if not columns or not len(table):
        raise FileError(
            f"{path} has {len(columns)} known keypoints in {len(table)} frames",
            f"Name the points as COCO does: {', '.join(KEYPOINTS)}.",
        )
    xy = np.full((len(table), len(KEYPOINTS), 2), np.nan)
    for keypoint, (x, y) in columns.items():
        if y < table.shape[1]:
            xy[:, INDEX[keypoint]] = table[:, [x, y]]
    return xy


def _ascending(times_s: Array, path: str | Path) -> Array:
    if not np.isfinite(times_s).all() or np.any(np.diff(times_s) <= 0):
        raise FileError(f"the times of {path} do not ascend", "Sort the rows by time, each once.")
    return times_s
