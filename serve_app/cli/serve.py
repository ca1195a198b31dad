"""`mmpose-service serve`: run the graph on this machine, with its own Ray."""

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
from serve_app.settings import CONFIG_FOLDER

CONFIG = CONFIG_FOLDER / "serve.local.yaml"
_RAY_ENVIRONMENT = CONFIG_FOLDER / "ray.local.env"


@click.command()
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=CONFIG
)
@click.option(
    "--dashboard",
    is_flag=True,
    help="Ray's dashboard too, which `serve status` and `mmpose-service deploy` speak to. It runs "
    "any code that reaches it, and the graph starts later.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=8.0,
    show_default=True,
    help="Seconds that requests under way have when it is ended; the rest is answered 503.",
)
@click.pass_context
def serve(context: click.Context, config: Path, dashboard: bool, grace: float) -> None:
    """Run the graph of CONFIG (config/serve.local.yaml) on this machine until it is interrupted.

    SIGINT and SIGTERM end it and its Ray, with 0 if it ran. Then it admits nothing more, and
    requests under way have --grace seconds; a second signal ends them at once.

    Ray has the settings of config/ray.local.env, but for those that the environment has. It answers
    only to those who know its token, which is made where there is none, for this user alone.

    Exit codes: 1 a deployment failed, 2 CONFIG is wrong, its port is taken, or there can be no
    token.
    """
    document = _document(config)
    _check_port(document["http_options"])
    for name, value in ray_environment().items():
        os.environ.setdefault(name, value)
    token = None if os.environ["RAY_AUTH_MODE"] == "disabled" else ensure_token()
    if token is not None and token.stat().st_mode & 0o077:
        click.echo(f"warning: others can read Ray's token: chmod 600 {token}", err=True)
    # Imported here, as it reads the environment.
    import ray.serve
    from ray.serve.schema import ServeDeploySchema
    from ray.serve.scripts import run

    try:
        ServeDeploySchema.model_validate(document)
    except ValidationError as error:
        raise _wrong(config) from error
    # Processes that Ray has started are known to it, and ended, once all of them are.
    early: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: early.append(number))
    try:
        try:
            ray.init(address="local", namespace="serve", include_dashboard=dashboard)
        except SystemExit:  # by Ray's handler of SIGTERM, which it has before it is up
            early.append(signal.SIGTERM)
        # Ray's aborts and leaves the rest; a shell's background jobs ignore SIGINT.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        if early:
            raise KeyboardInterrupt
        try:
            context.invoke(run, config_or_import_path=str(config), blocking=False)
        except SystemExit as ended:  # after an error that it has told, as if there were none
            raise click.exceptions.Exit(1) from ended
        # Imported while replicas start, which nothing here is to delay.
        from serve_app.cli.drain import drain
        from serve_app.cli.progress_bar import STDERR
        from serve_app.cli.rollout import wait_until_running

        wait_until_running(_applications)
        if token is not None:
            STDERR.print(f"Ray jobs need config/ray.local.env and RAY_AUTH_TOKEN_PATH={token}")
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
    """Read CONFIG, with options of HTTP.

    Raises:
        ConfigurationError: it cannot be read, or these are no mappings.
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


def _wrong(config: Path) -> ConfigurationError:
    """Name what is wrong with CONFIG."""
    from serve_app.config_check import check_config  # not before: it imports much

    return ConfigurationError(f"{config}: {'; '.join(check_config(config))}")


def _check_port(options: Mapping[str, Any]) -> None:
    """Serve's proxy would fail over and over, while its applications are said to run.

    Raises:
        ConfigurationError: something listens where the options of HTTP are to.
    """
    host, port = options.get("host", ""), options.get("port", 8000)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError, TypeError) as error:
        raise ConfigurationError(f"{host}:{port} cannot be listened on: {error}") from error


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
