"""Define joint angles, one row a joint. To add an angle, see docs/contributor.md, Recipes."""

from dataclasses import dataclass
from typing import Final

from biomech.skeleton import SIDES, split_side


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSpec:
    """One flexion in the sagittal plane, of the joint of either side.

    Attributes:
        name: ``left_<name>`` and ``right_<name>`` are the angles.
        label: in reports.
        terms: (sign, segment) of :data:`biomech.kinematics.geometry.SEGMENTS`, with ``{}`` for the
            side. The flexion is the signed sum of their directions: 0 is straight, or hanging for
            an arm; positive is flexion for a person who faces image right.
        point: keypoint, without its side, at which the angle is drawn.
        motion_deg: range of flexion that lets all movement through (engineering bounds, about the
            figures of the American Academy of Orthopaedic Surgeons). An arm that goes round may
            leave it.
        possible_deg: flexion beyond which no joint goes: what is further is a segment that points
            at the camera, or points that are wrong (ours).
        expected_error_deg: of one camera from the side against motion capture, published, or ours.
            It comes on top of the intervals, which are about repeating the measurement.
        signed: whether a picture shows the sign of the flexion.
        whole_turns: whether the joint can go round, so that its angle may pass a half turn.
        seen_from_front: whether a frontal view shows the flexion.
        in_response: whether the response has the angle in ``joint_angles``; else ``included`` has.
        per_stride: whether strides of a walk are measured by it.
        neutral_deg, neutral: size of the angle, 0 to 180, where the flexion is 0; and its name.
        opensim: coordinate of OpenSim without its side, None without one.
        opensim_alike: whether OpenSim defines it alike, so that an export has it unasked.
    """

    name: str
    label: str
    terms: tuple[tuple[int, str], ...]
    point: str
    motion_deg: tuple[float, float]
    possible_deg: tuple[float, float]
    expected_error_deg: float
    signed: bool = True
    whole_turns: bool = False
    seen_from_front: bool = False
    in_response: bool = True
    per_stride: bool = False
    neutral_deg: float = 180.0
    neutral: str = "straight"
    opensim: str | None = None
    opensim_alike: bool = True

    @property
    def angles(self) -> tuple[str, ...]:
        """Names of the angles, left and right."""
        return tuple(f"{side}_{self.name}" for side in SIDES)


JOINTS: Final[tuple[JointSpec, ...]] = (
    JointSpec(
        name="knee",
        label="Knee",
        terms=((1, "{}_shank"), (-1, "{}_thigh")),
        point="knee",
        motion_deg=(-10.0, 150.0),  # the Academy: 0 to 135
        possible_deg=(-30.0, 165.0),
        expected_error_deg=6.0,
        per_stride=True,
        opensim="knee_angle",
    ),
    JointSpec(
        name="hip",
        label="Hip",
        terms=((1, "trunk"), (-1, "{}_thigh")),
        point="hip",
        motion_deg=(-30.0, 125.0),
        possible_deg=(-90.0, 170.0),
        expected_error_deg=6.0,
        in_response=False,
        per_stride=True,
        opensim="hip_flexion",
        opensim_alike=False,  # ours is between trunk and thigh, OpenSim's between pelvis and thigh
    ),
    JointSpec(
        name="shoulder",
        label="Shoulder",
        terms=((1, "trunk"), (-1, "{}_upper_arm")),
        point="shoulder",
        motion_deg=(-60.0, 180.0),
        possible_deg=(-100.0, 220.0),
        expected_error_deg=8.0,
        whole_turns=True,
        seen_from_front=True,
        neutral_deg=0.0,
        neutral="hanging",
        opensim="arm_flex",
    ),
    JointSpec(
        name="elbow",
        label="Elbow",
        terms=((1, "{}_upper_arm"), (-1, "{}_forearm")),
        point="elbow",
        motion_deg=(0.0, 150.0),
        possible_deg=(0.0, 165.0),
        expected_error_deg=8.0,
        signed=False,  # the upper arm turns about itself, unseen
        seen_from_front=True,
        opensim="elbow_flex",
    ),
)
"""In the order of tables. The flexions equal Pose2Sim's up to the sign of the side faced."""

_BY_NAME: Final = {joint.name: joint for joint in JOINTS}

JOINT_ANGLES: Final[tuple[str, ...]] = tuple(
    angle
    for joint in sorted(JOINTS, key=lambda joint: joint.name)
    if joint.in_response
    for angle in joint.angles
)
"""The angles in ``joint_angles`` of the response, in the order of arrays: by joint and side."""

INCLUDED_ANGLES: Final[tuple[str, ...]] = tuple(
    angle for joint in JOINTS if not joint.in_response for angle in joint.angles
)
"""The angles in ``detail.included`` of the response."""


def joint_of(angle: str) -> JointSpec:
    """Return the joint of an angle, whose name begins with its side."""
    return _BY_NAME[split_side(angle)[1]]


def point_of(angle: str) -> str:
    """Return the keypoint at which an angle is drawn."""
    return f"{split_side(angle)[0]}_{joint_of(angle).point}"
