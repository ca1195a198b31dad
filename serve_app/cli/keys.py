"""Implement `mmpose-service keys`: add, list and revoke API keys."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from deployments.errors import BadParameterError
from serve_app.access.caller import TOKEN_OWNER, Quota
from serve_app.access.keys import ApiKey, KeyFile
from serve_app.access.links import read_secret, secret_path
from serve_app.cli.json_output import json_option, print_json

_PATH = click.Path(dir_okay=False, path_type=Path)


def _required(_context: click.Context, _option: click.Parameter | None, path: Path | None) -> Path:
    if path is None:
        raise click.UsageError("Name the file of the keys: --file FILE, or MMPOSE_KEYS_FILE.")
    return path


_file = click.option(
    "--file",
    "path",
    envvar="MMPOSE_KEYS_FILE",
    callback=_required,
    type=_PATH,
    help="File of the keys; default: $MMPOSE_KEYS_FILE.",
)


@click.group()
def keys() -> None:
    """Add, list and revoke API keys. A running service reads the file again when it changes."""


@keys.command()
@click.argument("name")
@_file
@click.option("--days", type=click.FloatRange(0, 36_500, min_open=True), help="Life of the key.")
@click.option(
    "--replaces",
    metavar="ID",
    help="Key whose results, videos and, unless given, limits the new one has.",
)
@click.option("--requests-a-minute", type=int, help="Requests a minute.")
@click.option("--video-s-a-day", type=float, help="Seconds of video a day.")
@click.option("--frames-a-day", type=int, help="Frames of video a day.")
@click.option("--queued-jobs", type=int, help="Jobs queued at once.")
@json_option
def add(
    name: str,
    path: Path,
    days: float | None,
    replaces: str | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Make a key for NAME and print it, once: only a digest of its secret is stored."""
    given = {limit: value for limit, value in limits.items() if value is not None}
    try:
        quota = Quota(**given) if given else None
    except ValidationError as error:
        first = error.errors()[0]
        raise BadParameterError(f"{first['loc'][0]}: {first['msg']}") from error
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    key, presented = KeyFile(path).add(name, expires=expires, quota=quota, replaces=replaces)
    if as_json:
        print_json({**_public(key), "key": presented})
    else:
        click.echo(presented)
    click.echo(f"Key {key.id} is in {path}. Its secret is not shown again.", err=True)


@keys.command("list")
@_file
@json_option
def list_(path: Path, as_json: bool) -> None:
    """List all keys with their state; secrets are stored nowhere."""
    if as_json:
        for key in KeyFile(path).all():
            print_json(_public(key))
        return
    table = Table("id", "owner", "name", "created", "expires", "state", "quota")
    for column in table.columns:
        column.overflow = "fold"
    for column in table.columns[:2]:
        column.no_wrap = True  # ids are copied
    now = datetime.now(UTC)
    for key in KeyFile(path).all():
        table.add_row(
            key.id,
            key.owner,
            key.name,
            _day(key.created),
            _day(key.expires),
            key.state(now),
            key.quota.describe() if key.quota else "",
        )
    Console(highlight=False, markup=False).print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
@_file
@json_option
def revoke(key_id: str, path: Path, as_json: bool) -> None:
    """Revoke the key ID; the service refuses it from its next request on."""
    key = KeyFile(path).revoke(key_id)
    if as_json:
        print_json(_public(key))
    else:
        click.echo(f"Key {key.id} ({key.name}) is revoked.")


@keys.command("webhook-secret")
@click.argument("owner", default="")
@click.option(
    "--file",
    "--keys-file",
    "keys_file",
    envvar="MMPOSE_KEYS_FILE",
    type=_PATH,
    help="File of the keys; default: $MMPOSE_KEYS_FILE.",
)
@click.option(
    "--secret-file",
    envvar="MMPOSE_LINK_SECRET_FILE",
    type=_PATH,
    help="Secret of the service; default: `link_secret` next to the keys.",
)
@json_option
def webhook_secret(
    owner: str, keys_file: Path | None, secret_file: Path | None, as_json: bool
) -> None:
    """Print the secret by which OWNER verifies webhooks.

    `keys list` shows the owners. Without OWNER it is that of callers without a key.
    """
    from serve_app.jobs.webhooks import WebhookKeys  # with the database, which others do not need

    if owner:
        _check_owner(owner, _required(click.get_current_context(), None, keys_file))
    path = secret_file or secret_path(keys_file)
    secret = WebhookKeys(read_secret(path)).of(owner)
    if as_json:
        print_json({"owner": owner, "secret": secret})
    else:
        click.echo(secret)
    click.echo(f"Derived from {path}.", err=True)


def _check_owner(owner: str, path: Path) -> None:
    """Refuse an owner that nobody is, such as the name of a key: its secret would verify nothing.

    Raises:
        BadParameterError: neither a key nor a token has this owner.
    """
    owners = {key.owner for key in KeyFile(path).all()}
    if owner not in owners and not owner.startswith(TOKEN_OWNER):
        raise BadParameterError(
            f"no key in {path} has the owner {owner}",
            hint="Give the owner that `mmpose-service keys list` shows, not the name.",
        )


def _public(key: ApiKey) -> dict[str, Any]:
    """Return what is known of a key, without the digest of its secret."""
    return {
        **key.model_dump(mode="json", exclude={"sha256"}),
        "state": key.state(datetime.now(UTC)),
    }


def _day(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
