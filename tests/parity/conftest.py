"""The labelled photographs as both pipelines take them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from deployments.pose.evaluate import find_coco, labelled_boxes, read_picture
from deployments.pose.registry import load_model_config

CONFIG = load_model_config(Path(__file__).parents[2] / "config" / "model_config.json")


@dataclass
class Photograph:
    path: Path
    pixels: np.ndarray
    boxes: np.ndarray


@pytest.fixture(scope="session")
def photographs(shared):
    """The four photographs with the boxes of their twelve labelled people."""
    annotations, folder = find_coco(shared / "images")
    truth = COCO(str(annotations))
    found = []
    for image_id in sorted(truth.imgs):
        path = folder / truth.imgs[image_id]["file_name"]
        found.append(Photograph(path, read_picture(path), labelled_boxes(truth, image_id)[0]))
    return found


@pytest.fixture(scope="session")
def registry():
    return CONFIG
