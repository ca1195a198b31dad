"""One person found by a pose network alone: in windows of the picture, then about their points."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from deployments.crops import PADDING, crop_transforms, to_image
from deployments.media.picture import LETTERBOX_FILL
from deployments.messages import F32, F64, U8, CropPoses, Detections
from deployments.pose.engines.batch_checks import check_pictures
from deployments.pose.interface import PoseModel
from deployments.roles import ModelRole

PICTURE: Final = (320, 320)
"""(width, height) of what is looked at, as RTMDet-nano's."""


_LOOKS: Final = 3
_SEEN: Final = 0.3
_LEAST_POINTS: Final = 6
_MARGIN: Final = 0.08
"""Of the longer side of what the points span: crown, hands and feet lie beyond them."""


class WholeFrameDetector:
    """A person detector for one person who fills much of the picture.

    The network is first shown the whole picture and windows of it, then what lies about the points
    where it saw most of them, twice. The box is that of the last points, its score their mean
    confidence.
    """

    def __init__(self, pose: PoseModel) -> None:
        self._pose = pose
        self._crop_size = pose.status.input_size
        self.calls_at_once = pose.calls_at_once
        self.status = replace(
            pose.status, role=ModelRole.DETECTOR, input_size=PICTURE, nms="one person"
        )

    def infer(self, images: U8) -> list[Detections]:
        """See :class:`deployments.pose.interface.PersonDetector`."""
        check_pictures(images, PICTURE)
        if not len(images):
            return []
        windows = [_windows(_content(image), self._crop_size) for image in images]
        counts = [len(part) for part in windows]
        shown = [image for image, n in zip(images, counts, strict=True) for _ in range(n)]
        boxes, score = self._look(shown, np.concatenate(windows), padding=1.0)
        ends = np.cumsum(counts)
        most = (score >= _SEEN).sum(1) + score.mean(1)  # points seen, the surest of equals
        boxes = boxes[ends - counts + [part.argmax() for part in np.split(most, ends[:-1])]]
        for _ in range(_LOOKS - 1):
            boxes, score = self._look(images, boxes, PADDING)
        seen = (score >= _SEEN).sum(1) >= _LEAST_POINTS
        return [
            _person(box, float(np.clip(mean, 0, 1)), there=there)
            for box, mean, there in zip(boxes, score.mean(1), seen.tolist(), strict=True)
        ]

    def _look(self, images: Iterable[U8], boxes: F64, padding: float) -> tuple[F64, F32]:
        """(n, 4) boxes about the points in each box of each picture, (n, 17) their confidence."""
        maps = crop_transforms(boxes, self._crop_size, padding)
        found = self._pose.infer(_crops(images, maps, self._crop_size))
        return _boxes(found, maps, boxes), found.score


def _windows(content: list[float], crop: tuple[int, int]) -> F64:
    """(n, 4) the content, and along it windows of the crop's aspect, half of one apart or less."""
    whole, aspect = np.array(content[2:]), crop[0] / crop[1]
    window = np.minimum(whole, (whole[1] * aspect, whole[0] / aspect))
    room = whole - window
    count = int(np.ceil(2 * (room / window).max()))
    starts = np.linspace(0, room, count + 1) if count else np.empty((0, 2))
    return np.vstack([content, np.hstack([starts, starts + window])])


def _content(image: U8) -> list[float]:
    """x1, y1, x2, y2 of a letterboxed picture without its filling."""
    other = (image != LETTERBOX_FILL).any(2)
    if not other.any():
        return [0.0, 0.0, *map(float, image.shape[1::-1])]
    return [0.0, 0.0, float(np.flatnonzero(other.any(0))[-1] + 1),
            float(np.flatnonzero(other.any(1))[-1] + 1)]  # fmt: skip


def _crops(images: Iterable[U8], maps: F64, size: tuple[int, int]) -> U8:
    """(n, height, width, 3) what the maps show of each picture."""
    crops = np.empty((len(maps), size[1], size[0], 3), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for image, image_from_crop, crop in zip(images, maps, crops, strict=True):
        cv2.warpAffine(image, image_from_crop, size, dst=crop, flags=flags)
    return crops


def _boxes(found: CropPoses, maps: F64, before: F64) -> F64:
    """(n, 4) about the points that were seen; as before where too few were."""
    boxes = before.copy()
    for i, points in enumerate(to_image(found.keypoints, maps)):
        seen: F32 = points[found.score[i] >= _SEEN]
        if len(seen) >= _LEAST_POINTS:
            low, high = seen.min(0), seen.max(0)
            margin = _MARGIN * float((high - low).max())
            boxes[i] = [*(low - margin), *(high + margin)]
    return boxes


def _person(box: F64, score: float, *, there: bool) -> Detections:
    kept = np.array([box], np.float32)[: int(there)]
    kept[:, 0::2] = kept[:, 0::2].clip(0, PICTURE[0])
    kept[:, 1::2] = kept[:, 1::2].clip(0, PICTURE[1])
    return Detections(boxes=kept, score=np.array([score], np.float32)[: int(there)])
