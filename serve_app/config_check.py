"""Find the mistakes of a serve config before it is deployed.

Serve ignores unknown keys silently, and a replica that does not fit, or a batch that
never fills, only shows as slowness; `serve deploy` ends with 0 for all of them.
"""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from ray.serve.schema import ServeDeploySchema

from deployments.errors import ServiceError, WeightsMissingError
from deployments.pose.deployment import MODELS, BatchConfig
from deployments.pose.weights import find_weights
from deployments.pose_calls import crops_a_call
from deployments.roles import POSE_ROLES, ModelRole
from serve_app.access.modes import access_mode, require_choice
from serve_app.access.serve_config import IMPORT_PATH, host_of
from serve_app.app import DEPLOYMENTS
from serve_app.live_config import LiveConfig
from serve_app.model_plan import plan_models
from serve_app.settings import Settings, load_settings

_USER_CONFIG: dict[str, type[BaseModel]] = {
    "Ingress": LiveConfig,
    **{deployment.name: BatchConfig for deployment in MODELS.values()},
}
_POSE = tuple(MODELS[role].name for role in POSE_ROLES)
_STATED = ("num_cpus", "num_gpus")


def check_config(path: Path) -> list[str]:
    """List the problems of a serve config file, each a sentence that names the key."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return [f"it cannot be read: {' '.join(str(error).split())}"]
    if not isinstance(document, dict):
        return ["it is not a mapping"]
    problems = list(_unknown_keys(ServeDeploySchema, document, ""))
    try:
        ServeDeploySchema.model_validate(document)
    except ValidationError as error:
        return problems + _explained("", error)
    if "host" not in document.get("http_options", {}):
        problems.append("http_options.host is not set, and would be all interfaces")
    if document.get("grpc_options", {}).get("grpc_servicer_functions"):
        problems.append("grpc_options would let callers reach the graph without a key")
    for i, application in enumerate(document["applications"]):
        if application["import_path"] == IMPORT_PATH:
            problems += _application(application, f"applications[{i}].", host_of(document))
    return problems


def weights_on_this_machine(path: Path) -> Iterator[str]:
    """List where the checkpoints of a valid config are, or were searched for."""
    for application in yaml.safe_load(path.read_text("utf-8"))["applications"]:
        if application["import_path"] != IMPORT_PATH:
            continue
        plan = plan_models(load_settings(application.get("args", {})))
        for role in ModelRole:
            for entry in () if plan.choices[role].disabled else plan.choices[role].entries:
                try:
                    yield f"{role}: {entry.name} is {find_weights(entry, plan.search)}"
                    break
                except WeightsMissingError as error:
                    yield f"{role}: {error}"


def _application(application: Mapping[str, Any], where: str, host: str) -> Iterator[str]:
    settings: Settings | None = None
    try:
        settings = load_settings(application.get("args", {}))
        plan_models(settings)
    except ServiceError as error:
        yield f"{where}args: {error}"
    if settings is not None:
        try:
            require_choice(access_mode(settings), host)
        except ServiceError as error:
            yield f"{where}args: {error}"
    names = {deployment.name for deployment in DEPLOYMENTS}
    deployments = {d["name"]: d for d in application.get("deployments", [])}
    for name in sorted(deployments.keys() - names):
        yield f"{where}deployments: the graph has no {name}{_instead(name, names)}"
    for name in sorted(names - deployments.keys()):
        yield f"{where}deployments: {name} is missing, Serve's defaults do not suit it"
    for name in sorted(names & deployments.keys()):
        yield from _deployment(deployments[name], f"{where}{name}.", settings)


def _deployment(
    deployment: Mapping[str, Any], where: str, settings: Settings | None
) -> Iterator[str]:
    name, most = deployment["name"], deployment.get("max_ongoing_requests")
    if most is None:
        yield f"{where}max_ongoing_requests is not set"
    options = deployment.get("ray_actor_options", {})
    for resource in _STATED:
        if resource not in options:
            yield f"{where}ray_actor_options.{resource} is not set"
    gpus = options.get("num_gpus", 0)
    if gpus > 1 and gpus != int(gpus):
        yield f"{where}ray_actor_options.num_gpus is {gpus}: above 1, only whole GPUs"
    target = (deployment.get("autoscaling_config") or {}).get("target_ongoing_requests")
    if target is not None and most is not None and target >= most:
        yield f"{where}autoscaling_config never scales: its target is not below {most}"
    user_config = deployment.get("user_config") or {}
    model = _USER_CONFIG.get(name)
    if model is None:
        yield from (f"{where}user_config.{key} is not known" for key in user_config)
        return
    try:
        config = model.model_validate(user_config)
    except ValidationError as error:
        yield from _explained(f"{where}user_config.", error)
        return
    if isinstance(config, BatchConfig) and name in _POSE and settings is not None and most:
        crops = crops_a_call(settings.batch_size)
        if config.max_batch_size > most * crops:
            yield (
                f"{where}user_config.max_batch_size never fills: {most} ongoing requests of "
                f"{crops} crops are {most * crops}"
            )


def _unknown_keys(model: type[BaseModel], document: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, value in document.items():
        field = model.model_fields.get(key)
        if field is None:
            yield f"{where}{key} is not a key{_instead(key, set(model.model_fields))}"
            continue
        inner = _model_in(field.annotation)
        if inner is None:
            continue
        if isinstance(value, dict):
            yield from _unknown_keys(inner, value, f"{where}{key}.")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, dict):
                    yield from _unknown_keys(inner, item, f"{where}{key}[{i}].")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the pydantic model that an annotation names, alone, in a list or as an alternative."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _instead(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; {close[0]} is" if close else ""


def _explained(where: str, error: ValidationError) -> list[str]:
    return [f"{where}{'.'.join(map(str, i['loc']))}: {i['msg']}" for i in error.errors()]
