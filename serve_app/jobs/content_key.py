"""Compute content keys: digests that are equal only if the results must be equal."""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

import biomech
import deployments
from biomech.config import DEFINITIONS
from deployments.messages import ModelStatus
from deployments.pose.model_options import EngineOptions
from deployments.roles import ModelRole
from serve_app.versions import package_version

_PACKAGES: Final = (
    "av", "mmcv-lite", "mmdet", "mmpose", "numpy", "opencv-python-headless", "openvino", "torch",
)  # fmt: skip
_NO_IDENTITY: Final = frozenset({"role", "loaded", "reason", "code", "notice"})
"""Fields of a status that do not change what the model answers."""


def digest_of(*values: Any) -> str:
    """Return the sha256 of plain values, arrays and dataclasses, in a notation without ambiguity.

    Raises:
        TypeError: a value is of a type without a notation.
    """
    digest = hashlib.sha256()
    for part in _notation(values):
        digest.update(part)
    return digest.hexdigest()


def fields_of(value: Any, *left_out: str) -> dict[str, Any]:
    """Return the fields of a dataclass by name, except for some."""
    return {f.name: getattr(value, f.name) for f in fields(value) if f.name not in left_out}


def identity_of(status: ModelStatus, options: EngineOptions) -> str:
    """Return the digest of all that decides what a model answers."""
    calibrations = [c.model_dump() for c in options.calibrations if c.key == status.key]
    return digest_of(
        fields_of(status, *_NO_IDENTITY),
        options.flip_test,
        calibrations,
        _listed(options.quantized),
    )


def identities(
    statuses: Mapping[ModelRole, ModelStatus], options: EngineOptions
) -> dict[ModelRole, str]:
    """Return the identity of each loaded model by role."""
    return {role: identity_of(s, options) for role, s in statuses.items() if s.loaded}


@cache
def code_version() -> str:
    """Return the digest of the code and the packages by which segments are made."""
    sources = {
        f"{package.__name__}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for package in (biomech, deployments)
        for root in map(Path, package.__path__)
        for path in root.rglob("*.py")
    }
    return digest_of(sources, {name: package_version(name) for name in _PACKAGES}, DEFINITIONS)


def _listed(folder: Path | None) -> list[tuple[str, int, int]]:
    if folder is None or not folder.is_dir():
        return []
    files = [(path.name, path.stat()) for path in folder.iterdir() if path.is_file()]
    return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)


def _notation(value: Any) -> Iterator[bytes]:
    """Yield the type, the length and the content of ``value``."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("a content key has no notation for arrays of objects")
        yield from _sized(b"a", f"{value.dtype.str} {value.shape}".encode())
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, list | tuple):
        yield from _sized(b"l", b"", len(value))
        for item in value:
            yield from _notation(item)
    elif isinstance(value, Mapping):
        yield from _sized(b"m", b"", len(value))
        for name in sorted(value):
            yield from _notation(name)
            yield from _notation(value[name])
    elif is_dataclass(value):
        yield from _notation(type(value).__name__)
        yield from _notation(fields_of(value))
    else:
        yield from _sized(*_plain(value))


def _plain(value: Any) -> tuple[bytes, bytes]:
    """Return the type and the content of a value without parts."""
    if value is None:
        return b"n", b""
    if isinstance(value, bool | np.bool_):
        return b"t", bytes([bool(value)])
    if isinstance(value, int | np.integer):
        return b"i", str(int(value)).encode()
    if isinstance(value, float | np.floating):
        return b"d", struct.pack("<d", float(value))
    if isinstance(value, str):
        return b"s", value.encode()
    if isinstance(value, bytes):
        return b"b", value
    raise TypeError(f"a content key has no notation for {type(value).__name__}")


def _sized(kind: bytes, content: bytes, size: int | None = None) -> Iterator[bytes]:
    yield kind
    yield struct.pack("<Q", len(content) if size is None else size)
    yield content
