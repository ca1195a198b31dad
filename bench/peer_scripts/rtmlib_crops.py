"""CPU cost of one crop by rtmlib's RTMPose on ONNX Runtime, pictures to points: POSE PICTURE."""

import sys
import time

import cv2
from rtmlib import RTMPose

CROPS, ROUNDS = 16, 3


def main():
    """Tell milliseconds a crop."""
    import json

    pose = RTMPose(sys.argv[1], model_input_size=(192, 256), backend="onnxruntime")
    image = cv2.imread(sys.argv[2])
    box = [0, 0, image.shape[1], image.shape[0]]
    pose(image, bboxes=[box])
    costs = []
    for _ in range(ROUNDS):
        began = time.process_time()
        pose(image, bboxes=[box] * CROPS)
        costs.append(1000 * (time.process_time() - began) / CROPS)
    print(json.dumps({"crop_cpu_ms": sorted(costs)}))


if __name__ == "__main__":
    main()
