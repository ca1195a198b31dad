"""Define the values of records: numbers, words and the bounds that readers of files enforce."""

from dataclasses import dataclass
from typing import Annotated, Literal


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a value in a saved result, which may come from anywhere; None for the usual ones.

    Attributes:
        low, high: of a number, both included. longest: of a text, in characters.
        pattern: regular expression that a text matches.
    """

    low: float | None = None
    high: float | None = None
    longest: int | None = None
    pattern: str | None = None


Number = float | None
"""A number, None where it is unknown."""

Interval = tuple[float | None, float | None]
"""Lower and upper end."""

Direction = Literal["flexion", "extension"]
ClipView = Literal["sagittal", "frontal", "oblique"]
CutoffSource = Literal["default", "request", "movement", "recognized"]
FilterType = Literal["butterworth_zero_phase", "none"]
ShoulderReference = Literal["trunk", "ipsilateral"]
SigmaSource = Literal["model", "oks_prior", "mixed"]
ScoreDefinition = Literal["standing", "static", "gait", "posture"]
CautionCode = Literal[
    "low_frame_rate",
    "out_of_plane",
    "truncated",
    "several_people",
    "low_confidence",
    "blur",
    "camera_motion",
    "slow_motion_suspected",
]

WORD = Bounds(pattern=r"^[a-z][a-z0-9_]{0,63}$")
Word = Annotated[str, WORD]
"""A name of this service: a measure, a joint, a reason."""

Label = Annotated[str, Bounds(longest=64)]
Unit = Annotated[str, Bounds(longest=16)]
Share = Annotated[float, Bounds(0, 1)]
Count = Annotated[int, Bounds(1)]
