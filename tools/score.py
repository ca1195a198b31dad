"""Score a response against the truth of a film."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biomech.joints import JOINT_ANGLES
from biomech.records.person_record import PersonSummary
from biomech.skeleton import KEYPOINTS
from serve_app.report.contact_sheet import angle_values
from serve_app.results.response_schema import FramePose, PoseData
from tools.athlete.body import Array
from tools.athlete.clip import Truth

PCK_SHARE = 0.05
"""Of the longer side of the box: keypoints nearer than this are right."""


@dataclass(frozen=True, slots=True)
class AngleScore:
    """Errors of one joint angle over a clip.

    Attributes:
        errors: (n,) degrees, measured less true, of the frames in which it was measured.
        frames: of the clip.
        held: (m,) whether the 95 % interval holds the truth, of the frames that have one.
    """

    errors: Array
    frames: int
    held: Array

    @property
    def mae(self) -> float:
        """Mean absolute error, degrees; NaN if it was never measured."""
        return float(np.abs(self.errors).mean()) if len(self.errors) else float("nan")

    @property
    def measured(self) -> float:
        """Share of frames in which it was measured."""
        return len(self.errors) / self.frames

    @property
    def coverage(self) -> float:
        """Share of intervals that hold the truth; NaN without any."""
        return float(self.held.mean()) if len(self.held) else float("nan")


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one clip: share of correct keypoints, and the angles by name."""

    pck: float
    angles: dict[str, AngleScore]

    def mae(self, *joints: str) -> float:
        """Mean absolute error of some joints, both sides together, degrees."""
        errors = [
            np.abs(self.angles[f"{side}_{joint}"].errors)
            for joint in joints
            for side in ("left", "right")
        ]
        return float(np.concatenate(errors).mean())


def score(truth: Truth, data: PoseData) -> Score:
    """Hold a response's primary person against the truth, frame by frame.

    Raises:
        ValueError: they have different numbers of frames.
    """
    frames = data.poses_per_frame
    if len(frames) != len(truth.times_s):
        raise ValueError(f"{len(frames)} frames were answered, {len(truth.times_s)} filmed")
    apart = np.linalg.norm(points_of(frames) - truth.keypoints, axis=2)
    size = (truth.boxes[:, 2:] - truth.boxes[:, :2]).max(axis=1)
    right = np.nan_to_num(apart, nan=np.inf) < PCK_SHARE * size[:, None]
    return Score(float(right.mean()), {name: _angle(name, truth, frames) for name in JOINT_ANGLES})


def counted(movement: str, person: PersonSummary) -> int | None:
    """Count the repetitions of ``movement``, jumps or strides in a response.

    None for walks and runs that are not seen from the side: it tells no steps of them.
    """
    if movement == "jump":
        return len(person.jumps)
    if movement in ("gait", "run"):
        if person.gait is None:
            return None
        return sum(event.kind == "contact" for event in person.gait.events) // 2
    return len(person.reps)


def _angle(name: str, truth: Truth, frames: Sequence[FramePose]) -> AngleScore:
    true, found = truth.angle(name), angle_values(list(frames), name)
    there = np.isfinite(found)
    intervals = [frame.biomechanics.interval(name) for frame in frames]
    held = [pair[0] <= v <= pair[1] for v, pair in zip(true, intervals, strict=True) if pair]
    return AngleScore((found - true)[there], len(frames), np.array(held, bool))


def points_of(frames: Sequence[FramePose]) -> Array:
    """(f,17,2) keypoints of the primary person, NaN where there are none."""
    points = np.full((len(frames), len(KEYPOINTS), 2), np.nan)
    for i, frame in enumerate(frames):
        if frame.keypoints is not None:
            points[i] = [
                (np.nan, np.nan) if p.x is None or p.y is None else (p.x, p.y)
                for p in (frame.keypoints[name] for name in KEYPOINTS)
            ]
    return points
