"""From a training's checkpoint to a file as MMPose publishes them, in half precision."""

from pathlib import Path
from typing import Any

import torch

from deployments.pose.weights import sha256_of

TRAINING_ONLY = "cells."
"""Prefix of the weights of :mod:`tools.training.coarse`, of no use to a user."""


def export(checkpoint: Path, target: Path, meta: dict[str, Any]) -> str:
    """Write the averaged weights of ``checkpoint`` alone; gives the file's sha256.

    Args:
        checkpoint: of MMEngine's runner, with an EMA hook.
        target: ``.pth`` file to write. meta: goes into the file.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)  # our own file
    averaged = content.get("ema_state_dict")
    if averaged is None:
        state = content["state_dict"]
    else:
        state = {n.removeprefix("module."): v for n, v in averaged.items() if n != "steps"}
    kept = {
        name: value.half() if value.is_floating_point() else value
        for name, value in state.items()
        if not name.startswith(("data_preprocessor.", TRAINING_ONLY))
        and not name.endswith("num_batches_tracked")
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": kept, "meta": meta}, target)
    return sha256_of(target)
