"""Implement `mmpose-service deploy`: check a config, deploy it, and wait until it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import yaml

from deployments.errors import ConfigurationError, UnreachableError
from serve_app.cli.json_output import json_option, print_json
from serve_app.cli.rollout import wait_until_running
from serve_app.config_check import check_config
from serve_app.ray_token import read_token


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--address",
    envvar="RAY_DASHBOARD_ADDRESS",
    default="http://127.0.0.1:8265",
    show_default=True,
    help="Address of the cluster's Ray dashboard.",
)
@click.option("--timeout", "timeout_s", default=600.0, show_default=True, help="Seconds to wait.")
@json_option
def deploy(config: Path, address: str, timeout_s: float, as_json: bool) -> None:
    """Check CONFIG, deploy it and wait until every application runs.

    The cluster's token is read from where Ray looks for it, else from where `mmpose-service serve`
    stores it. --json prints the status of each application and its deployments.

    Exit codes: 2 the config or the token is wrong, 1 the cluster cannot be reached or a deployment
    failed, 3 it was not running in time.
    """
    problems = check_config(config)
    if problems:
        raise ConfigurationError(f"{config}: {'; '.join(problems)}")
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    token = read_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with _errors_of(address):
        client = ServeSubmissionClient(address, headers=headers)
        client.deploy_applications(yaml.safe_load(config.read_text("utf-8")))

    def applications() -> Mapping[str, Any]:
        with _errors_of(address):
            found: Mapping[str, Any] = client.get_serve_details()["applications"]
            return found

    running = wait_until_running(applications, timeout_s)
    if as_json:
        print_json(
            {
                name: {
                    "status": application["status"],
                    "deployments": {
                        key: deployment["status"]
                        for key, deployment in application["deployments"].items()
                    },
                }
                for name, application in running.items()
            }
        )


@contextmanager
def _errors_of(address: str) -> Iterator[None]:
    """Convert errors of the dashboard at ``address`` to errors of the service."""
    from ray.exceptions import AuthenticationError
    from requests import RequestException

    try:
        yield
    except AuthenticationError as error:
        raise ConfigurationError(
            f"{address} requires the token of its Ray: "
            + ("the one found here is refused" if read_token() else "none is found here"),
            hint="Copy the token's file from the cluster and set RAY_AUTH_TOKEN_PATH to the copy.",
        ) from error
    except (ConnectionError, RequestException, ValueError, RuntimeError) as error:
        raise UnreachableError(
            f"Ray's dashboard at {address}: {' '.join(str(error).split())}",
            hint="Start Ray with `ray start --head`, or give the dashboard's --address.",
        ) from error
