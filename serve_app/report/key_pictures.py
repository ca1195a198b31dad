"""Read key frames of the annotated video as JPEG pictures that a page holds within itself."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deployments.errors import BadParameterError
from serve_app.export.saved_clip import SavedPerson, SavedResult
from serve_app.report.chart import Mark
from serve_app.report.contact_sheet import pictures_of
from serve_app.results.response_schema import Box

MOST: Final = 6
_HEIGHT: Final = 300
_QUALITY: Final = 82


@dataclass(frozen=True, slots=True)
class KeyPicture:
    """A picture as a data URI, and when it is."""

    source: str
    caption: str


def key_frames(
    result: SavedResult, person: SavedPerson, marks: Sequence[Mark], video: Path
) -> list[KeyPicture]:
    """Return pictures of moments of ``person``: of events where there are any, else evenly spread.

    Raises:
        BadParameterError: ``video`` cannot be read, or ``result`` lacks frames of a part of a file.
    """
    import av

    chosen = moments(result, person, marks)
    places = _places(result)
    boxes = {
        int(places[f]): Box(
            **dict(zip(("x1", "y1", "x2", "y2"), map(float, person.box[row]), strict=True)), score=0
        )
        for f in chosen
        for row in np.flatnonzero(person.rows == f)
    }
    try:
        found = pictures_of(video, boxes, result.size)
    except (OSError, av.error.FFmpegError, IndexError) as error:
        raise BadParameterError(
            f"{video} cannot be read as a video: {error.__class__.__name__}",
            hint="Give the annotated MP4 of this result.",
        ) from error
    times = dict(zip(places.tolist(), result.times_s.tolist(), strict=True))
    return [KeyPicture(_jpeg(picture), f"{times[frame]:.2f} s") for frame, picture in found]


def _places(result: SavedResult) -> NDArray[np.int32]:
    """(f,) positions of the frames in the annotated video, which has the analyzed ones alone."""
    if result.processing.video_info.part is None:
        return result.frame
    if len(result.frame) != result.processing.total_frames:
        raise BadParameterError(
            "the result lists some frames of a part of a video: their places are unknown",
            hint='Analyze the video with "frames": "all", or make the report without pictures.',
        )
    return np.arange(len(result.frame), dtype=np.int32)


def moments(result: SavedResult, person: SavedPerson, marks: Sequence[Mark]) -> list[int]:
    """Return at most six frames that show ``person``, in order."""
    if not len(person.rows):
        return []
    times = result.times_s[person.rows]
    middles = sorted({(mark.start_s + mark.stop_s) / 2 for mark in marks})
    at = [t for t in middles if times[0] <= t <= times[-1]]
    if len(at) < 3:
        at = np.linspace(times[0], times[-1], MOST + 2)[1:-1].tolist()
    at = [at[i] for i in np.unique(np.linspace(0, len(at) - 1, MOST).round().astype(int))]
    return sorted({int(person.rows[np.abs(times - t).argmin()]) for t in at})


def _jpeg(picture: "np.typing.NDArray[np.uint8]") -> str:
    import cv2

    height, width = picture.shape[:2]
    scale = min(_HEIGHT / height, 1.0)
    small = cv2.resize(
        picture,
        (max(round(width * scale), 1), max(round(height * scale), 1)),
        interpolation=cv2.INTER_AREA,
    )
    done, body = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise AssertionError("OpenCV writes JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(body.tobytes()).decode()
