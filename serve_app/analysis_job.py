"""Make the job of the pipeline that a request asks for."""

from collections.abc import Mapping
from pathlib import Path

from deployments.annotated_video import EncodeOptions
from deployments.messages import AnalysisOptions, ModelStatus
from deployments.roles import ModelRole
from serve_app.live_config import LiveConfig
from serve_app.model_plan import pose_order
from serve_app.pipeline import Job
from serve_app.results.response_schema import PoseOptions
from serve_app.settings import Settings


def job_of(
    path: Path,
    folder: Path,
    key: str,
    options: PoseOptions,
    statuses: Mapping[ModelRole, ModelStatus],
    settings: Settings,
    live: LiveConfig,
    min_score: float,
) -> Job:
    """Return the job.

    Args:
        path: of the video. folder: of working files. key: of the annotated video in the store.
        options: of the request. statuses: of the models. settings, live: those in force.
        min_score: confidence threshold in force.

    Raises:
        NotReadyError: no model can answer.
    """
    order = pose_order(statuses, options.model)
    return Job(
        path=path,
        folder=folder,
        key=key,
        options=AnalysisOptions(
            pose_models=order,
            pose_input=statuses[order[0]].input_size,
            detector_input=statuses[ModelRole.DETECTOR].input_size,
            detector_stride=live.detector_stride,
            finest_stride=settings.finest_stride,
            min_box_score=live.min_box_score,
            max_people=live.max_people,
            batch=settings.batch_size,
            in_hardware=settings.hardware_video,
            region=options.detection_region,
        ),
        min_score=min_score,
        video=options.video,
        max_people_in_frames=options.people_in_frames if options.data else 0,
        context=options.context,
        segment_s=settings.segment_s,
        segments_in_flight=settings.segments_in_flight,
        encode=EncodeOptions(
            preset=settings.encode_preset,
            crf=settings.encode_crf,
            max_height=settings.encode_max_height,
            in_hardware=settings.hardware_video,
        ),
        media=options.media,
        athlete=options.athlete_choice,
    )
