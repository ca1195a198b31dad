"""Names of the numbers of a frame, for the response and its schema. Imports no numpy."""

from typing import Final

from biomech.joints import JOINT_ANGLES

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "joint_angles": JOINT_ANGLES,
    "movement_analysis": (
        "pose_quality",
        "stability_score",
        "symmetry_index",
        "athletic_readiness",
    ),
    "body_alignment": ("spine_angle", "hip_level_difference", "shoulder_level_difference"),
}
"""Response fields by block."""
