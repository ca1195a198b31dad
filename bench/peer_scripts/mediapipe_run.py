"""MediaPipe's own pose solution with the model in its package: VIDEO, or VIDEO ANNOTATED.

One person, BlazePose "full": another network than the others run. Written as by rtmlib's script.
"""

import sys

import av
import cv2
import mediapipe as mp
from meter import Meter


def main():
    """Analyse once and tell."""
    video, *annotated = sys.argv[1:]
    solution = mp.solutions.pose
    pose = solution.Pose(model_complexity=1)
    meter = Meter()
    capture = cv2.VideoCapture(video)
    rate = round(capture.get(cv2.CAP_PROP_FPS)) or 30
    out = av.open(annotated[0], "w") if annotated else None
    stream, frames, poses = None, 0, 0
    while True:
        read, image = capture.read()
        if not read:
            break
        found = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        frames += 1
        poses += found.pose_landmarks is not None
        if out:
            if found.pose_landmarks:
                mp.solutions.drawing_utils.draw_landmarks(
                    image, found.pose_landmarks, solution.POSE_CONNECTIONS
                )
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
