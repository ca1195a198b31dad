"""Decode people from the outputs of RTMDet's head."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from deployments.messages import Detections

PERSON = 0


def people_of(
    head: Any, levels: Sequence[Sequence[Tensor]], size: tuple[int, int]
) -> list[Detections]:
    """Return people of each picture, best first, by the head's own decoding and suppression.

    In fp32 whatever the network ran in.

    Args:
        head: ``RTMDetSepBNHead``.
        levels: its scores, then its distances, each (n, c, h, w) by level.
        size: (height, width) of the pictures.
    """
    scores, distances = ([level.float() for level in kind] for kind in levels)
    metas = [{"img_shape": size}] * len(scores[0])
    found = head.predict_by_feat(scores, distances, batch_img_metas=metas, rescale=False)
    return [_people(instances) for instances in found]


def _people(instances: Any) -> Detections:
    person = instances.labels == PERSON
    return Detections(
        boxes=instances.bboxes[person].cpu().numpy(), score=instances.scores[person].cpu().numpy()
    )
