"""Analyze one person through a clip: angles, scores, events and the summary of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from biomech.config import AUTO, Camera, Context, Subject
from biomech.data_frames import to_pandas
from biomech.events.clip_events import ClipEvents, clip_events_of
from biomech.files import Profile
from biomech.files.markers import Markers, markers_of
from biomech.files.opensim import mot, trc
from biomech.files.uniform_timebase import UniformTimebase
from biomech.kinematics.geometry import Array
from biomech.kinematics.joint_angles import Angle
from biomech.kinematics.person_metrics import PersonMetrics, person_metrics
from biomech.records.event_records import GaitRecord, JumpRecord, RepetitionRecord
from biomech.records.person_record import CautionRecord, PersonSummary
from biomech.records.values import ClipView
from biomech.results.frame_blocks import FrameBlocks, frame_blocks
from biomech.results.person_summary import SummaryInputs, summary
from biomech.scores.frame_scores import Score
from biomech.scores.readiness import with_smoothness
from biomech.track import MIN_SCORE, Track

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Result:
    """The analysis of one person.

    Attributes:
        metrics: of each frame. events: of the clip, None where it is too short to be filtered.
        inputs: thresholds and what was said of the clip. person_id: number in the summary.
    """

    metrics: PersonMetrics
    events: ClipEvents | None
    inputs: SummaryInputs
    person_id: int = 1

    @property
    def times_s(self) -> Array:
        """(f,) seconds."""
        return self.metrics.points.track.times_s

    @cached_property
    def angles(self) -> Mapping[str, Angle]:
        """Every angle by name: of joints and alignment, then signed ones of the picture's plane."""
        return self.metrics.angles()

    @property
    def scores(self) -> Mapping[str, Score]:
        """Scores of each frame by name."""
        return self.metrics.movement

    @cached_property
    def summary(self) -> PersonSummary:
        """The summary of the clip, as ``biomechanics_summary`` of the service."""
        return summary(self.person_id, self.metrics, self.events, self.inputs)

    @property
    def view(self) -> ClipView | None:
        """View of the clip: ``frontal``, ``sagittal`` or ``oblique``; None unknown."""
        return self.metrics.view.of_clip()

    @property
    def repetitions(self) -> list[RepetitionRecord]:
        """Repetitions with their times, depth and largest angles."""
        return self.summary.reps

    @property
    def gait(self) -> GaitRecord | None:
        """Steps and cadence; None where the person does not walk (``summary.gait_reason``)."""
        return self.summary.gait

    @property
    def jumps(self) -> list[JumpRecord]:
        """Jumps with their times and heights."""
        return self.summary.jumps

    @property
    def cautions(self) -> list[CautionRecord]:
        """Cautions on the quality of the clip, each with its frames and threshold."""
        return self.summary.quality

    def frames(self, count: int | None = None) -> FrameBlocks:
        """Return the service's ``biomechanics`` record of each frame.

        Args:
            count: frames of the whole clip, where the track is a part of it.
        """
        present = self.metrics.points.track.present
        return frame_blocks(self.metrics, present, self.inputs.first_frame, count)

    def to_columns(self) -> dict[str, Array]:
        """Return (f,) by name: ``time_s``, every angle with its 95 % interval, every score."""
        columns = {"time_s": self.times_s}
        for name, angle in self.angles.items():
            low, high = angle.interval().T
            columns |= {name: angle.value, f"{name}_low": low, f"{name}_high": high}
        return columns | {name: score.value for name, score in self.scores.items()}

    def to_frame(self) -> "pd.DataFrame":
        """Return :meth:`to_columns` as a pandas table, a row a frame.

        Raises:
            ImportError: pandas is not installed.
        """
        return to_pandas(self.to_columns(), "to_columns, which gives arrays")

    def markers(self) -> Markers:
        """Return the smoothed points: metres where the height is known, else pixels.

        Raises:
            FileError: a single frame, or times too uneven for a constant rate.
        """
        height_m, stature_px = self.metrics.size.height_m, self.summary.stature_px
        scale = None if height_m is None or stature_px is None else height_m / stature_px
        even = UniformTimebase.of(self.times_s)
        config, roll_deg = self.inputs.config, self.metrics.roll_deg or 0.0
        return markers_of(self.metrics.points, even, config.max_gap_s, roll_deg, scale)

    def write_trc(self, path: str | Path) -> None:
        """Write :meth:`markers` as a `.trc` file for OpenSim.

        Raises:
            FileError: a single frame, times too uneven for a constant rate, or no point.
        """
        path = Path(path)
        path.write_text("".join(trc(self.markers(), path.name)), "utf-8")

    def write_mot(
        self, path: str | Path, *, profile: Profile = "2d", with_hip: bool = False
    ) -> None:
        """Write the signed angles as a `.mot` file for OpenSim.

        Args:
            path: of the file. profile, with_hip: see :func:`biomech.files.opensim.mot`.

        Raises:
            FileError: a single frame, times too uneven for a constant rate, or no such angle.
        """
        signed = {name: angle.value for name, angle in self.metrics.signed().items()}
        even = UniformTimebase.of(self.times_s)
        lines = mot(even, signed, self.inputs.config.max_gap_s, profile, with_hip)
        Path(path).write_text("".join(lines), "utf-8")


def analyze(
    track: Track,
    movement: str = AUTO,
    *,
    height_m: float | None = None,
    sex: str | None = None,
    involved_side: str | None = None,
    roll_deg: float | None = None,
    cutoff_hz: float | None = None,
    min_score: float = MIN_SCORE,
) -> Result:
    """Analyze one person through a clip.

    Args:
        track: keypoints of the person.
        movement: ``auto``, ``squat``, ``gait``, ``run``, ``jump`` or ``throw``; sets the cut-off
            of the low-pass filter.
        height_m: stature in metres, for lengths in metres. sex: ``male`` or ``female``, for the
            masses of segments. involved_side: ``left`` or ``right``, the injured one.
        roll_deg: by how much the scene appears turned clockwise; None is taken as level.
        cutoff_hz: of the filter, in place of the movement's.
        min_score: keypoints with less confidence are missing.

    Raises:
        ValueError: an argument is unknown or out of range; names it.
    """
    context = Context(movement, cutoff_hz, Subject(height_m, sex, involved_side), Camera(roll_deg))
    return analyze_person(track, SummaryInputs(context.config(min_score), context))


def analyze_person(track: Track, inputs: SummaryInputs, person_id: int = 1) -> Result:
    """Analyze one person by thresholds and a context, as the service does.

    Args:
        track: of the person. inputs: thresholds, context and outputs. person_id: its number.
    """
    config, context = inputs.config, inputs.context
    metrics = person_metrics(track, config, context.subject, context.camera.roll_deg)
    events = clip_events_of(metrics, config, context.movement, inputs.edits)
    if events is not None:
        metrics = with_smoothness(events, config)
    return Result(metrics.only(inputs.parts), events, inputs, person_id)
