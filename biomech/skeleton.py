"""Define the keypoints of a person: names, order, left and right, limbs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

Side = Literal["left", "right"]
SIDES: Final[tuple[Side, Side]] = ("left", "right")


def split_side(name: str) -> tuple[Side | None, str]:
    """Return the side that a name begins with, None without one, and the rest of the name."""
    for side in SIDES:
        rest = name.removeprefix(f"{side}_")
        if rest not in ("", name):
            return side, rest
    return None, name


@dataclass(frozen=True)
class Skeleton:
    """The keypoints that a network gives, and what they make up.

    Names of parts are without their side; ``left_`` or ``right_`` precedes those that have one.

    Attributes:
        face, body: names of keypoints in the order of arrays, where those of the face come first.
            Left and right are the person's own.
        drawn: (from, to) names of the segments to draw.
        bones: (proximal, distal) part by name of the rigid segment of a limb.
        mass_points: part at which a segment is taken to be that is no bone of the skeleton.
        oks_sigma: COCO's constant by part (the sigmas of pycocotools).
    """

    face: tuple[str, ...]
    body: tuple[str, ...]
    drawn: tuple[tuple[str, str], ...]
    bones: Mapping[str, tuple[str, str]]
    mass_points: Mapping[str, str]
    oks_sigma: Mapping[str, float]

    @cached_property
    def points(self) -> tuple[str, ...]:
        """Names of all keypoints in the order of arrays."""
        return self.face + self.body

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each keypoint in arrays."""
        return {name: i for i, name in enumerate(self.points)}

    @cached_property
    def body_slice(self) -> slice:
        """Places of the keypoints below the face."""
        return slice(len(self.face), len(self.points))

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) places of the keypoints that have a side."""
        return tuple(
            (i, self.mirror[i])
            for i, name in enumerate(self.points)
            if split_side(name)[0] == SIDES[0]
        )

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Place of each keypoint's mirror image; one without a side is its own."""
        other = dict(zip(SIDES, reversed(SIDES), strict=True))
        sided = map(split_side, self.points)
        return tuple(
            i if side is None else self.index[f"{other[side]}_{part}"]
            for i, (side, part) in enumerate(sided)
        )

    @cached_property
    def limbs(self) -> tuple[tuple[int, int], ...]:
        """(from, to) places of the segments to draw."""
        return tuple((self.index[start], self.index[end]) for start, end in self.drawn)

    @cached_property
    def oks_sigmas(self) -> tuple[float, ...]:
        """COCO's constant of each keypoint."""
        return tuple(self.oks_sigma[split_side(name)[1]] for name in self.points)


COCO_17: Final = Skeleton(
    face=("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    body=(
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
    ),
    drawn=(
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
    ),
    bones={
        "upper_arm": ("shoulder", "elbow"),
        "forearm": ("elbow", "wrist"),
        "thigh": ("hip", "knee"),
        "shank": ("knee", "ankle"),
    },
    mass_points={"head": "ear", "hand": "wrist", "foot": "ankle"},
    oks_sigma={
        "nose": 0.026,
        "eye": 0.025,
        "ear": 0.035,
        "shoulder": 0.079,
        "elbow": 0.072,
        "wrist": 0.062,
        "hip": 0.107,
        "knee": 0.087,
        "ankle": 0.089,
    },
)

SKELETON: Final = COCO_17
"""The skeleton of all networks of this service; the names below are parts of it."""

KEYPOINTS: Final = SKELETON.points
INDEX: Final = SKELETON.index
MIRROR: Final = SKELETON.mirror
LIMBS: Final = SKELETON.limbs
