"""Write the response of a clip from its arrays."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from biomech.records.frame_record import FrameBiomechanics, FrameDetail
from biomech.records.person_record import PersonSummary
from biomech.records.values import renumbered
from biomech.results.frame_blocks import NO_BIOMECHANICS
from deployments.messages import ClipPoses, MediaInfo, ModelStatus
from deployments.roles import ModelRole
from serve_app.pipeline import Outcome
from serve_app.results.correction_schema import Corrections
from serve_app.results.keypoint_writer import keypoints_of
from serve_app.results.media_schema import VideoPart
from serve_app.results.people_schema import primary_person
from serve_app.results.response_schema import (
    FRAMES,
    Box,
    FrameInfo,
    FramePose,
    MissingReason,
    ModelInfo,
    Notice,
    OtherPerson,
    PersonPose,
    PoseData,
    PoseOptions,
    PoseResponse,
    ProcessingSummary,
    VideoInfo,
)
from serve_app.results.selection import Selection
from serve_app.versions import package_version

_RESPONSE, _FRAME = TypeAdapter(PoseResponse), TypeAdapter(FramePose)
_BEFORE_FRAMES = b'{"data":{"poses_per_frame":['


class Answer:
    """An analyzed clip as its response, at once or frame by frame.

    Attributes:
        video_url: where the annotated video is, as the response says. stored_url: the same as the
            store says, without a signature.
        corrections: record of corrections by hand; None for none.
        selection: parts that :meth:`body` and the like write; None for all.
    """

    def __init__(
        self,
        outcome: Outcome,
        request: PoseOptions,
        min_score: float,
        models: Mapping[str, ModelStatus],
        request_id: str,
    ) -> None:
        """Take all that the response tells.

        Args:
            outcome: what the pipeline made.
            request: which parts are wanted.
            min_score: confidence threshold in force.
            models: statuses of the loaded models, by role.
            request_id: of this request.
        """
        self.corrections: Corrections | None = None
        self.video_url = self.stored_url = outcome.stored.url if outcome.stored else None
        self._outcome = outcome
        self._request = request
        self._min_score = min_score
        # By display name, which one network has in the roles of detector and pose model.
        self._models = {s.name: s for s in models.values() if s.role != ModelRole.DETECTOR}
        self._notices = model_notices(outcome.clip, models.values())
        self._request_id = request_id
        self.selection = request.selection
        self._numbers = outcome.media.numbers
        self._calibrated = [
            n in self._models and self._models[n].calibrated for n in outcome.clip.models
        ]

    def response(self) -> PoseResponse:
        """Return all of it. Takes seconds for hours of video: call it in a thread.

        Raises:
            ValueError: a number of it is not finite.
        """
        return self._response(self._told_frames())

    def body(self) -> bytes:
        """Write the response as JSON, frame by frame, in little more memory than the text.

        Raises:
            ValueError: a number of it is not finite, which JSON cannot say.
        """
        rest = self.head()
        if not self._has_frames:
            return rest
        if not rest.startswith(_BEFORE_FRAMES):
            raise AssertionError(f"the frames are not where they were: {rest[:40]!r}")
        body = BytesIO()
        body.write(_BEFORE_FRAMES)
        for nth, frame in enumerate(self.frames()):
            body.write(b"," + frame if nth else frame)
        body.write(memoryview(rest)[len(_BEFORE_FRAMES) :])
        return body.getvalue()

    def head(self) -> bytes:
        """The response as JSON, without any frame.

        Raises:
            ValueError: a number of it is not finite.
        """
        return _json(_RESPONSE, self._response(()), self.selection)

    def frames(self) -> Iterator[bytes]:
        """Each frame as JSON on one line, made when it is asked for.

        Raises:
            ValueError: a number of it is not finite.
        """
        if not self._has_frames:
            return
        chosen = self.selection and self.selection.below(*FRAMES)
        for frame in self._told_frames():
            yield _json(_FRAME, frame, chosen)

    @property
    def _has_frames(self) -> bool:
        return self._request.data and self._writes()

    def _writes(self, *part: str) -> bool:
        """Return whether anything of a part of the frames is written."""
        return self.selection is None or self.selection.has(*FRAMES, *part)

    def plain(self) -> dict[str, Any]:
        """Return the response as plain JSON values.

        Raises:
            ValueError: a number of it is not finite.
        """
        values: dict[str, Any] = json.loads(self.body())
        return values

    def _told_frames(self) -> Iterator[FramePose]:
        """Yield the frames that the request asks for."""
        count = len(self._outcome.clip.times_s) if self._request.data else 0
        frames = map(self._frame, range(count))
        return frames if self._request.frames == "all" else filter(_is_complete, frames)

    def _response(self, frames: Iterable[FramePose]) -> PoseResponse:
        clip = self._outcome.clip
        warnings = list(self._outcome.warnings) + self._notices
        if self.corrections is not None and clip.by_hand is not None:
            count = len(self.corrections.changes)
            warnings.append(
                ("corrected_by_hand", f"{count} points or events were set by hand, not measured")
            )
        if not len(clip.track_id):
            warnings.append(("nobody_found", "no person was found in any frame of the video"))
        return PoseResponse(
            data=self._data(frames) if self._request.data else None,
            video_url=self.video_url,
            corrections=self.corrections,
            warnings=[Notice(code=code, detail=detail) for code, detail in warnings],
            request_id=self._request_id,
        )

    def _data(self, frames: Iterable[FramePose]) -> PoseData:
        return PoseData(
            poses_per_frame=list(frames),
            processing_summary=_summary(
                self._outcome, self._request, self._min_score, self._models
            ),
            biomechanics_summary=[
                renumbered(self._told(p, summary), self._numbers)
                for p, summary in enumerate(self._outcome.biomechanics.summary)
            ],
        )

    def _told(self, p: int, summary: PersonSummary) -> PersonSummary:
        """Return the summary of person p, calibrated if calibrated models made all deviations."""
        clip = self._outcome.clip
        used = np.unique(clip.model[clip.row[clip.present[:, p], p]])
        by_model = summary.sigma_source == "model" and len(used)
        if by_model and all(self._calibrated[m] for m in used):
            return replace(summary, sigma_calibrated=True)
        return summary

    def _frame(self, frame: int) -> FramePose:
        clip = self._outcome.clip
        present = np.flatnonzero(clip.row[frame] >= 0).tolist()
        has_pose = present[:1] == [0]
        info = FrameInfo(
            frame_number=int(self._numbers[frame]),
            timestamp=round(float(clip.times_s[frame]), 6),
            model_used=clip.models[clip.model[clip.row[frame, 0]]] if has_pose else None,
        )
        count = self._request.people_in_frames
        others = None
        if count != 1 and self._writes("people"):
            listed = present if count is None else [p for p in present if p < count]
            others = [self._person(frame, p) for p in listed if p > 0]
        if not has_pose:
            return FramePose(
                keypoints=None,
                biomechanics=NO_BIOMECHANICS,
                frame_info=info,
                pose=None,
                reason="damaged"
                if frame in self._outcome.damaged
                else _reason(clip, frame, bool(present)),
                people=others,
            )
        person = self._person(frame, 0)
        return FramePose(
            keypoints=person.keypoints,
            biomechanics=person.biomechanics,
            frame_info=info,
            pose=PersonPose(
                track_id=person.track_id,
                box=person.box,
                score=round(float(clip.score[clip.row[frame, 0]].mean()), 4),
            ),
            people=others,
        )

    def _person(self, frame: int, p: int) -> OtherPerson:
        clip = self._outcome.clip
        row = int(clip.row[frame, p])
        box = [round(float(v), 2) for v in clip.box[row]]
        return OtherPerson(
            track_id=int(clip.track_id[p]),
            box=Box(
                x1=box[0],
                y1=box[1],
                x2=box[2],
                y2=box[3],
                score=round(float(clip.box_score[row]), 4),
            ),
            keypoints=keypoints_of(clip, row) if self._needs("keypoints", p) else {},
            biomechanics=self._biomechanics(frame, p, row)
            if self._needs("biomechanics", p)
            else NO_BIOMECHANICS,
        )

    def _needs(self, part: str, p: int) -> bool:
        """Return whether a part of person p's frames is written, or decides which are."""
        decides = part == "biomechanics" and p == 0 and self._request.frames == "complete"
        return decides or self._writes(*(["people"] if p else []), part)

    def _biomechanics(self, frame: int, p: int, row: int) -> FrameBiomechanics:
        block = self._outcome.biomechanics.frames[p][frame]
        if block is None:
            return NO_BIOMECHANICS
        detail = block.detail
        if not isinstance(detail, FrameDetail) or detail.sigma_source != "model":
            return block
        if not self._calibrated[self._outcome.clip.model[row]]:
            return block
        return replace(block, detail=replace(detail, sigma_calibrated=True))


def _part(media: MediaInfo) -> VideoPart | None:
    part = media.part
    if part is None:
        return None
    return VideoPart(
        first_frame=int(part.numbers[0]),
        last_frame=int(part.numbers[-1]),
        start_s=round(float(media.times_s[0]), 6),
        end_s=round(float(media.times_s[-1]), 6),
        max_fps=part.max_fps,
        file_frames=part.file_frames,
        file_duration_s=round(part.file_duration_s, 4),
    )


def _is_complete(frame: FramePose) -> bool:
    """Return whether every joint angle and every score of a frame is a number."""
    values = {**frame.biomechanics.joint_angles, **frame.biomechanics.movement_analysis}
    return None not in values.values()


def model_notices(clip: ClipPoses, models: Iterable[ModelStatus]) -> list[tuple[str, str]]:
    """Return the notices of the models that answered, each once."""
    notices = (
        f"{status.name} is {status.notice}"
        for status in models
        if status.notice and (status.role == ModelRole.DETECTOR or status.name in clip.models)
    )
    return [("model_notice", notice) for notice in dict.fromkeys(notices)]


def _reason(clip: ClipPoses, frame: int, others: bool) -> MissingReason:
    if not clip.decoded[frame]:
        return "not_decoded"
    return "primary_not_visible" if others else "nobody_found"


def _summary(
    outcome: Outcome, request: PoseOptions, min_score: float, models: Mapping[str, ModelStatus]
) -> ProcessingSummary:
    clip, media = outcome.clip, outcome.media
    primary = clip.row[:, :1]
    primary = primary[primary >= 0]
    used = {
        name: count
        for i, name in enumerate(clip.models)
        if (count := int((clip.model[primary] == i).sum()))
    }
    main = max(used, key=lambda name: used[name]) if used else None
    return ProcessingSummary(
        total_frames=len(clip.times_s),
        successful_poses=len(primary),
        frames_with_people=int((clip.row >= 0).any(1).sum()),
        average_confidence=(round(float(clip.score[primary].mean()), 4) if len(primary) else None),
        model_info=_model_info(models.get(main) if main else next(iter(models.values()), None)),
        people=len(clip.track_id),
        primary_person=primary_person(clip.track_id.tolist(), request.athlete_choice),
        models_used=used,
        confidence_threshold=min_score,
        video_info=VideoInfo(
            width=media.width,
            height=media.height,
            fps=round(media.fps, 4),
            duration_s=round(media.duration_s, 4),
            codec=media.codec,
            container=media.container,
            rotation_deg=media.rotation_deg,
            audio_codec=media.audio_codec,
            part=_part(media),
        ),
        segments=outcome.segments,
        timings_s={stage: round(s, 4) for stage, s in outcome.timings_s.items()},
    )


def _model_info(status: ModelStatus | None) -> ModelInfo | None:
    if status is None:
        return None
    return ModelInfo(
        name=status.name,
        version=f"MMPose {package_version('mmpose')}",
        precision=status.precision,
        engine=status.engine,
        device=status.device,
        checkpoint=status.checkpoint,
    )


def encode(response: PoseResponse) -> bytes:
    """Write ``response`` as JSON.

    Raises:
        ValueError: a number of it is not finite, which JSON cannot say.
    """
    return _json(_RESPONSE, response)


def _json(kind: TypeAdapter[Any], value: Any, chosen: Selection | None = None) -> bytes:
    text = kind.dump_json(value, include=chosen.include if chosen else None)
    if b"NaN" in text or b"Infinity" in text:  # as a number, or in a text
        json.loads(text, parse_constant=_refuse)
    return text if chosen is None or chosen.is_typed else chosen.of_json(text)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")
