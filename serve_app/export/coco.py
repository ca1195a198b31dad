"""Write COCO keypoint results, as measured, for pycocotools."""

import json
from collections.abc import Iterator
from typing import Final

import numpy as np

from serve_app.export.saved_clip import SavedPerson, SavedResult

_PERSON: Final = 1
_ROWS: Final = 256  # turned into text at once


def coco(result: SavedResult) -> Iterator[str]:
    """Yield the JSON text of a list with one object a person and frame, in the order of frames.

    ``image_id`` is the frame's position in the video, ``score`` the mean confidence of the
    keypoints. COCO wants a place for every keypoint: one that is missing is at 0, 0 with confidence
    0.
    """
    people = result.people
    which = np.repeat(np.arange(len(people)), [len(person.rows) for person in people])
    rows = np.concatenate([person.rows for person in people]) if people else which
    own = np.concatenate([np.arange(len(person.rows)) for person in people]) if people else which
    order = np.argsort(rows, kind="stable")
    for begin in range(0, len(order), _ROWS):
        chosen = order[begin : begin + _ROWS]
        seen = [(people[p], row) for p, row in zip(which[chosen], own[chosen], strict=True)]
        text = _text(result.frame[rows[chosen]].tolist(), seen)
        yield text.replace("[", ",", 1)[:-1] if begin else text[:-1]
    yield "]" if len(order) else "[]"


def _text(frames: list[int], seen: list[tuple[SavedPerson, int]]) -> str:
    score = np.array([person.score[row] for person, row in seen])
    points = np.concatenate([[person.xy[row] for person, row in seen], score[..., None]], axis=-1)
    points[~np.isfinite(points).all(-1)] = 0.0
    found = [
        {
            "image_id": frame,
            "category_id": _PERSON,
            "keypoints": [round(v, 4) for v in flat],
            "score": round(mean, 4),
        }
        for frame, flat, mean in zip(
            frames,
            points.reshape(len(points), -1).tolist(),
            score.mean(-1).tolist(),
            strict=True,
        )
    ]
    return json.dumps(found, allow_nan=False, separators=(",", ":"))
