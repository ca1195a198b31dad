"""Load the network that knows the synthetic athlete: an instrument of tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deployments.pose.loading import load_pose_model
from deployments.pose.weights import find_weights
from serve_app.local import local_service
from serve_app.model_plan import plan_models
from serve_app.service import PoseService
from serve_app.settings import load_settings
from tools.athlete.whole_frame import WholeFrameDetector

KEY: Final = "athlete"
FOLDER: Final = Path(__file__).parent
CHECKPOINT: Final = FOLDER / "rtmpose-t_synthetic-athlete_256x192.pth"
REGISTRY: Final = FOLDER / "model_config.json"
SETTINGS: Final = {"config": REGISTRY, "weights_dir": FOLDER}
"""Settings under which the network is the primary pose model."""


@contextmanager
def athlete_service(folder: Path, **settings: object) -> Iterator[PoseService]:
    """Run the service in this process with the athlete's network in both roles.

    Args:
        folder: gets the results and the working files. settings: override the usual ones.
    """
    places = {"output": str(folder / "videos"), "spool_dir": folder / "spool"}
    chosen = load_settings({**SETTINGS, **places, **settings})
    with local_service(chosen, detector=athlete_detector()) as service:
        yield service


def athlete_detector() -> WholeFrameDetector:
    """Load the network as a detector of one person, without the flip test that crops have."""
    plan = plan_models(load_settings(SETTINGS, {}))
    entry = plan.config.entry(KEY)
    checkpoint = find_weights(entry, plan.search)
    return WholeFrameDetector(load_pose_model(entry, checkpoint, plan.options, "detector"))
