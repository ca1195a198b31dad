"""Implement `mmpose-service check`: validate serve configs."""

from pathlib import Path

import click

from serve_app.cli.json_output import json_option, print_json
from serve_app.config_check import check_config, weights_on_this_machine


@click.command()
@click.argument(
    "configs",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@json_option
def check(configs: tuple[Path, ...], as_json: bool) -> None:
    """Check CONFIGS for mistakes that `serve deploy` ignores.

    Such mistakes are unknown keys and names, values out of range, GPU shares that do not fit, and
    batches that never fill. For a good config, the paths of the checkpoints on this machine are
    printed. The exit code is 2 if a config is wrong.
    """
    wrong = 0
    for config in configs:
        problems = check_config(config)
        wrong += bool(problems)
        weights = [] if problems else list(weights_on_this_machine(config))
        if as_json:
            print_json({"config": config, "problems": problems, "weights": weights})
            continue
        click.echo(f"{config}: " + ("; ".join(["wrong", *problems]) if problems else "good"))
        for line in weights:
            click.echo(f"  {line}")
    if wrong:
        raise click.exceptions.Exit(2)
