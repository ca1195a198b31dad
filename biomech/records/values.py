"""Define the values of records: numbers, words and the bounds that readers of files enforce."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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


@dataclass(frozen=True, slots=True)
class Named:
    """The names of a mapping's values, where they are always the same."""

    names: tuple[str, ...]

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        """Return the JSON schema with a property for each name; pydantic asks for it."""
        schema = handler(core)
        value = schema.pop("additionalProperties")
        return {
            **schema,
            "properties": dict.fromkeys(self.names, value),
            "required": list(self.names),
            "additionalProperties": False,
        }


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


def _is_none(value: object) -> bool:
    return value is None


ABSENT: Final[Mapping[str, Any]] = {"exclude_if": _is_none}
"""Metadata of a field that the JSON leaves out where it is None."""


def as_json(value: Any) -> Any:
    """Convert records, and lists and mappings of them, to plain JSON values."""
    if is_dataclass(value):
        named = [(item, getattr(value, item.name)) for item in fields(value)]
        return {
            item.name: as_json(part)
            for item, part in named
            if part is not None or "exclude_if" not in item.metadata
        }
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    return [as_json(part) for part in value] if isinstance(value, list | tuple) else value


_FRAME_FIELDS: Final = ("frame", "frames")
"""Names of the fields that are numbers of frames, nested or not."""


def renumbered(value: Any, numbers: "NDArray[np.int64]", name: str = "") -> Any:
    """Return a record with ``numbers`` of its frames in place of their indices."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {item.name: getattr(value, item.name) for item in fields(value)}
        return replace(value, **{n: renumbered(part, numbers, n) for n, part in parts.items()})
    if isinstance(value, list | tuple):
        return type(value)(renumbered(inner, numbers, name) for inner in value)
    return int(numbers[value]) if name in _FRAME_FIELDS and value is not None else value
