"""COCO keypoint results, as measured, for pycocotools."""

import json

import numpy as np

from serve_app.export.saved import SavedResult

_PERSON = 1


def coco(result: SavedResult) -> str:
    """A list of one object a person and frame, in the order of frames.

    ``image_id`` is the frame's position in the video, ``score`` the mean confidence of the
    keypoints. COCO wants a place for every keypoint: one that is missing is at 0, 0 with confidence
    0.
    """
    rows = []
    for person in result.people:
        points = np.concatenate([person.xy, person.score[..., None]], axis=-1)
        points[~np.isfinite(points).all(-1)] = 0.0
        rows += [
            {
                "image_id": int(frame),
                "category_id": _PERSON,
                "keypoints": [round(v, 4) for v in flat],
                "score": round(float(score), 4),
            }
            for frame, flat, score in zip(
                result.frame[person.rows],
                points.reshape(len(points), -1).tolist(),
                person.score.mean(-1),
                strict=True,
            )
        ]
    rows.sort(key=lambda row: int(str(row["image_id"])))
    return json.dumps(rows, allow_nan=False, separators=(",", ":"))
