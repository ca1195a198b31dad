"""The command line: `mmpose-service COMMAND`.

Exit codes: 0 done; 1 something could not be analysed, fetched or checked; 2 a wrong argument or
setting; 3 weights are missing or damaged; 130 interrupted.
"""

import logging
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
from serve_app.commands.analyze import analyze
from serve_app.commands.calibrate import calibrate
from serve_app.commands.check import check
from serve_app.commands.compare import compare
from serve_app.commands.demo import demo
from serve_app.commands.deploy import deploy
from serve_app.commands.evaluate import evaluate
from serve_app.commands.export import export_command
from serve_app.commands.models import models
from serve_app.commands.quantize import quantize
from serve_app.commands.report import report
from serve_app.commands.tune import tune
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


class _Commands(click.Group):
    """Commands whose errors become a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            click.echo(f"error: {error.detail}\n  {error.hint}", err=True)
            ctx.exit(_CODES.get(type(error), FAILED))
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(SERVICE_DISTRIBUTION))
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
def main(verbose: bool) -> None:
    """Poses and biomechanics from videos of athletes, without a server.

    Settings come from the environment, as for the service: see docs/operator.md.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
    )


for command in (
    analyze,
    demo,
    export_command,
    report,
    compare,
    models,
    evaluate,
    calibrate,
    check,
    deploy,
    quantize,
    tune,
):
    main.add_command(command)
