"""Describe engines in the state of a model."""

from pathlib import Path

from deployments.file_digest import sha256_of
from deployments.messages import ModelStatus
from deployments.pose.families import FAMILIES
from deployments.pose.registry import ModelEntry
from deployments.roles import ModelRole


def status_of(
    entry: ModelEntry,
    checkpoint: Path,
    role: ModelRole,
    *,
    engine: str,
    device: str,
    precision: str,
    nms: str = "",
    gpu: str | None = None,
) -> ModelStatus:
    """Return the status of a loaded model."""
    return ModelStatus(
        role=role,
        loaded=True,
        key=entry.key,
        name=entry.name,
        config=entry.config,
        source="mmpose_hub" if entry.url and FAMILIES[entry.family].of_openmmlab else "local_file",
        engine=engine,
        device=device,
        precision=precision,
        input_size=entry.input_size,
        checkpoint=checkpoint.name,
        nms=nms,
        gpu=gpu,
        notice=entry.notice,
        sha256=sha256_of(checkpoint),
    )
