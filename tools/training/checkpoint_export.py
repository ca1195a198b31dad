"""From a training's checkpoint to a file as MMPose publishes them, in half precision."""

from pathlib import Path
from typing import Any

import torch

from deployments.file_digest import sha256_of

TRAINING_ONLY = "cells."
"""Prefix of the weights of :mod:`tools.training.coarse`, of no use to a user."""


def export(checkpoint: Path, target: Path, meta: dict[str, Any]) -> str:
    """Write the averaged weights of ``checkpoint`` alone; gives the file's sha256.

    Args:
        checkpoint: of MMEngine's runner, whose EMA hook saves the averages as the model's own.
        target: ``.pth`` file to write. meta: goes into the file.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)  # our own file
    kept = {
        name: value.half() if value.is_floating_point() else value
        for name, value in content["state_dict"].items()
        if not name.startswith(("data_preprocessor.", TRAINING_ONLY))
        and not name.endswith("num_batches_tracked")
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": kept, "meta": meta}, target)
    return sha256_of(target)
