"""rtmlib in the loop that its README shows: DETECTOR POSE VIDEO, or also ANNOTATED.

People are detected in every fourth frame, their boxes kept in between. Drawn by rtmlib, written by
the same encoder with the same settings as this project's.
"""

import sys

import cv2
from annotated import Annotated
from meter import Meter
from rtmlib import RTMDet, RTMPose, draw_skeleton

STRIDE = 4


def main():
    """Analyze once and tell."""
    detector_file, pose_file, video, *annotated = sys.argv[1:]
    detector = RTMDet(detector_file, model_input_size=(320, 320), backend="onnxruntime")
    pose = RTMPose(pose_file, model_input_size=(192, 256), backend="onnxruntime")
    meter = Meter()
    capture = cv2.VideoCapture(video)
    rate = round(capture.get(cv2.CAP_PROP_FPS)) or 30
    out = Annotated(annotated[0] if annotated else None, rate)
    frames, poses, boxes = 0, 0, []
    while True:
        read, image = capture.read()
        if not read:
            break
        if frames % STRIDE == 0:
            boxes = detector(image)
        if len(boxes):
            keypoints, scores = pose(image, bboxes=boxes)
            poses += len(keypoints)
            if out:
                image = draw_skeleton(image, keypoints, scores, kpt_thr=0.3)
        frames += 1
        out.write(image)
    out.close()
    meter.tell(frames=frames, poses=poses)


if __name__ == "__main__":
    main()
