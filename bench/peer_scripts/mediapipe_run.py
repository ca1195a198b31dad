"""MediaPipe's own pose solution with the model in its package: VIDEO, or VIDEO ANNOTATED.

One person, BlazePose "full": another network than the others run. Written as by rtmlib's script.
"""

import sys

import cv2
import mediapipe as mp
from annotated import Annotated
from meter import Meter


def main():
    """Analyze once and tell."""
    video, *annotated = sys.argv[1:]
    solution = mp.solutions.pose
    pose = solution.Pose(model_complexity=1)
    meter = Meter()
    capture = cv2.VideoCapture(video)
    rate = round(capture.get(cv2.CAP_PROP_FPS)) or 30
    out = Annotated(annotated[0] if annotated else None, rate)
    frames, poses = 0, 0
    while True:
        read, image = capture.read()
        if not read:
            break
        found = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        frames += 1
        poses += found.pose_landmarks is not None
        if out and found.pose_landmarks:
            mp.solutions.drawing_utils.draw_landmarks(
                image, found.pose_landmarks, solution.POSE_CONNECTIONS
            )
        out.write(image)
    out.close()
    meter.tell(frames=frames, poses=poses)


if __name__ == "__main__":
    main()
