"""Compute the biomechanics of a clip from its poses."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from biomech.analysis import Result, analyze_person
from biomech.applications.norms_and_limits import NO_GUIDELINES, Guidelines
from biomech.config import ALL_OUTPUTS, NO_CONTEXT, Context, EnabledOutputs, Subject
from biomech.events.event_edits import NO_EDITS, EventEdits
from biomech.joints import JOINT_ANGLES
from biomech.kinematics.geometry import derotated
from biomech.preprocessing.preprocess import Smoothed
from biomech.records.frame_record import FrameBiomechanics
from biomech.records.person_record import PersonSummary
from biomech.results.frame_blocks import disabled_block
from biomech.results.person_summary import SummaryInputs, disabled_summary
from biomech.track import HandPoints, Track
from deployments.messages import F32, F64, ClipBiomechanics, ClipPoses


def analyze(
    clip: ClipPoses,
    min_score: float,
    *,
    enabled: bool = True,
    parts: EnabledOutputs = ALL_OUTPUTS,
    context: Context = NO_CONTEXT,
    guidelines: Guidelines = NO_GUIDELINES,
    max_people_in_frames: int | None = None,
) -> ClipBiomechanics:
    """Compute angles, alignment and scores of every person and frame, and summaries of the clip.

    Args:
        clip: the people; a single picture is a clip of one frame.
        min_score: keypoints with a lower score are missing.
        enabled: False leaves every field null, with the reason.
        parts: enabled outputs; other fields are null, with the reason.
        context: data from the caller; its subject and comparison data apply to the primary person.
        guidelines: data for the applications; its norms and results apply to the primary person,
            unless the caller supplies others.
        max_people_in_frames: number of people, the primary first, whose frames are given; None for
            all. The objects of a frame are large, and other people are rarely requested.

    Raises:
        ValueError: ``min_score`` is negative or not a number.
    """
    config = context.config(min_score)
    guidelines = guidelines.of_athlete(context.supplied)
    max_people_in_frames = (
        len(clip.track_id) if max_people_in_frames is None else max_people_in_frames
    )
    if not enabled:
        return _disabled(clip, max_people_in_frames)
    frames: list[Sequence[FrameBiomechanics | None]] = []
    summaries: list[PersonSummary] = []
    drawn: F32 | None = None
    angles = _no_angles(clip)
    ignored: list[str] = []
    for p, person_id in enumerate(clip.track_id.tolist()):
        shown = _shown(clip, p)
        track = track_of(clip, p, shown, context.camera.slowmo_factor)
        own = context if p == 0 else replace(context, subject=Subject())
        inputs = SummaryInputs(
            config=config,
            context=own,
            parts=parts,
            guidelines=guidelines if p == 0 else guidelines.of_anybody(),
            model=_model_of(clip, p),
            first_frame=shown.start,
            others=(clip.row[shown] >= 0).sum(1) > track.present,
            edits=_edits_of(clip, person_id).shifted(-shown.start),
        )
        result = analyze_person(track, inputs, person_id)
        ignored += _ignored(result, person_id)
        if p < max_people_in_frames:
            frames.append(result.frames(len(clip.times_s)))
        if p == 0:
            drawn = np.full((len(clip.times_s), *track.xy.shape[1:]), np.nan, np.float32)
            drawn[shown] = _in_picture(result.metrics.points, context.camera.roll_deg or 0.0)
            for i, name in enumerate(JOINT_ANGLES):
                angles[shown, i] = result.metrics.joint_angles[name].value
        summaries.append(result.summary)
    return ClipBiomechanics(
        frames,
        angles,
        summaries,
        drawn,
        tuple(("correction_without_effect", text) for text in dict.fromkeys(ignored)),
    )


def _edits_of(clip: ClipPoses, person_id: int) -> EventEdits:
    return NO_EDITS if clip.by_hand is None else clip.by_hand.events.get(person_id, NO_EDITS)


def _ignored(result: Result, person_id: int) -> Iterator[str]:
    """Yield the events set by hand that the result cannot have."""
    events = result.events
    gait, repetitions = (events.gait, events.repetitions) if events else (None, None)
    for what in result.inputs.edits.unapplied(gait, repetitions):
        yield (
            f"person {person_id}: a {what} that was set by hand has no effect, as no gait or no "
            "movement is found there"
        )


def track_of(clip: ClipPoses, person: int, frames: slice, slowmo_factor: float = 1.0) -> Track:
    """Return the track of one person in some frames, NaN where absent, in real-time seconds."""

    def of(values: F32) -> F64:
        return clip.to_dense(values, frames, person).astype(np.float64)

    return Track(
        times_s=clip.times_s[frames] / slowmo_factor,
        xy=of(clip.keypoints),
        score=of(clip.score),
        sigma=of(clip.sigma),
        box=of(clip.box),
        present=clip.row[frames, person] >= 0,
        size=(clip.width, clip.height),
        blur=None if clip.blur is None else of(clip.blur),
        by_hand=_hand_points(clip, person, frames),
    )


def _hand_points(clip: ClipPoses, person: int, frames: slice) -> HandPoints | None:
    hand, row = clip.by_hand, clip.row[frames, person]
    if hand is None or not (np.isfinite(hand.xy[row]).any() or hand.hidden[row].any()):
        return None
    return HandPoints(
        clip.to_dense(hand.xy, frames, person).astype(np.float64),
        np.where((row >= 0)[:, None], hand.hidden[row], False),
    )


def _shown(clip: ClipPoses, person: int) -> slice:
    """Return the frames from the first to the last that show a person; all if none does.

    The cost of a passer-by then depends on their own frames, not on the length of the clip.
    """
    found = np.flatnonzero(clip.row[:, person] >= 0)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, len(clip.row))


def _model_of(clip: ClipPoses, person: int) -> str | None:
    """Return the model that made most of the person's poses."""
    row = clip.row[:, person]
    counts = np.bincount(clip.model[row[row >= 0]], minlength=1)
    return clip.models[int(counts.argmax())] if counts.any() else None


def _in_picture(points: Smoothed, roll_deg: float) -> F32:
    """Return the points used for angles, in the picture's own orientation."""
    center = points.track.center
    return derotated(points.gated.xy, -roll_deg, center).astype(np.float32)


def _no_angles(clip: ClipPoses) -> F64:
    return np.full((len(clip.times_s), len(JOINT_ANGLES)), np.nan)


def _disabled(clip: ClipPoses, max_people_in_frames: int) -> ClipBiomechanics:
    block = disabled_block()
    return ClipBiomechanics(
        [[block if there else None for there in p] for p in clip.present.T[:max_people_in_frames]],
        _no_angles(clip),
        [disabled_summary(person) for person in clip.track_id.tolist()],
        warnings=(("biomechanics_disabled", "biomechanics are switched off by the settings"),),
    )
