"""CPU cost of a crop by this project's RTMPose, picture to points: PICTURE."""

import json
import logging
import sys
import time

import cv2
import numpy as np

from deployments.crops import crop_transforms, to_image
from deployments.media.picture import Picture
from deployments.roles import ModelRole
from serve_app.model_plan import plan_models
from serve_app.settings import load_settings

CROPS, ROUNDS = 16, 3


def main() -> None:
    """Tell milliseconds a crop."""
    logging.disable(logging.WARNING)
    plan = plan_models(load_settings())
    model = plan.choices[ModelRole.PRIMARY].load(plan.search, plan.options)
    image = cv2.imread(sys.argv[1])
    h, w = (side // 2 * 2 for side in image.shape[:2])
    planes = cv2.cvtColor(image[:h, :w], cv2.COLOR_BGR2YUV_I420).reshape(-1)
    y, u, v = np.split(planes, [h * w, h * w * 5 // 4])
    chroma = (h // 2, w // 2)
    picture = Picture(0, 0, y.reshape(h, w), u.reshape(chroma), v.reshape(chroma), False, False)
    maps = crop_transforms(np.array([[0, 0, w, h]] * CROPS), model.status.input_size)

    def points() -> None:
        crops = [picture.crop(map_, model.status.input_size) for map_ in maps]
        to_image(model.infer(np.stack(crops)).keypoints, maps)

    points()
    costs = []
    for _ in range(ROUNDS):
        began = time.process_time()
        points()
        costs.append(1000 * (time.process_time() - began) / CROPS)
    status = model.status
    told = f"{status.name} {status.engine} {status.precision}"
    print(json.dumps({"crop_cpu_ms": sorted(costs), "models": told}))


if __name__ == "__main__":
    main()
