"""Name the primary person of a video: by a rule, or by a point."""

from dataclasses import dataclass
from typing import Final, Literal

AthleteRule = Literal["prominent", "largest", "longest", "center"]
"""Rules for the primary person, which :func:`deployments.tracking.athlete.choose` defines."""


@dataclass(frozen=True, slots=True)
class AthletePoint:
    """A point of the upright picture in pixels, on the athlete.

    Attributes:
        x, y: pixels. frame: position in the file, from 0. time_s: seconds of the file, instead of
            ``frame``, which it overrides; the nearest frame counts.
    """

    x: float
    y: float
    frame: int = 0
    time_s: float | None = None


Athlete = AthleteRule | AthletePoint
PROMINENT: Final[AthleteRule] = "prominent"
