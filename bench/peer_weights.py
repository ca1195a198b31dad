"""Weights for the comparison with peers, and a video of any length.

Published weights of RTMPose-m may not be at hand; the time of a network does not depend on its
weights, so that random weights will do: as `.pth` for MMPose and this project, and
exported to ONNX for rtmlib.
"""

import json
import os
import subprocess
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import torch

from deployments.pose.registry import ModelEntry, load_model_config
from serve_app.setting_types import ROOT
from tests.support.random_networks import quiet, random_pose_network
from tools.serving import BIN

CONFIG = ROOT / "config" / "model_config.json"
KEY = "rtmpose_medium"
FOLDER = ROOT / "out" / "peers"
WEIGHTS = FOLDER / "weights"
STAND_INS = {"MMPOSE_POSE_MODEL": "movenet_lightning", "MMPOSE_DETECTOR": "rtmdet_nano_onnx"}
"""Variables that choose the two networks of shared/weights."""


class _Exported(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.network.head(self.network.extract_feat(inputs))  # type: ignore[no-any-return, operator]


def rtmpose_m(folder: Path = WEIGHTS) -> tuple[Path, Path, Path]:
    """``(checkpoint, export, registry)`` of an RTMPose-m of random weights, made if not there."""
    checkpoint, export, registry = (
        folder / name for name in ("rtmpose-m.pth", "rtmpose-m.onnx", "registry.json")
    )
    if not export.exists():
        network = of_random_weights(load_model_config(CONFIG).entry(KEY), checkpoint)
        with quiet():
            torch.onnx.export(
                _Exported(network),
                (torch.zeros(1, 3, 256, 192),),
                str(export),
                input_names=["input"],
                output_names=["simcc_x", "simcc_y"],
                dynamic_axes={name: {0: "n"} for name in ("input", "simcc_x", "simcc_y")},
                dynamo=False,
            )
    document = json.loads(CONFIG.read_text())
    model = document["models"][KEY]
    model |= {"checkpoint": str(checkpoint.resolve()), "name": "RTMPose-m, random weights"}
    del model["sha256"]
    registry.write_text(json.dumps(document))
    return checkpoint, export, registry


def of_random_weights(entry: ModelEntry, checkpoint: Path) -> torch.nn.Module:
    """The pose network of ``entry`` with random weights, written to ``checkpoint``, too."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    pictures = np.random.default_rng(0).integers(0, 255, (4, 256, 192, 3), np.uint8)
    network: torch.nn.Module = random_pose_network(entry, pictures)
    # Without a log of its training, for which torch would ask whether to trust the file.
    torch.save({"state_dict": network.state_dict(), "meta": {}}, checkpoint)
    return network


def in_int8(registry: Path, video: Path, folder: Path) -> Path:
    """``folder``, with the registry's RTMPose in int8, fitted to ``video``; made if not there.

    Random weights have no keypoints that could stay where they are.
    """
    if not folder.exists():
        command: list[str | Path] = [BIN / "mmpose-service", "quantize", video]
        command += ["--out", folder, "--shift-px", "1000"]
        subprocess.run(
            command,
            env={
                **os.environ,
                **STAND_INS,
                "MMPOSE_POSE_MODEL": KEY,
                "MMPOSE_CONFIG": str(registry),
            },
            check=True,
            cwd=ROOT,
        )
    return folder


def long_clip(
    source: Path, seconds: float, out: Path, size: tuple[int, int] = (1920, 1080)
) -> Path:
    """``source`` forth and back at 30 frames a second for so long, in H.264 of (width, height)."""
    if out.exists():
        return out
    with av.open(str(source)) as container:
        frames = [
            frame.reformat(*size, "yuv420p").to_ndarray() for frame in container.decode(video=0)
        ]
    made = out.with_suffix(".part.mp4")
    with av.open(str(made), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "20", "g": "60"}
        stream.codec_context.thread_type = "FRAME"
        there_and_back = cycle([*range(len(frames)), *range(len(frames) - 2, 0, -1)])
        for i, at in zip(range(round(30 * seconds)), there_and_back, strict=False):
            frame = av.VideoFrame.from_ndarray(frames[at], format="yuv420p")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    made.rename(out)
    return out
