"""Build the answer of `/healthz` from the states of the models."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Literal

from deployments.errors import NotReadyError, WeightsMissingError
from deployments.messages import ModelStatus
from deployments.roles import POSE_ROLES, ModelRole
from serve_app.http.problems import without_paths
from serve_app.model_plan import ModelPlan, pose_order
from serve_app.results.health_schema import (
    Health,
    HealthModelInfo,
    HealthModels,
    HealthService,
)
from serve_app.versions import SERVICE_DISTRIBUTION, package_version, system


def report(plan: ModelPlan, statuses: Mapping[ModelRole, ModelStatus]) -> Health:
    """Report health by the registry's plan and the statuses by role.

    ``healthy``: the planned models answer. ``degraded``: others do (the fallback, or the default
    network). ``not_ready``: none can. ``reasons`` also tell of a fallback that is not
    there.
    """
    statuses = {role: _public(status) for role, status in statuses.items()}
    try:
        answering = statuses[pose_order(statuses, "auto")[0]]
        ready, reasons = True, []
    except (NotReadyError, WeightsMissingError) as error:
        answering, ready, reasons = None, False, [error.detail]
    for role in ModelRole:
        reasons += _shortfalls(plan, role, statuses.get(role), ready)
    loaded = {role: bool(s and s.loaded) for role in ModelRole for s in [statuses.get(role)]}
    return Health(
        status=_status(plan, answering, statuses),
        service=HealthService(
            service=plan.config.service,
            version=package_version(SERVICE_DISTRIBUTION),
            config_loaded=True,
        ),
        models=HealthModels(
            rtmpose_loaded=loaded[ModelRole.PRIMARY] and not statuses[ModelRole.PRIMARY].notice,
            hrnet_available=loaded[ModelRole.FALLBACK],
            mmcv_cuda=any(
                s.nms == "compiled" and s.device.startswith("cuda") for s in statuses.values()
            ),
            model_info=HealthModelInfo(
                name=answering.name if answering else None,
                source=answering.source if answering else None,
                config=answering.config if answering else None,
            ),
            detector_loaded=loaded[ModelRole.DETECTOR],
            stages={str(role): asdict(status) for role, status in statuses.items()},
        ),
        system=system(next((s.gpu for s in statuses.values() if s.gpu), None)),
        reasons=reasons,
    )


def _public(status: ModelStatus) -> ModelStatus:
    return replace(status, reason=status.reason and without_paths(status.reason))


def _status(
    plan: ModelPlan, answering: ModelStatus | None, statuses: Mapping[ModelRole, ModelStatus]
) -> Literal["healthy", "degraded", "not_ready"]:
    if answering is None:
        return "not_ready"
    planned = next(role for role in POSE_ROLES if not plan.choices[role].disabled)
    noted = answering.notice or statuses[ModelRole.DETECTOR].notice
    return "healthy" if answering.role == planned and not noted else "degraded"


def _shortfalls(
    plan: ModelPlan, role: ModelRole, status: ModelStatus | None, ready: bool
) -> list[str]:
    """Describe how a role falls short of the plan."""
    if plan.choices[role].disabled:
        return []
    if status is None:
        return [f"{role}: no answer yet"]
    if not status.loaded:
        return [f"{role}: {status.reason}"] if ready else []
    if status.notice:
        return [f"{role}: {status.name} is {status.notice}"]
    return []
