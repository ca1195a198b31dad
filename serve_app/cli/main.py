"""Run the command line, `mmpose-service COMMAND`.

Exit codes: 0 success; 1 something could not be analyzed, fetched or checked; 2 a wrong argument or
setting, or a command whose packages are not installed; 3 weights are missing or damaged;
130 interrupted. They are the same with ``--json``, where errors are problem documents.
"""

import ast
import logging
from importlib import import_module
from pathlib import Path
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
from serve_app.cli.json_output import is_json, note_format, print_failure
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
    "jobs": "jobs:jobs",
    "keys": "keys:keys",
    "quantize": "quantize:quantize",
    "tune": "tune:tune",
    "completion": "completion:completion",
}
"""Module of ``serve_app.cli`` and function in it by command, imported when the command runs."""

_EXTRAS = {"export": "results", "report": "results", "compare": "results", "jobs": "client"}
"""Extra of the commands that need less than ``service``."""

_PIP = "Install them: pip install '{}[{}]'"
_SETUP = "Install {}[service]: scripts/setup.sh, in a checkout of the service."
_OWN_PACKAGES = ("serve_app", "deployments", "biomech")

_logger = logging.getLogger(__name__)


class _Deferred(click.Command):
    """Import a command when it runs; until then, read its help from its source.

    Listing the commands imports none of them, so the list is complete if packages are missing.
    """

    def __init__(self, name: str, module: str, function: str) -> None:
        super().__init__(name, help=_docstring(module, function))
        self._place = module, function

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        module, function = self._place
        try:
            command: click.Command = getattr(import_module(f"serve_app.cli.{module}"), function)
        except ModuleNotFoundError:
            if not kwargs.get("resilient_parsing"):  # completion, which offers nothing here
                raise
            return super().make_context(*args, **kwargs)
        return command.make_context(*args, **kwargs)


def _docstring(module: str, function: str) -> str | None:
    """Read a function's docstring from the source of a module of commands."""
    source = Path(__file__).with_name(f"{module}.py")
    for node in ast.parse(source.read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return ast.get_docstring(node)
    raise AttributeError(f"{source} has no function {function}")


class _Commands(click.Group):
    """Report errors of commands as lines on stderr and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return _Deferred(cmd_name, *_COMMANDS[cmd_name].split(":"))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        note_format(ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            print_failure(error)
            ctx.exit(_CODES.get(type(error), FAILED))
        except click.UsageError as error:
            if not is_json():
                raise
            path = (error.ctx or ctx).command_path
            hint = f"See `{path} --help`."
            print_failure(BadParameterError(error.format_message(), hint=hint))
            ctx.exit(error.exit_code)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in _OWN_PACKAGES:
                raise
            _logger.info("an import failed", exc_info=error)
            command = ctx.invoked_subcommand or ""
            extra = _EXTRAS.get(command)
            remedy = (_PIP if extra else _SETUP).format(SERVICE_DISTRIBUTION, extra)
            detail = f"{command} needs packages that are not installed: {package}"
            print_failure(ConfigurationError(detail, hint=remedy))
            ctx.exit(WRONG_USE)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(SERVICE_DISTRIBUTION))
@click.option("-v", "--verbose", is_flag=True, help="Log more on stderr.")
def main(verbose: bool) -> None:
    """Compute poses and biomechanics from videos of athletes, locally or as a server.

    Settings come from the environment, as for the service: see docs/operator.md.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
    )
    # httpx logs complete URLs, and a query may contain a signature.
    logging.getLogger("httpx").setLevel(logging.WARNING)
