"""`mmpose-service models`: what the registry has, and getting it."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deployments.errors import ModelError, ServiceError, WeightsMissingError
from deployments.pose.download import download
from deployments.pose.registry import ModelEntry
from deployments.pose.weights import SUBFOLDER, find_weights, verify
from serve_app.commands.progress import STDERR, progress_of
from serve_app.models import ModelPlan, plan_models
from serve_app.settings import ROOT, load_settings


@click.group()
def models() -> None:
    """The models of the registry: list, download, verify."""


@models.command("list")
def list_() -> None:
    """Show every model, whether its checkpoint is here, and its published accuracy."""
    plan = plan_models(load_settings())
    table = Table("key", "role", "input", "AP", "checkpoint")
    for column in table.columns[:4]:
        column.no_wrap = True
    table.columns[4].overflow = "fold"
    for entry in plan.config.models.values():
        width, height = entry.input_size
        table.add_row(
            entry.key,
            entry.role if entry.enabled else "disabled",
            f"{width}x{height}",
            f"{entry.published_ap:.1f}" if entry.published_ap else "",
            _where(entry, plan),
        )
    table.caption = "AP: published, COCO val2017, in per cent, with flip test"
    Console().print(table)


@models.command("download")
@click.argument("keys", nargs=-1)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder; default: $MMPOSE_WEIGHTS_DIR, else weights/mmpose.",
)
def download_(keys: tuple[str, ...], folder: Path | None) -> None:
    """Fetch published checkpoints, resumed and verified: those of KEYS, else the default models."""
    settings = load_settings()
    plan = plan_models(settings)
    folder = folder or settings.weights_dir or ROOT / "weights" / SUBFOLDER
    entries = [plan.config.entry(key) for key in keys] or [
        entry
        for entry in plan.config.models.values()
        if entry.enabled and entry.role in ("primary", "fallback")
    ]
    for entry in entries:
        with progress_of(entry.name) as report:
            path = download(entry, folder, lambda done, total: report("fetch", done, total or done))
        STDERR.print(f"{entry.name}: {path}")


@models.command("verify")
@click.argument("keys", nargs=-1)
def verify_(keys: tuple[str, ...]) -> None:
    """Check the digests of the checkpoints that are here; of KEYS, each must be."""
    plan = plan_models(load_settings())
    entries = [plan.config.entry(key) for key in keys] or list(plan.config.models.values())
    failures: list[ServiceError] = []
    for entry in entries:
        try:
            digest = verify(entry, find_weights(entry, plan.search))
        except WeightsMissingError as error:
            if keys:
                failures.append(error)
            click.echo(f"{entry.key}: missing")
        except ModelError as error:
            failures.append(error)
            click.echo(f"{entry.key}: damaged")
        else:
            known = "verified" if entry.sha256 else "no digest known"
            click.echo(f"{entry.key}: {known}, sha256 {digest}")
    if failures:
        raise failures[0]


def _where(entry: ModelEntry, plan: ModelPlan) -> str:
    try:
        path = find_weights(entry, plan.search)
    except WeightsMissingError:
        return "missing"
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
