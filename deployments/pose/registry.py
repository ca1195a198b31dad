"""The registry of models, read from ``config/model_config.json``.

The file is a superset of the specification's: what an entry leaves out is completed from the
published facts of its config name.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployments.errors import ConfigurationError, UnknownModelError
from deployments.pose.published import PUBLISHED, Codec, Family, Task

Role = Literal["primary", "fallback", "stand_in", "optional"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model that can be loaded.

    Attributes:
        key: name in the registry. name: for people.
        config: name as the specification writes it.
        mm_config: ``package::path`` of the MMPose or MMDetection config.
        checkpoint: file name or path, ``.pth`` or ``.onnx``.
        sha256: whole digest, or its first 8 digits, or None where none is known.
        url: where it is published, or None.
        input_size: (width, height).
        role: primary and fallback answer by default, a stand-in where their weights are missing.
        published_ap: COCO AP in per cent.
        notice: what a user of its results must know.
    """

    key: str
    name: str
    task: Task
    family: Family
    config: str
    mm_config: str
    checkpoint: str
    sha256: str | None
    url: str | None
    input_size: tuple[int, int]
    codec: Codec
    enabled: bool = True
    role: Role = "optional"
    published_ap: float | None = None
    notice: str | None = None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    enabled: bool = True
    config: str
    name: str | None = None
    checkpoint: str | None = None
    sha256: str | None = Field(None, pattern="^[0-9a-f]{8,64}$")
    url: str | None = None
    fallback: bool = False
    role: Role | None = None
    notice: str | None = None


class BiomechanicsFlags(_Strict):
    """Which parts of the biomechanics are computed."""

    joint_angle_analysis: bool = True
    symmetry_detection: bool = True
    stability_assessment: bool = True
    movement_quality: bool = True


class Performance(_Strict):
    """Defaults that environment variables and requests override."""

    confidence_threshold: float = Field(0.3, ge=0, le=1)
    max_concurrent_requests: int = Field(4, ge=1)
    batch_processing: bool = True


class _File(_Strict):
    service: str
    version: str
    models: dict[str, _Entry]
    biomechanics: BiomechanicsFlags = BiomechanicsFlags()
    performance: Performance = Performance()


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The whole file, completed."""

    service: str
    version: str
    models: dict[str, ModelEntry]
    biomechanics: BiomechanicsFlags
    performance: Performance

    def entry(self, key: str) -> ModelEntry:
        """The entry called ``key``.

        Raises:
            UnknownModelError: there is none.
        """
        try:
            return self.models[key]
        except KeyError:
            raise UnknownModelError(
                f"no model is called {key!r}; there are {', '.join(self.models)}"
            ) from None

    def candidates(self, task: Task, role: Role) -> list[ModelEntry]:
        """Enabled entries of a task and role, in the file's order."""
        return [e for e in self.models.values() if e.enabled and e.task == task and e.role == role]


def load_model_config(path: Path) -> ModelConfig:
    """Read a registry file.

    Raises:
        ConfigurationError: missing, not JSON, an unknown key or config name, or a wrong value.
    """
    try:
        file = _File.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}", file=str(path)) from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise ConfigurationError(f"{path}: {wrong}", file=str(path)) from error
    return ModelConfig(
        service=file.service,
        version=file.version,
        models={key: _complete(key, entry, path) for key, entry in file.models.items()},
        biomechanics=file.biomechanics,
        performance=file.performance,
    )


def _complete(key: str, entry: _Entry, path: Path) -> ModelEntry:
    facts = PUBLISHED.get(entry.config)
    if facts is None:
        raise ConfigurationError(
            f"{path}: models.{key}.config: {entry.config!r} is not a known config; "
            f"known are {', '.join(PUBLISHED)}",
            file=str(path),
        )
    # A checkpoint of another name is not the published one: its digest and AP do not hold for it.
    published = entry.checkpoint is None or Path(entry.checkpoint).name == facts.checkpoint
    default_role: Role = "fallback" if entry.fallback else "optional"
    if entry.role is None and key == "rtmpose_medium":
        default_role = "primary"
    return ModelEntry(
        key=key,
        name=entry.name or facts.name,
        task=facts.task,
        family=facts.family,
        config=entry.config,
        mm_config=facts.mm_config,
        checkpoint=entry.checkpoint or facts.checkpoint,
        sha256=entry.sha256 or (facts.sha256 if published else None),
        url=entry.url or (facts.url if published else None),
        input_size=facts.input_size,
        codec=facts.codec,
        enabled=entry.enabled,
        role=entry.role or default_role,
        published_ap=facts.ap if published else None,
        notice=entry.notice,
    )
