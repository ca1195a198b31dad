"""Plan the models of the settings, and choose those that answer a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biomech.applications.norms_and_limits import Guidelines
from biomech.config import EnabledOutputs
from deployments.biomechanics.guideline_files import load_guidelines
from deployments.errors import NotReadyError, WeightsMissingError
from deployments.messages import ModelStatus
from deployments.pose.calibration import load_calibrations
from deployments.pose.loading import ModelChoice, choose
from deployments.pose.model_options import EngineOptions
from deployments.pose.registry import ModelConfig, load_model_config
from deployments.pose.weights import default_search
from deployments.roles import POSE_ROLES, ModelRole
from serve_app.setting_types import ROOT
from serve_app.settings import Settings


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """Models to load by role with their options, and the config of the biomechanics."""

    config: ModelConfig
    choices: Mapping[ModelRole, ModelChoice]
    search: tuple[Path, ...]
    options: EngineOptions
    guidelines: Guidelines

    @property
    def parts(self) -> EnabledOutputs:
        """Return the parts of the biomechanics that the registry enables."""
        return EnabledOutputs(**self.config.biomechanics.model_dump())


def plan_models(settings: Settings) -> ModelPlan:
    """Plan the models by ``settings``.

    Raises:
        ConfigurationError: the registry file, or the calibration, is wrong.
        UnknownModelError: a setting names a model that is not in it.
    """
    config = load_model_config(settings.config)
    enabled = {
        ModelRole.PRIMARY: settings.rtmpose_enabled,
        ModelRole.FALLBACK: settings.hrnet_enabled,
    }
    keys = {ModelRole.PRIMARY: settings.pose_model, ModelRole.DETECTOR: settings.detector}
    return ModelPlan(
        config=config,
        choices={
            role: choose(config, role, keys.get(role), enabled=enabled.get(role) is not False)
            for role in ModelRole
        },
        search=default_search(ROOT, settings.weights_dir),
        options=EngineOptions(
            device=settings.device,
            engine=settings.engine,
            precision="mixed" if settings.mixed_precision else "fp32",
            quantized=settings.quantized,
            flip_test=settings.flip_test,
            threads=settings.threads,
            use_compiled_ops=settings.mmcv_with_ops,
            batch=settings.batch_size,
            share_batches=config.performance.batch_processing,
            cache_dir=settings.cache_dir,
            calibrations=load_calibrations(settings.calibration) if settings.calibration else (),
        ),
        guidelines=load_guidelines(
            settings.rules,
            settings.mdc,
            settings.norms,
            settings.reference_result,
            settings.previous_result,
        ),
    )


def pose_order(statuses: Mapping[ModelRole, ModelStatus], wanted: str) -> tuple[ModelRole, ...]:
    """Return the roles of the pose models to ask, in order.

    The primary before the fallback, and either before a stand-in (a model with a notice).

    Args:
        statuses: by role. wanted: ``auto``, or the one role to ask, by its name on the wire.

    Raises:
        WeightsMissingError: none of them, or no detector, has its weights here.
        NotReadyError: none of them, or no detector, is loaded for another reason, which it says.
    """
    roles = POSE_ROLES if wanted == "auto" else (ModelRole(wanted),)
    loaded = [role for role in roles if role in statuses and statuses[role].loaded]
    needed = {role: statuses.get(role) for role in (*(() if loaded else roles), ModelRole.DETECTOR)}
    absent = {role: s for role, s in needed.items() if s is None or not s.loaded}
    if absent:
        detail = "; ".join(f"{r}: {s.reason if s else 'no answer yet'}" for r, s in absent.items())
        codes = {s.code if s else None for s in absent.values()}
        if WeightsMissingError.code in codes and None not in codes:
            raise WeightsMissingError(
                detail, hint="Where the service runs: mmpose-service models download"
            )
        raise NotReadyError(detail)
    return tuple(sorted(loaded, key=lambda role: statuses[role].notice is not None))
