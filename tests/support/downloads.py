"""Downloading from loopback, and what must hold whether it works or not."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_fetch import FetchLimits, fetch

BODY = bytes(range(256)) * 1000
LOOPBACK = AddressPolicy(frozenset({"127.0.0.1", "127.0.0.2"}))
ONLY_SECOND = AddressPolicy(frozenset({"127.0.0.2"}))
LIMITS = FetchLimits(max_bytes=1_000_000, connect_timeout_s=5, read_timeout_s=5, total_timeout_s=20)
Resolver = Callable[[str, list[list[str]]], list[str]]


def get(url: str, folder: Path, policy: AddressPolicy = LOOPBACK, **keywords: Any) -> bytes:
    """The downloaded bytes, the file checked and gone again."""
    limits = keywords.pop("limits", LIMITS)
    path = fetch(url, folder, policy, limits, **keywords)
    assert path.parent == folder
    assert list(folder.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    path.unlink()
    return content


def refused(
    kind: type[Exception], url: str, folder: Path, policy: AddressPolicy = LOOPBACK, **keywords: Any
) -> Any:
    """The error of exactly this kind; nothing is left in the folder."""
    limits = keywords.pop("limits", LIMITS)
    with pytest.raises(kind) as caught:
        fetch(url, folder, policy, limits, **keywords)
    assert type(caught.value) is kind
    assert list(folder.iterdir()) == []
    return caught.value
