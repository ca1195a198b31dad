"""Read the lines of `POST /pose?stream=true`."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from serve_app.client.answers import error_in
from serve_app.results.response_schema import FramePose, PoseResponse


class StreamProgress(BaseModel):
    """Progress of a stage: ``done`` of ``total`` units."""

    stage: str
    done: int
    total: int


class StreamPoses(BaseModel):
    """Poses of a segment as measured: everybody's, not yet followed through the clip."""

    segment: int
    frames: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """A frame of the response."""

    frame: FramePose


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """Last line: the response, without its frames.

    Attributes:
        lines_left_out: frames and poses for which the stream had no room.
    """

    response: PoseResponse
    lines_left_out: int


StreamLine = StreamProgress | StreamPoses | StreamFrame | StreamEnd


def line_of(text: bytes) -> StreamLine:
    """Parse a line.

    Raises:
        ServiceError: that the line describes: the analysis failed.
        ValueError: it is not a line of such a stream.
    """
    values = json.loads(text)
    match values.pop("type"):
        case "progress":
            return StreamProgress.model_validate(values)
        case "poses":
            return StreamPoses.model_validate(values)
        case "frame":
            return StreamFrame(FramePose.model_validate(values))
        case "result":
            left_out = values.pop("lines_left_out")
            return StreamEnd(PoseResponse.model_validate(values), left_out)
        case "error":
            raise error_in(values["problem"])
        case kind:
            raise ValueError(f"there is no line of type {kind!r}")
