"""Two people who walk through the numbered pictures, and models that find them without a network.

The detector reads a picture's number and answers where both are then; the pose model answers by the
colors of a crop. Both are pure functions of the pixels, as real ones are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from deployments.messages import CropPoses, Detections
from tests.support.numbered_pictures import number_of

POINTS = 17


def boxes_at(number: int) -> np.ndarray:
    """(n, 4) boxes in a picture of 96 x 64: one goes right, another comes and goes left."""
    first = [8 + number, 10, 28 + number, 58]
    second = [70 - number, 12, 88 - number, 60]
    return np.array([first, second] if 6 <= number < 14 else [first], np.float32)


def people_in(thumbnail: np.ndarray) -> Detections:
    """People in a letterboxed picture of 96 x 64, in pixels of the thumbnail."""
    width = thumbnail.shape[1]
    boxes = boxes_at(number_of(thumbnail[: round(width * 64 / 96)])) * (width / 96)
    return Detections(boxes.astype(np.float32), np.linspace(0.9, 0.8, len(boxes), dtype=np.float32))


def poses_in(crops: np.ndarray) -> CropPoses:
    """Keypoints, scores and deviations of crops (n, h, w, 3), told by their colors."""
    n, h = crops.shape[:2]
    rows = np.linspace(0, h - 1, POINTS).astype(int)
    columns = crops[:, rows].astype(np.float32).mean(axis=3)  # (n, 17, w)
    x = columns.argmax(axis=2)
    score = columns.max(axis=2) / 255
    keypoints = np.stack([x, np.broadcast_to(rows, (n, POINTS))], axis=2).astype(np.float32)
    sigma = np.stack([columns.std(axis=2) + 1, columns.mean(axis=2) + 1], axis=2)
    return CropPoses(keypoints, score, score * 2, sigma.astype(np.float32))


@dataclass
class Model:
    """Calls of a model: how many pictures each had, how many were under way, how they ended.

    Attributes:
        answer: what a call answers for a batch. wait: awaited before that, given the call's number.
    """

    answer: Callable[[np.ndarray], object]
    wait: Callable[[int], Awaitable[None]] = lambda _: asyncio.sleep(0)
    sizes: list[int] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0

    async def __call__(self, batch: np.ndarray):
        self.sizes.append(len(batch))
        number = len(self.sizes) - 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.wait(number)
            return self.answer(batch)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


def detector(**kwargs) -> Model:
    return Model(lambda batch: [people_in(t) for t in batch], **kwargs)


def pose_model(name: str = "Made up", **kwargs) -> Model:
    return Model(lambda crops: (name, poses_in(crops)), **kwargs)
