"""The COCO-17 skeleton: names, order, left/right pairs and limbs. Stated here and nowhere else."""

from typing import Final

KEYPOINTS: Final[tuple[str, ...]] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""Keypoint names in COCO order; left and right are the person's own."""

INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(KEYPOINTS)}

PAIRS: Final[tuple[tuple[int, int], ...]] = tuple(
    (INDEX[name], INDEX[name.replace("left_", "right_")])
    for name in KEYPOINTS
    if name.startswith("left_")
)
"""(left, right) index pairs."""

MIRROR: Final[tuple[int, ...]] = tuple(
    INDEX[
        name.replace("left_", "right_")
        if name.startswith("left_")
        else name.replace("right_", "left_")
    ]
    for name in KEYPOINTS
)
"""Index of each keypoint's mirror image; the nose is its own."""

LIMBS: Final[tuple[tuple[int, int], ...]] = tuple(
    (INDEX[a], INDEX[b])
    for a, b in (
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_eye", "left_ear"),
        ("right_eye", "right_ear"),
        ("left_shoulder", "right_shoulder"),
        ("left_shoulder", "left_elbow"),
        ("left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow"),
        ("right_elbow", "right_wrist"),
        ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"),
        ("left_hip", "right_hip"),
        ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"),
        ("right_hip", "right_knee"),
        ("right_knee", "right_ankle"),
    )
)
"""Segments to draw, as (from, to) indices."""

JOINT_ANGLES: Final[tuple[str, ...]] = (
    "left_elbow",
    "right_elbow",
    "left_knee",
    "right_knee",
    "left_shoulder",
    "right_shoulder",
)
"""The six joint angles of the response, each drawn at the keypoint of the same name."""
