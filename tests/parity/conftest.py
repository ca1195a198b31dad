"""Pictures of people as both pipelines take them."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from deployments.pose.offline.coco_evaluation import find_coco, labelled_boxes, read_picture
from tests.conftest import find_shared
from tests.support.pictures import frames

FILMED = {
    45: [(1439, 548, 1582, 943), (509, 65, 785, 446)],
    80: [(1093, 518, 1346, 946), (572, 96, 697, 460)],
    100: [(903, 514, 1153, 930)],
    120: [(707, 510, 952, 936), (664, 85, 772, 421)],
}
"""Boxes of people in frames of the demonstration video, pixels."""


@dataclass
class Photograph:
    path: Path
    pixels: np.ndarray
    boxes: np.ndarray


@pytest.fixture(scope="session")
def photographs(request, tmp_path_factory):
    """The four labelled photographs, with the boxes of their twelve people, or frames."""
    images = find_shared("images")
    if images is None:
        video = request.getfixturevalue("demo_video")
        return filmed(video, tmp_path_factory.mktemp("frames"))
    annotations, folder = find_coco(images)
    truth = COCO(str(annotations))
    found = []
    for image_id in sorted(truth.imgs):
        path = folder / truth.imgs[image_id]["file_name"]
        found.append(Photograph(path, read_picture(path), labelled_boxes(truth, image_id)[0]))
    return found


def filmed(video, folder):
    found = []
    for (index, boxes), pixels in zip(FILMED.items(), frames(video, FILMED), strict=True):
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), pixels)
        found.append(Photograph(path, pixels, np.array(boxes, float)))
    return found
