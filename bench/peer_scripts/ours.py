"""This project in one process, as `mmpose-service analyze`: VIDEO, or VIDEO ANNOTATED.

The settings come from the environment.
"""

import logging
import sys
import tempfile
from pathlib import Path

from bench.peer_scripts.meter import Meter
from deployments.messages import AnalysisOptions
from deployments.render.storage import open_store
from serve_app.awaited import awaited
from serve_app.local import LocalStages
from serve_app.models import plan_models
from serve_app.pipeline import Job, run
from serve_app.settings import load_settings


def main() -> None:
    """Analyse once and tell."""
    logging.disable(logging.WARNING)
    settings = load_settings()
    with tempfile.TemporaryDirectory() as name:
        stages = LocalStages(
            plan_models(settings), settings.media_limits, open_store(name, "file://")
        )
        pose, detector = stages.statuses["rtmpose"], stages.statuses["detector"]
        job = Job(
            Path(sys.argv[1]),
            Path(name),
            "annotated.mp4",
            AnalysisOptions(
                pose_input=pose.input_size,
                detector_input=detector.input_size,
                detector_stride=settings.detector_stride,
                batch=settings.batch_size,
            ),
            min_score=0.3,
            video=len(sys.argv) > 2,
            segment_s=settings.segment_s,
            segments_in_flight=settings.segments_in_flight,
        )
        meter = Meter()
        outcome = awaited(run(job, stages))
        meter.tell(
            frames=outcome.media.frame_count,
            poses=len(outcome.clip.keypoints),
            models=f"{pose.name} {pose.engine} {pose.precision}",
        )
        stages.close()


if __name__ == "__main__":
    main()
