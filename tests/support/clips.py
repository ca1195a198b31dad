"""Clips from arrays in which every person has a place in every frame."""

import numpy as np

from deployments.messages import ClipPoses

_PER_ROW = ("box", "box_score", "keypoints", "score", "raw_score", "sigma", "blur")


def dense_clip(*, model, **fields):
    """A clip of arrays (f, p, ...); ``model`` (f, p) is -1 where the person is absent."""
    frame, person = np.nonzero(model >= 0)
    row = np.full(model.shape, -1, np.int32)
    row[frame, person] = np.arange(len(frame))
    rows = {name: fields.pop(name)[frame, person] for name in _PER_ROW if name in fields}
    return ClipPoses(row=row, model=model[frame, person], **rows, **fields)
