"""Implement `mmpose-service serve`: run the graph on this machine with its own Ray."""

import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import ValidationError

from deployments.errors import ConfigurationError
from serve_app.ray_token import ensure_token
from serve_app.setting_types import CONFIG_FOLDER

CONFIG = CONFIG_FOLDER / "serve.local.yaml"
_RAY_ENVIRONMENT = CONFIG_FOLDER / "ray.local.env"


@click.command()
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=CONFIG
)
@click.option(
    "--dashboard",
    is_flag=True,
    help="Also start Ray's dashboard, which `serve status` and `mmpose-service deploy` need. "
    "Anyone who can reach it can run code, and the graph starts later.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=8.0,
    show_default=True,
    help="Seconds for requests under way to finish at shutdown; the others get 503.",
)
@click.pass_context
def serve(context: click.Context, config: Path, dashboard: bool, grace: float) -> None:
    """Run the graph of CONFIG (config/serve.local.yaml) on this machine until interrupted.

    SIGINT and SIGTERM stop the graph and its Ray; the exit code is 0 if the graph ran. No new
    requests are admitted, and requests under way have --grace seconds to finish. A second signal
    ends them at once.

    Ray uses the settings of config/ray.local.env, unless the environment sets them. It accepts only
    callers with its token; if there is none, one is created that only this user can read.

    Exit codes: 1 a deployment failed; 2 CONFIG is wrong, its port is in use, the token cannot be
    created, or everybody on a network could call.
    """
    document = _document(config)
    _check_port(document["http_options"])
    for name, value in ray_environment().items():
        os.environ.setdefault(name, value)
    token = None if os.environ["RAY_AUTH_MODE"] == "disabled" else ensure_token()
    if token is not None and token.stat().st_mode & 0o077:
        click.echo(f"warning: others can read Ray's token; run: chmod 600 {token}", err=True)
    # Imported here, as it reads the environment.
    import ray.serve
    from ray.serve.scripts import run

    access = _access(config, document)
    # Until all processes of Ray have started, it does not know them and cannot stop them.
    early: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: early.append(number))
    try:
        try:
            ray.init(address="local", namespace="serve", include_dashboard=dashboard)
        except SystemExit:  # raised by Ray's SIGTERM handler while it starts
            early.append(signal.SIGTERM)
        # Ray's handler aborts without cleaning up; background jobs of a shell ignore SIGINT.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        if early:
            raise KeyboardInterrupt
        try:
            context.invoke(run, config_or_import_path=str(config), blocking=False)
        except SystemExit as ended:  # exits 0 even after an error, which it has printed
            raise click.exceptions.Exit(1) from ended
        # Imported while replicas start, so as not to delay them.
        from serve_app.cli.drain import drain
        from serve_app.cli.progress_bar import STDERR
        from serve_app.cli.rollout import wait_until_running

        wait_until_running(_applications)
        for line in access:
            STDERR.print(line)
        if token is not None:
            STDERR.print(
                f"To submit Ray jobs, load config/ray.local.env and set RAY_AUTH_TOKEN_PATH={token}"
            )
        STDERR.print("Interrupt to end.")
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
        with suppress(KeyboardInterrupt):
            drain(grace)
    finally:
        if ray.is_initialized():
            ray.serve.shutdown()
        ray.shutdown()


def _document(config: Path) -> dict[str, Any]:
    """Read CONFIG and add ``http_options`` if missing.

    Raises:
        ConfigurationError: CONFIG cannot be read, or it or its ``http_options`` is not a mapping.
    """
    try:
        document = yaml.safe_load(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(config) from error
    if not isinstance(document, dict) or not isinstance(
        document.setdefault("http_options", {}), dict
    ):
        raise _wrong(config)
    return document


def _access(config: Path, document: dict[str, Any]) -> list[str]:
    """Return lines that say who may call the applications of CONFIG.

    Raises:
        ConfigurationError: CONFIG does not fit Serve's schema, everybody on a network could call,
            or keys cannot be read.
    """
    from ray.serve.schema import ServeDeploySchema

    from serve_app.access.serve_config import require_access

    try:
        ServeDeploySchema.model_validate(document)
    except ValidationError as error:
        raise _wrong(config) from error
    return list(require_access(document))


def _wrong(config: Path) -> ConfigurationError:
    """Return an error that lists the problems of CONFIG."""
    from serve_app.config_check import check_config  # imported late: it imports many modules

    return ConfigurationError(f"{config}: {'; '.join(check_config(config))}")


def _check_port(options: Mapping[str, Any]) -> None:
    """Check that the HTTP port is free.

    If it were not, Serve's proxy would fail repeatedly while the applications count as running.

    Raises:
        ConfigurationError: the host and port of ``options`` cannot be listened on.
    """
    host, port = options.get("host", ""), options.get("port", 8000)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError, TypeError) as error:
        raise ConfigurationError(
            f"{host}:{port} cannot be listened on: {error}",
            hint="Stop the process that uses the port, or change http_options in the config.",
        ) from error


def ray_environment() -> dict[str, str]:
    """Read the variables of ``config/ray.local.env``."""
    lines = _RAY_ENVIRONMENT.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def _applications() -> dict[str, Any]:
    """Return the applications as Serve's REST API describes them."""
    from ray import serve

    return {
        name: {
            "status": application.status.value,
            "message": application.message,
            "deployments": {
                key: {"status": deployment.status.value, "message": deployment.message}
                for key, deployment in application.deployments.items()
            },
        }
        for name, application in serve.status().applications.items()
    }
