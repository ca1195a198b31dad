"""The response of a clip, from its arrays."""

import json
import math
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from biomech.frames import FIELDS
from biomech.skeleton import KEYPOINTS
from deployments.messages import ClipPoses, ModelStatus
from serve_app.pipeline import Outcome
from serve_app.schemas import (
    Biomechanics,
    Box,
    FrameInfo,
    FramePose,
    Keypoint,
    MissingReason,
    ModelInfo,
    Notice,
    Person,
    PersonPose,
    PoseData,
    PoseOptions,
    PoseResponse,
    ProcessingSummary,
    VideoInfo,
)
from serve_app.summary_schema import PersonSummary
from serve_app.versions import package_version

_ANSWER = TypeAdapter(PoseResponse)  # writes bytes, of which a model would make a text first
NO_BIOMECHANICS = Biomechanics(**{block: dict.fromkeys(names) for block, names in FIELDS.items()})


def respond(
    outcome: Outcome,
    request: PoseOptions,
    min_score: float,
    models: dict[str, ModelStatus],
    request_id: str,
) -> PoseResponse:
    """The response to ``request``.

    Args:
        outcome: what the pipeline made.
        request: which parts are wanted.
        min_score: confidence threshold in force.
        models: status of the models by display name.
        request_id: of this request.
    """
    _tell_calibrated(outcome, models)
    warnings = list(outcome.warnings) + model_notices(outcome.clip, models)
    if not len(outcome.clip.track_id):
        warnings.append(("nobody_found", "no person was found in any frame of the video"))
    return PoseResponse(
        data=_data(outcome, request, min_score, models) if request.data else None,
        video_url=outcome.stored.url if outcome.stored else None,
        warnings=[Notice(code=code, detail=detail) for code, detail in warnings],
        request_id=request_id,
    )


def model_notices(clip: ClipPoses, models: dict[str, ModelStatus]) -> list[tuple[str, str]]:
    """What a reader must know of the models that answered, stand-ins above all."""
    return [
        ("model_notice", f"{status.name} is {status.notice}")
        for status in models.values()
        if status.notice and (status.role == "detector" or status.name in clip.models)
    ]


def _tell_calibrated(outcome: Outcome, models: dict[str, ModelStatus]) -> None:
    """Set ``sigma_calibrated`` where the deviations are those of a calibrated model alone."""
    clip, biomechanics = outcome.clip, outcome.biomechanics
    calibrated = [name in models and models[name].calibrated for name in clip.models]
    if not any(calibrated):
        return
    for p, summary in enumerate(biomechanics.summary):
        used = np.unique(clip.model[clip.row[clip.present[:, p], p]])
        if summary.get("sigma_source") == "model" and all(calibrated[m] for m in used):
            summary["sigma_calibrated"] = True
    for p, frames in enumerate(biomechanics.frames):
        for f, block in enumerate(frames):
            if block and block["detail"].get("sigma_source") == "model":
                block["detail"]["sigma_calibrated"] = calibrated[clip.model[clip.row[f, p]]]


def _data(
    outcome: Outcome, request: PoseOptions, min_score: float, models: dict[str, ModelStatus]
) -> PoseData:
    clip = outcome.clip
    everyone = request.people == "all"
    return PoseData(
        poses_per_frame=[_frame(outcome, f, everyone) for f in range(len(clip.times_s))],
        processing_summary=_summary(outcome, min_score, models),
        biomechanics_summary=[PersonSummary(**told) for told in outcome.biomechanics.summary],
    )


def _frame(outcome: Outcome, frame: int, everyone: bool) -> FramePose:
    clip = outcome.clip
    present = np.flatnonzero(clip.row[frame] >= 0).tolist()
    has_pose = present[:1] == [0]
    info = FrameInfo(
        frame_number=frame,
        timestamp=round(float(clip.times_s[frame]), 6),
        model_used=clip.models[clip.model[clip.row[frame, 0]]] if has_pose else None,
    )
    others = [_person(outcome, frame, p) for p in present if p > 0] if everyone else None
    if not has_pose:
        return FramePose(
            keypoints=None,
            biomechanics=NO_BIOMECHANICS,
            frame_info=info,
            pose=None,
            reason=_reason(clip, frame, bool(present)),
            people=others,
        )
    person = _person(outcome, frame, 0)
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


def _reason(clip: ClipPoses, frame: int, others: bool) -> MissingReason:
    if not clip.decoded[frame]:
        return "not_decoded"
    return "primary_not_visible" if others else "nobody_found"


def _person(outcome: Outcome, frame: int, p: int) -> Person:
    clip = outcome.clip
    row = int(clip.row[frame, p])
    box = [round(float(v), 2) for v in clip.box[row]]
    block = outcome.biomechanics.frames[p][frame]
    return Person(
        track_id=int(clip.track_id[p]),
        box=Box(
            x1=box[0],
            y1=box[1],
            x2=box[2],
            y2=box[3],
            score=round(float(clip.box_score[row]), 4),
        ),
        keypoints=_keypoints(clip, row),
        biomechanics=Biomechanics(**block) if block else NO_BIOMECHANICS,
    )


_PARTS_OF_ONE = np.array([100.0, 100.0, 1e4, 1e4, 100.0, 100.0])
"""What x, y, score, raw score and the two deviations of a keypoint are rounded to."""


def _keypoints(clip: ClipPoses, row: int) -> dict[str, Keypoint]:
    columns = np.concatenate(
        [
            clip.keypoints[row].astype(np.float64),
            clip.score[row, :, None],
            clip.raw_score[row, :, None],
            clip.sigma[row],
        ],
        axis=1,
    )
    rounded = (np.rint(columns * _PARTS_OF_ONE) / _PARTS_OF_ONE).tolist()
    return {name: _keypoint(*row) for name, row in zip(KEYPOINTS, rounded, strict=True)}


def _keypoint(x: float, y: float, score: float, raw: float, sx: float, sy: float) -> Keypoint:
    found = math.isfinite(x) and math.isfinite(y)
    return Keypoint(
        x=x if found else None,
        y=y if found else None,
        confidence=score,
        raw_score=raw,
        sigma=(sx, sy) if math.isfinite(sx) and math.isfinite(sy) else None,
    )


def _summary(
    outcome: Outcome, min_score: float, models: dict[str, ModelStatus]
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
        average_confidence=(round(float(clip.score[primary].mean()), 4) if len(primary) else None),
        model_info=_model_info(models.get(main) if main else next(iter(models.values()), None)),
        people=len(clip.track_id),
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
    """The body of an answer. Takes seconds for hours of video: call it in a thread.

    Raises:
        ValueError: a number of it is not finite, which JSON cannot say.
    """
    body = _ANSWER.dump_json(response)
    if b"NaN" in body or b"Infinity" in body:  # as a number, or in a text
        json.loads(body, parse_constant=_refuse)
    return body


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def to_json(response: PoseResponse) -> dict[str, Any]:
    """Plain JSON values of ``response``."""
    return response.model_dump(mode="json")
