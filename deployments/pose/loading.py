"""Load a model that answers from a registry entry."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deployments.errors import ModelError, UnknownModelError, WeightsMissingError
from deployments.messages import ModelStatus
from deployments.pose.calibration import calibrated
from deployments.pose.families import FAMILIES
from deployments.pose.families.family import by_openvino
from deployments.pose.interface import PersonDetector, PoseModel
from deployments.pose.model_options import EngineOptions
from deployments.pose.published import Task
from deployments.pose.registry import EntryRole, ModelConfig, ModelEntry
from deployments.pose.weights import find_weights, verify
from deployments.roles import ModelRole

logger = logging.getLogger("mmpose_service")


def load_pose_model(
    entry: ModelEntry, checkpoint: Path, options: EngineOptions, role: ModelRole
) -> PoseModel:
    """Load a pose network: ``.pth`` by what the options say, others by OpenVINO.

    Args:
        entry: what it is. checkpoint: its file. options: how to run it.
        role: for the status.

    Raises:
        WeightsCorruptError: damaged, or another network.
        ConfigurationError: the device is not here, or the entry does not fit its config.
    """
    verify(entry, checkpoint)
    if by_openvino(checkpoint, options):
        from deployments.pose.engines.openvino_engine import OpenVinoPose

        return OpenVinoPose(entry, checkpoint, options, role)
    from deployments.pose.engines.torch_engine import TorchPose

    return TorchPose(entry, checkpoint, options, role)


def load_detector(entry: ModelEntry, checkpoint: Path, options: EngineOptions) -> PersonDetector:
    """Load a person detector: ``.pth`` by what the options say, others by OpenVINO.

    Raises:
        WeightsCorruptError: damaged, or another network.
        ConfigurationError: the device is not here, or its config.
    """
    verify(entry, checkpoint)
    return FAMILIES[entry.family].detector(entry, checkpoint, options)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Models that a stage may load, best first.

    Attributes:
        role: in which it answers.
        entries: in order of preference. The next one is taken only where a file is missing; a
            damaged file is an error, never a reason to answer with another model silently.
        disabled: why nothing is to be loaded, or None.
    """

    role: ModelRole
    entries: tuple[ModelEntry, ...]
    disabled: str | None = None

    def load(
        self, search: Sequence[Path], options: EngineOptions
    ) -> PoseModel | PersonDetector | ModelStatus:
        """Load the first model whose file is there; a status that says why if there is none.

        Raises:
            ConfigurationError: a setting does not fit this machine or the model.
        """
        if self.disabled:
            return ModelStatus(role=self.role, loaded=False, reason=self.disabled, code="disabled")
        missing = []
        for entry in self.entries:
            try:
                checkpoint = find_weights(entry, search)
            except WeightsMissingError as error:
                logger.warning("%s", error)
                missing.append(
                    f"{error.detail}; {'get it by: ' if entry.sources else ''}{error.hint}"
                )
                continue
            options = replace(options, flip_test=options.flip_test or entry.flip_test)
            if missing:
                logger.warning("%s answers as %s: %s", entry.name, self.role, "; ".join(missing))
            try:
                if self.role == ModelRole.DETECTOR:
                    return load_detector(entry, checkpoint, options)
                model = load_pose_model(entry, checkpoint, options, self.role)
                return calibrated(model, options.calibrations, options.flip_test)
            except ModelError as error:
                logger.error("%s", error)  # noqa: TRY400  the detail is the whole story
                return ModelStatus(
                    role=self.role,
                    loaded=False,
                    key=entry.key,
                    name=entry.name,
                    reason=f"{error.detail}; {error.hint}",
                    code=error.code,
                )
        reason = missing[0] if missing else f"the registry has no enabled model for {self.role}"
        code = WeightsMissingError.code if missing else UnknownModelError.code
        return ModelStatus(role=self.role, loaded=False, reason=reason, code=code)


def choose(
    config: ModelConfig, role: ModelRole, key: str | None, *, enabled: bool = True
) -> ModelChoice:
    """Return the models of the registry that a stage may load.

    Args:
        config: the registry.
        role: the primary pose model and the detector are those that the registry calls primary,
            else the default network; the fallback is the one that it calls so.
        key: entry that takes the first place, or None.
        enabled: False leaves the stage empty, and says so.

    Raises:
        UnknownModelError: no entry is called ``key``, or it is of the other task.
    """
    if not enabled:
        return ModelChoice(role, (), f"{role} is disabled by the settings")
    task: Task = "detect" if role == ModelRole.DETECTOR else "pose"
    roles: tuple[EntryRole, ...] = ("primary", "default")
    if role == ModelRole.FALLBACK:
        roles = ("fallback",)
    entries = [e for r in roles for e in config.candidates(task, r)]
    if key:
        if config.entry(key).task != task:
            fitting = ", ".join(e.key for e in config.models.values() if e.task == task)
            raise UnknownModelError(f"{key!r} cannot be {role}; those that can are {fitting}")
        entries = [config.entry(key), *(e for e in entries if e.role in roles[1:])]
    return ModelChoice(role, tuple(dict.fromkeys(entries)))
