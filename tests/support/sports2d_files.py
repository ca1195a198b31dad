"""The files that Sports2D writes: keypoints (.trc) and angles (.mot)."""

import numpy as np

from biomech.skeleton import INDEX


def read_points(path):
    """(f, 17, 2) pixels of a .trc file, NaN where blank or of another skeleton."""
    lines = path.read_text().splitlines()
    names = [name for name in lines[3].split("\t")[2:] if name]
    table = [line.split("\t") for line in lines[5:] if line.strip()]
    xy = np.full((len(table), 17, 2), np.nan)
    for i, name in enumerate(names):
        sided = {"R": "right_", "L": "left_"}.get(name[0], "") + name[1:].lower()
        keypoint = sided if sided in INDEX else name.lower()
        if keypoint in INDEX:
            cells = [(row + [""] * 99)[2 + 3 * i : 4 + 3 * i] for row in table]
            xy[:, INDEX[keypoint]] = [[float(c) if c else np.nan for c in pair] for pair in cells]
    return xy


def read_angles(path):
    """Columns of a .mot file by name, degrees."""
    lines = path.read_text().splitlines()
    header = lines.index("endheader")
    rows = [line.split("\t") for line in lines[header + 2 :] if line.strip()]
    values = np.array([[float(c) if c else np.nan for c in row] for row in rows])
    return dict(zip(lines[header + 1].split("\t"), values.T, strict=True))
