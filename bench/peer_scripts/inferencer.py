"""MMPoseInferencer of MMPose 1.3.2 on this project's stack: POSE_CHECKPOINT DETECTOR VIDEO.

People are detected in every frame, as it does. Without video: its visualiser fails under numpy 2.
"""

import sys

import torch

from bench.peer_scripts.meter import Meter
from deployments.pose.registry import load_model_config
from deployments.process_setup import usable_cpus
from serve_app.setting_types import ROOT
from tests.support.random_networks import config_of, import_apis, quiet


def main() -> None:
    """Analyze once and tell."""
    pose, detector, video = sys.argv[1:]
    mmpose, _ = import_apis()
    torch.set_num_threads(usable_cpus())
    registry = load_model_config(ROOT / "config" / "model_config.json")
    with quiet():
        inferencer = mmpose.MMPoseInferencer(
            pose2d=config_of(registry.entry("rtmpose_medium")).filename,
            pose2d_weights=pose,
            det_model=config_of(registry.entry("rtmdet_nano")).filename,
            det_weights=detector,
            det_cat_ids=[0],
            device="cpu",
        )
        meter = Meter()
        frames = poses = 0
        for result in inferencer(video):
            frames += 1
            poses += len(result["predictions"][0])
    meter.tell(frames=frames, poses=poses)


if __name__ == "__main__":
    main()
