"""Read the rotation of stored pictures from the display matrix."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import av
import numpy as np
from av.buffer import Buffer

# Matrices are written in 16.16 fixed point, some by recorders that measure the angle.
_TOLERANCE_DEG = 1.0
# Clockwise turn, and whether it is mirrored after that (CIPA DC-008, 4.6.4).
_EXIF = {
    1: (0, False),
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (90, True),
    6: (90, False),
    7: (270, True),
    8: (270, False),
}


@dataclass(frozen=True, slots=True)
class Orientation:
    """Rotation and mirroring that show a stored picture upright.

    Attributes:
        rotation_deg: clockwise turn that makes it upright, 0, 90, 180 or 270.
        ignored_deg: a clockwise turn that is no quarter turn and is not applied, else 0.
        mirrored: whether it is to be shown mirrored, left for right, after the turn.
    """

    rotation_deg: int = 0
    ignored_deg: float = 0.0
    mirrored: bool = False


def orientation(frame: av.VideoFrame) -> Orientation:
    """Read the orientation from a frame's display matrix; upright without one.

    Front cameras show a mirror image on their own screen, but do not store it mirrored.
    """
    try:
        matrix = bytes(cast("Mapping[str, Buffer]", frame.side_data)["DISPLAYMATRIX"])
    except (KeyError, ValueError):  # PyAV does not know the side data that has Exif
        return Orientation()
    # Row vectors: x' = a x + c y, y' = b x + d y, with x right and y down.
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
    area = a * d - b * c
    if area == 0:
        return Orientation()
    # Mirrored: the turn is that of the matrix with its x' negated.
    turn = float(np.degrees(np.arctan2(b, -a if area < 0 else a)))
    quarters = round(turn / 90)
    if abs(turn - 90 * quarters) > _TOLERANCE_DEG:
        return Orientation(0, turn, area < 0)
    return Orientation(90 * quarters % 360, 0.0, area < 0)


def exif_orientation(value: int) -> Orientation:
    """Return the orientation that Exif writes as 1 to 8."""
    turn, mirrored = _EXIF[value]
    return Orientation(turn, 0.0, mirrored)
