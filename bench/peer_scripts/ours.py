"""This project in one process, as `mmpose-service analyze`: VIDEO, or VIDEO ANNOTATED.

The settings come from the environment.
"""

import logging
import sys
import tempfile
from pathlib import Path

from bench.harness import job_of, stages_of
from bench.peer_scripts.meter import Meter
from deployments.concurrency import run_async
from serve_app.pipeline import run


def main() -> None:
    """Analyze once and tell."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        stages, options = stages_of(Path(name))
        video, *annotated = sys.argv[1:]
        job = job_of(Path(video), Path(name), options, annotated=bool(annotated))
        meter = Meter()
        outcome = run_async(run(job, stages))
        pose = stages.statuses["rtmpose"]
        meter.tell(
            frames=outcome.media.frame_count,
            poses=len(outcome.clip.keypoints),
            models=f"{pose.name} {pose.engine} {pose.precision}",
        )
        stages.close()


if __name__ == "__main__":
    main()
