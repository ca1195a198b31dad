"""`mmpose-service deploy`: `serve deploy` that refuses a wrong config and waits for the end."""

import time
from pathlib import Path
from typing import Any

import click
import yaml

from deployments.errors import ConfigurationError, NotReadyError, UnreachableError
from serve_app.check import check_config
from serve_app.commands.progress import STDERR

_POLL_S = 1.0


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--address",
    envvar="RAY_DASHBOARD_ADDRESS",
    default="http://127.0.0.1:8265",
    show_default=True,
    help="Of the cluster's dashboard.",
)
@click.option("--timeout", "timeout_s", default=600.0, show_default=True, help="Seconds to wait.")
def deploy(config: Path, address: str, timeout_s: float) -> None:
    """Check CONFIG, deploy it and wait until every application runs.

    Exit codes: 2 the config is wrong, 1 the cluster cannot be reached or a deployment failed, 3 it
    was not running in time.
    """
    problems = check_config(config)
    if problems:
        raise ConfigurationError(f"{config}: {'; '.join(problems)}")
    client = _client(address)
    client.deploy_applications(yaml.safe_load(config.read_text("utf-8")))
    end = time.monotonic() + timeout_s
    last = ""
    while True:
        applications = client.get_serve_details()["applications"]
        state = _in_words(applications)
        if state != last:
            STDERR.print(state)
            last = state
        statuses = {application["status"] for application in applications.values()}
        if statuses == {"RUNNING"}:
            return
        if "DEPLOY_FAILED" in statuses:  # UNHEALTHY passes, while a replica is replaced
            STDERR.print(_messages(applications))
            raise click.exceptions.Exit(1)
        if time.monotonic() >= end:
            raise NotReadyError(
                f"not running after {timeout_s:g} s: {state}",
                hint="Replicas that do not fit wait without a word: see `ray status`.",
            )
        time.sleep(_POLL_S)


def _client(address: str) -> Any:
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    try:
        return ServeSubmissionClient(address)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UnreachableError(
            f"no Ray dashboard at {address}: {' '.join(str(error).split())}",
            hint="Start one by `ray start --head`, or name it with --address.",
        ) from error


def _in_words(applications: dict[str, Any]) -> str:
    lines = []
    for name, application in applications.items():
        states = [
            f"{key} {deployment['status']}"
            for key, deployment in application["deployments"].items()
            if deployment["status"] != "HEALTHY"
        ]
        lines.append(f"{name}: {application['status']}" + "".join(f", {s}" for s in states))
    return "\n".join(lines)


def _messages(applications: dict[str, Any]) -> str:
    told = [application["message"] for application in applications.values()]
    for application in applications.values():
        told += [
            f"{key}: {deployment['message']}"
            for key, deployment in application["deployments"].items()
        ]
    return "\n".join(message for message in told if message.strip(": "))
