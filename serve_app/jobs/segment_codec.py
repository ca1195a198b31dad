"""Encode the poses of a segment as an ``.npz`` file, and decode them.

The fields and their types are those of the dataclasses, so that a new field is stored as well. A
type without a row here is a ``TypeError``.
"""

import json
import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import IO, Any, Final, Union, get_args, get_origin, get_type_hints

import numpy as np

from deployments.media.scene_change import SceneChange
from deployments.messages import SegmentPoses

_MANIFEST: Final = "manifest"
_PLAIN: Final = (bool, int, float, str)


class DamagedSegmentError(Exception):
    """A file is not a whole segment of this version."""


def write_segment(file: IO[bytes], poses: SegmentPoses) -> None:
    """Write a segment.

    Raises:
        TypeError: a field is of a type that is not stored.
    """
    arrays: list[Any] = []
    manifest = json.dumps(_packed(poses, SegmentPoses, arrays)).encode()
    named = {f"a{i}": array for i, array in enumerate(arrays)}
    np.savez(file, allow_pickle=False, **{_MANIFEST: np.frombuffer(manifest, np.uint8)}, **named)


def read_segment(file: IO[bytes]) -> SegmentPoses:
    """Read a segment.

    Raises:
        DamagedSegmentError: the file is not a whole one of this version.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            manifest = json.loads(archive[_MANIFEST].tobytes())
            arrays = [archive[f"a{i}"] for i in range(len(archive.files) - 1)]
        poses: SegmentPoses = _unpacked(manifest, SegmentPoses, arrays)
    except Exception as error:  # zipfile and numpy raise almost any, as the damage is
        raise DamagedSegmentError(f"{type(error).__name__}: {error}") from error
    return poses


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, localns={"SceneChange": SceneChange})


def _packed(value: Any, hint: Any, arrays: list[Any]) -> Any:
    """Return ``value`` as JSON-ready values; arrays are appended, and named by their number."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return hint(value)
    if is_dataclass(hint):
        kinds = _hints(hint)  # type: ignore[arg-type]
        return {
            f.name: _packed(getattr(value, f.name), kinds[f.name], arrays) for f in fields(hint)
        }
    if origin is np.ndarray:
        arrays.append(np.asarray(value))
        return len(arrays) - 1
    if origin in (Union, types.UnionType):
        return None if value is None else _packed(value, _present(hint), arrays)
    if origin is tuple:
        kinds_of = _each(arguments, len(value))
        return [_packed(item, kind, arrays) for item, kind in zip(value, kinds_of, strict=True)]
    if origin is dict and arguments[0] is str:
        return {name: _packed(item, arguments[1], arrays) for name, item in value.items()}
    raise TypeError(f"segments on disk have no notation for {hint}")


def _unpacked(value: Any, hint: Any, arrays: list[Any]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        if not isinstance(value, hint):
            raise TypeError(f"{value!r} is not {hint.__name__}")
        return value
    if is_dataclass(hint):
        kinds = _hints(hint)  # type: ignore[arg-type]
        if value.keys() != kinds.keys():
            raise ValueError(f"the fields {sorted(value)} are not those of {hint}")
        return hint(**{name: _unpacked(value[name], kinds[name], arrays) for name in kinds})  # type: ignore[operator]
    if origin is np.ndarray:
        return arrays[value]
    if origin in (Union, types.UnionType):
        return None if value is None else _unpacked(value, _present(hint), arrays)
    if origin is tuple:
        kinds_of = _each(arguments, len(value))
        return tuple(_unpacked(v, kind, arrays) for v, kind in zip(value, kinds_of, strict=True))
    return {name: _unpacked(item, arguments[1], arrays) for name, item in value.items()}


def _present(hint: Any) -> Any:
    (kind,) = (kind for kind in get_args(hint) if kind is not types.NoneType)
    return kind


def _each(arguments: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Return the types of the items of a tuple, which may be of any length."""
    return arguments[:1] * count if arguments[1:] == (...,) else arguments
