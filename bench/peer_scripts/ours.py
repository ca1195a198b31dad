"""This project in one process, as `mmpose-service analyze`: VIDEO, or VIDEO ANNOTATED.

The settings come from the environment.
"""

import logging
import sys
import tempfile
from pathlib import Path

from bench.common import stages_of
from bench.peer_scripts.meter import Meter
from serve_app.awaited import awaited
from serve_app.pipeline import Job, run
from serve_app.settings import load_settings


def main() -> None:
    """Analyse once and tell."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        stages, options = stages_of(Path(name))
        video, *annotated = sys.argv[1:]
        settings = load_settings()
        job = Job(
            Path(video),
            Path(name),
            "annotated.mp4",
            options,
            min_score=0.3,
            video=bool(annotated),
            segment_s=settings.segment_s,
            segments_in_flight=settings.segments_in_flight,
        )
        meter = Meter()
        outcome = awaited(run(job, stages))
        pose = stages.statuses["rtmpose"]
        meter.tell(
            frames=outcome.media.frame_count,
            poses=len(outcome.clip.keypoints),
            models=f"{pose.name} {pose.engine} {pose.precision}",
        )
        stages.close()


if __name__ == "__main__":
    main()
