"""What one camera cannot tell: stated with every export and report."""

from typing import Final

LIMITS: Final[tuple[str, ...]] = (
    "One camera: no axial rotation, no true valgus, no depth.",
    "Hip and shoulder keypoints are not joint centres. The bias is systematic for a person and "
    "their clothing, so change is firmer than level.",
    "No feet: no ankle angle, and contacts with the ground are rough.",
    "Confidence is not accuracy.",
    "No forces, no diagnosis, no prediction of injury, no decision on return to sport.",
)
