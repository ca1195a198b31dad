"""`mmpose-service check`: whether a serve config says what it means."""

from pathlib import Path

import click

from serve_app.config_check import check_config, weights_on_this_machine


@click.command()
@click.argument(
    "configs",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def check(configs: tuple[Path, ...]) -> None:
    """Refuse what `serve deploy` would silently ignore in CONFIGS: unknown keys and names, values
    out of range, shares of a GPU that do not fit, batches that never fill. Of a good one,
    say where the checkpoints are on this machine."""
    wrong = 0
    for config in configs:
        problems = check_config(config)
        wrong += bool(problems)
        click.echo(f"{config}: " + ("; ".join(["wrong", *problems]) if problems else "good"))
        if not problems:
            for line in weights_on_this_machine(config):
                click.echo(f"  {line}")
    if wrong:
        raise click.exceptions.Exit(2)
