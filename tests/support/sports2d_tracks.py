"""Sports2D's figures of the three tracks that it made of its own video."""

from typing import NamedTuple

import numpy as np

from tests.conftest import ROOT


class Track(NamedTuple):
    """One track: keypoints (f, 17, 2) in pixels, angles (f,) in degrees by name; NaN: missing."""

    keypoints: np.ndarray
    angles: dict[str, np.ndarray]


def read_tracks() -> list[Track]:
    """Read the tracks; see the README of their folder."""
    with np.load(ROOT / "tests" / "data" / "sports2d" / "demo.npz") as saved:
        names = saved["angle_names"].tolist()
        return [
            Track(keypoints, dict(zip(names, angles, strict=True)))
            for keypoints, angles in zip(saved["keypoints"], saved["angles"], strict=True)
        ]
