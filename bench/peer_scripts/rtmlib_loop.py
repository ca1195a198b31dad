"""rtmlib in the loop that its README shows: DETECTOR POSE VIDEO, or also ANNOTATED.

People are detected in every fourth frame, their boxes kept in between. Drawn by rtmlib, written by
the same encoder with the same settings as this project's.
"""

import sys

import av
import cv2
from meter import Meter
from rtmlib import RTMDet, RTMPose, draw_skeleton

STRIDE = 4


def main():
    """Analyse once and tell."""
    detector_file, pose_file, video, *annotated = sys.argv[1:]
    detector = RTMDet(detector_file, model_input_size=(320, 320), backend="onnxruntime")
    pose = RTMPose(pose_file, model_input_size=(192, 256), backend="onnxruntime")
    meter = Meter()
    capture = cv2.VideoCapture(video)
    rate = round(capture.get(cv2.CAP_PROP_FPS)) or 30
    out = av.open(annotated[0], "w") if annotated else None
    stream, frames, poses, boxes = None, 0, 0, []
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
        if out:
            if stream is None:
                stream = out.add_stream("libx264", rate=rate)
                stream.height, stream.width = (side // 2 * 2 for side in image.shape[:2])
                stream.pix_fmt = "yuv420p"
                stream.options = {"preset": "veryfast", "crf": "23", "bf": "0"}
                stream.codec_context.thread_type = "FRAME"
            even = image[: stream.height, : stream.width]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
    if out:
        out.mux(stream.encode(None))
        out.close()
    meter.tell(frames=frames, poses=poses)


if __name__ == "__main__":
    main()
