"""The command line: `mmpose-service COMMAND`.

Exit codes: 0 done; 1 something could not be analysed, fetched or checked; 2 a wrong argument or
setting; 3 weights are missing or damaged; 130 interrupted.
"""

import logging
from importlib import import_module
from typing import Any

import click

from deployments.errors import (
    BadParameterError,
    ConfigurationError,
    NotReadyError,
    ServiceError,
    UnknownModelError,
    WeightsCorruptError,
    WeightsMissingError,
)
from serve_app.versions import SERVICE_DISTRIBUTION, package_version

FAILED, WRONG_USE, NO_MODEL, INTERRUPTED = 1, 2, 3, 130

_CODES: dict[type[ServiceError], int] = {
    BadParameterError: WRONG_USE,
    ConfigurationError: WRONG_USE,
    UnknownModelError: WRONG_USE,
    NotReadyError: NO_MODEL,
    WeightsMissingError: NO_MODEL,
    WeightsCorruptError: NO_MODEL,
}


_COMMANDS = {
    "analyze": "analyze:analyze",
    "demo": "demo:demo",
    "export": "export:export_command",
    "report": "report:report",
    "compare": "compare:compare",
    "models": "models:models",
    "eval": "evaluate:evaluate",
    "calibrate": "calibrate:calibrate",
    "check": "check:check",
    "serve": "serve:serve",
    "deploy": "deploy:deploy",
    "quantize": "quantize:quantize",
    "tune": "tune:tune",
}
"""Module of ``serve_app.commands`` and name in it, imported when the command is asked for."""


class _Commands(click.Group):
    """Commands whose errors become a line on stderr and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"serve_app.commands.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            click.echo(f"error: {error}\n  {error.hint}", err=True)
            ctx.exit(_CODES.get(type(error), FAILED))
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(SERVICE_DISTRIBUTION))
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
def main(verbose: bool) -> None:
    """Poses and biomechanics from videos of athletes, without a server or by one.

    Settings come from the environment, as for the service: see docs/operator.md.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
    )
    # It logs each URL whole, and a query may be a signature.
    logging.getLogger("httpx").setLevel(logging.WARNING)
