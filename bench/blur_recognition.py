"""Measure how known blur is recognized: the figures behind the caution `blur`.

    python -m bench.blur_recognition

People of the shared photographs, by their labels, and athletes of ``tools.athlete`` are blurred in
the picture, by a Gaussian or an even motion sideways, as large as a share of the box's height, and
judged as the service judges a crop. Printed is the share of people beyond the threshold.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.harness import in_words, machine, shared, table
from biomech.results.cautions import MAX_BLUR
from biomech.skeleton import KEYPOINTS
from deployments.crops import crop_transforms
from deployments.decode.blur import blur_of
from deployments.messages import F64, U8, CropPoses
from deployments.pose.offline.coco_evaluation import (
    cut_crops,
    labelled_people,
    read_labels,
    read_picture,
)
from tools.athlete.clip import Take, stage

SIZE = (192, 256)
LEAST_HEIGHT_PX = 110
ATHLETES = 24

Kernel = Callable[[U8, float], U8]
"""A picture and the height of somebody in it, pixels -> the same picture blurred."""


@dataclass(frozen=True)
class LabeledPerson:
    """A person in a picture (h, w, 3) BGR: box (4,), points (17, 2) and which are seen."""

    picture: U8
    box: F64
    points: F64
    seen: NDArray[np.bool_]

    def crop(self, kernel: Kernel) -> tuple[U8, CropPoses]:
        """The crop (1, h, w, 3) of the blurred picture, and the points in it."""
        maps = crop_transforms(self.box[None], SIZE)
        crops = cut_crops(kernel(self.picture, self.box[3] - self.box[1]), maps, SIZE)
        points = ((self.points - maps[0, :, 2]) / maps[0, 0, 0]).astype(np.float32)[None]
        score = self.seen.astype(np.float32)[None]
        return crops, CropPoses(points, score, score, np.ones_like(points))

    def blur(self, kernel: Kernel) -> float:
        """Judge blur as the service does."""
        return float(blur_of(*self.crop(kernel))[0])


def photographed() -> Iterator[LabeledPerson]:
    """Labelled people of the shared photographs, if they are there, but for the smallest."""
    folder = shared()
    if folder is None:
        return
    truth, _ = read_labels(folder / "images" / "coco_keypoints.json")
    for image_id, about in truth.imgs.items():
        picture = read_picture(folder / "images" / about["file_name"])
        for box, label in labelled_people(truth, image_id):
            if box[3] - box[1] >= LEAST_HEIGHT_PX:
                x, y, seen = np.array(label["keypoints"], float).reshape(len(KEYPOINTS), 3).T
                yield LabeledPerson(picture, np.array(box), np.stack([x, y], 1), seen > 0)


def drawn() -> Iterator[LabeledPerson]:
    """Athletes from all sides."""
    for seed in range(ATHLETES):
        scene = stage(Take(seed=900_000 + seed, view=15.0 * seed, seconds=0.5))
        picture = np.ascontiguousarray(scene.frame(6)[..., ::-1]).astype(np.uint8)
        yield LabeledPerson(
            picture, scene.boxes[6], scene.keypoints[6], np.ones(len(KEYPOINTS), np.bool_)
        )


def defocus(share: float) -> Kernel:
    """A Gaussian whose standard deviation is this share of the height."""
    return lambda picture, height: cv2.GaussianBlur(picture, (0, 0), share * height)


def motion(share: float) -> Kernel:
    """An even motion sideways by this share of the height."""
    return lambda picture, height: cv2.blur(picture, (round(share * height) | 1, 1))


def main() -> None:
    """Measure and print."""
    people = {"photographs": list(photographed()), "athletes": list(drawn())}
    kernels = {"sharp": lambda picture, _: picture}
    kernels |= {f"Gaussian, {share:.1%}": defocus(share) for share in (0.005, 0.01, 0.015, 0.02)}
    kernels |= {f"motion, {share:.0%}": motion(share) for share in (0.02, 0.04, 0.06, 0.08)}
    rows = []
    for name, kernel in kernels.items():
        found = [np.array([p.blur(kernel) for p in group]) for group in people.values() if group]
        every = np.concatenate(found)
        spread = " ".join(f"{v:.2f}" for v in np.percentile(every, [0, 50, 100]))
        rows.append((name, *(f"{(v > MAX_BLUR).mean():.0%}" for v in found), spread))
    columns = [f"{name} ({len(group)})" for name, group in people.items() if group]
    table(f"beyond {MAX_BLUR}", ("blur", *columns, "least, median, most"), rows)
    cut = [person.crop(kernels["sharp"]) for group in people.values() for person in group]
    started = time.process_time()
    for crops, poses in cut:
        blur_of(crops, poses)
    print(
        f"{1000 * (time.process_time() - started) / len(cut):.2f} ms a crop; {in_words(machine())}"
    )


if __name__ == "__main__":
    main()
