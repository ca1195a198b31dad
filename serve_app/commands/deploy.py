"""`mmpose-service deploy`: `serve deploy` that refuses a wrong config and waits for the end."""

from pathlib import Path
from typing import Any

import click
import yaml

from deployments.errors import ConfigurationError, UnreachableError
from serve_app.check import check_config
from serve_app.commands.rollout import wait_until_running


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
    wait_until_running(lambda: client.get_serve_details()["applications"], timeout_s)


def _client(address: str) -> Any:
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    try:
        return ServeSubmissionClient(address)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UnreachableError(
            f"no Ray dashboard at {address}: {' '.join(str(error).split())}",
            hint="Start one by `ray start --head`, or name it with --address.",
        ) from error
