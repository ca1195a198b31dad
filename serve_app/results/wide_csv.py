"""Write the response as a table: a row a frame and person."""

import csv
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TextIO

from biomech.records.frame_fields import FIELDS
from biomech.records.frame_record import FrameBiomechanics
from biomech.skeleton import KEYPOINTS
from serve_app.results.response_schema import Box, Keypoint, PoseResponse

_FIRST = ("frame", "time_s", "track_id", "primary", "model", "reason")
_BOX = ("box_x1", "box_y1", "box_x2", "box_y2", "box_score")
_POINT = ("x", "y", "confidence", "sigma_x", "sigma_y")
COLUMNS = (
    *_FIRST,
    *_BOX,
    *(f"{name}_{part}" for name in KEYPOINTS for part in _POINT),
    *(name for names in FIELDS.values() for name in names),
)
"""Pixels, degrees and scores as in the response; the joint angles are called by their joints."""


def write_csv(response: PoseResponse, file: TextIO) -> None:
    """Write the poses of ``response``, a header first; an empty cell is missing."""
    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(response))


def rows(response: PoseResponse) -> Iterator[dict[str, Any]]:
    """Yield cells by column, those that are missing left out.

    A frame without the primary person has a row too, which says why.
    """
    for frame in response.data.poses_per_frame if response.data else ():
        info = frame.frame_info
        head = {"frame": info.frame_number, "time_s": info.timestamp}
        if frame.pose is None or frame.keypoints is None:
            yield {**head, "primary": 1, "reason": frame.reason}
        else:
            yield {
                **head,
                "primary": 1,
                "model": info.model_used,
                **_person(frame.pose.track_id, frame.pose.box, frame.keypoints, frame.biomechanics),
            }
        for person in frame.people or ():
            yield {
                **head,
                "primary": 0,
                **_person(person.track_id, person.box, person.keypoints, person.biomechanics),
            }


def _person(
    track_id: int, box: Box, keypoints: dict[str, Keypoint], biomechanics: FrameBiomechanics
) -> dict[str, Any]:
    cells: dict[str, Any] = {"track_id": track_id}
    cells |= {f"box_{name}": value for name, value in asdict(box).items()}
    for name, point in keypoints.items():
        sigma_x, sigma_y = point.sigma or (None, None)
        values = (point.x, point.y, point.confidence, sigma_x, sigma_y)
        cells |= {f"{name}_{part}": v for part, v in zip(_POINT, values, strict=True)}
    for block in FIELDS:
        cells |= getattr(biomechanics, block)
    return {name: value for name, value in cells.items() if value is not None}
