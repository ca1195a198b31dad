"""Read the rotation of stored pictures from the display matrix."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import av
import numpy as np
from av.buffer import Buffer

# Matrices are written in 16.16 fixed point, some by recorders that measure the angle.
_TOLERANCE_DEG = 1.0


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
    side_data = cast("Mapping[str, Buffer]", frame.side_data)
    try:
        matrix = bytes(side_data["DISPLAYMATRIX"])
    except KeyError:
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
