"""Derive readers of records in saved results, within bounds, from the dataclasses of `biomech`.

A saved result comes from anywhere, so nothing in it is taken on trust: names are of a plain
alphabet, texts short, numbers finite and within bounds. It may be of an earlier version, which
lacks fields, or of a later one, which has more: those are ignored, and a missing field reads as its
default, else as an empty list or mapping, else as None. The fields of `NEEDED` must be there.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from pydantic_core import SchemaValidator, core_schema
from pydantic_core.core_schema import CoreConfig, CoreSchema

from biomech.records.application_records import (
    Alert,
    Change,
    JointDeviation,
    Outcome,
    SideDifference,
    TrendRecord,
)
from biomech.records.event_records import (
    EventKind,
    GaitEventRecord,
    JumpRecord,
    MeasureRecord,
    RepetitionRecord,
)
from biomech.records.person_record import CautionRecord, PersonSummary
from biomech.records.values import WORD, Bounds
from biomech.skeleton import Side

_NUMBER: Final = (-1e6, 1e6)
_WHOLE: Final = (-(2**31), 2**31 - 1)
_TEXT: Final = Bounds(longest=2000)
_LABEL: Final = Bounds(longest=64)
"""Of words of a list, too: results of other versions may have words that this one has not."""

_CLOSED: Final = (get_args(Side), get_args(EventKind))
"""Lists of words that reports choose by, so that there is no other."""

_NAMED: Final = ("metric", "unit")
NEEDED: Final[Mapping[type, tuple[str, ...]]] = {
    PersonSummary: ("person_id",),
    CautionRecord: ("detail", "share"),
    MeasureRecord: (*_NAMED, "n", "mean"),
    RepetitionRecord: ("t_peak_s",),
    GaitEventRecord: ("kind", "side", "t_s"),
    JumpRecord: ("t_takeoff_s", "t_landing_s"),
    Outcome: ("status",),
    Alert: ("text",),
    SideDifference: _NAMED,
    TrendRecord: _NAMED,
    JointDeviation: ("rmsd_deg", "max_dev_deg", "at_pct"),
    Change: _NAMED,
}
"""Fields that reports and exports cannot do without; any other may be None in a saved record."""


def reader_of(kind: type) -> SchemaValidator:
    """Make the reader of a record."""
    return SchemaValidator(_record(kind))


def _record(kind: type) -> CoreSchema:
    hints = get_type_hints(kind, include_extras=True)
    needed = {name for base in kind.__mro__ for name in NEEDED.get(base, ())}
    args = [
        core_schema.dataclass_field(
            item.name,
            _value(hints[item.name]) if item.name in needed else _optional(item, hints[item.name]),
            kw_only=True,
            validation_alias=item.metadata.get("alias", item.name),
        )
        for item in fields(kind)
    ]
    return core_schema.dataclass_schema(
        kind,
        core_schema.dataclass_args_schema(kind.__name__, args),
        [item.name for item in fields(kind)],
        slots=True,
        frozen=True,
        config=CoreConfig(extra_fields_behavior="ignore"),
    )


def _optional(item: "Field[Any]", kind: Any) -> CoreSchema:
    """Return the schema of a field that may be missing, or None."""
    default: Any = {"default": None if item.default is MISSING else item.default}
    if item.default_factory is not MISSING:
        default = {"default_factory": item.default_factory}
    elif get_origin(kind) in (list, dict):
        default = {"default_factory": get_origin(kind)}
    return core_schema.with_default_schema(core_schema.nullable_schema(_value(kind)), **default)


def _value(kind: Any, bounds: Bounds | None = None) -> CoreSchema:
    """Return the schema of a type, within bounds."""
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind)
    if kind in _PLAIN:
        return _PLAIN[kind](bounds)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in _COMPOSED:
        return _COMPOSED[origin](*parts)
    others = [part for part in parts if part is not NoneType]
    if len(others) == 1 and len(parts) == 2:
        return core_schema.nullable_schema(_value(others[0]))
    raise TypeError(f"a record has a field of {kind}, for which there is no reader: add one here")


def _text(bounds: Bounds | None) -> CoreSchema:
    limits = bounds or _TEXT
    return core_schema.str_schema(max_length=limits.longest, pattern=limits.pattern)


def _number(bounds: Bounds | None) -> CoreSchema:
    low, high = _ends(bounds, _NUMBER)
    return core_schema.float_schema(ge=low, le=high, allow_inf_nan=False)


def _whole(bounds: Bounds | None) -> CoreSchema:
    low, high = _ends(bounds, _WHOLE)
    return core_schema.int_schema(ge=int(low), le=int(high))


def _ends(bounds: Bounds | None, usual: tuple[float, float]) -> tuple[float, float]:
    if bounds is None:
        return usual
    low = usual[0] if bounds.low is None else bounds.low
    return low, usual[1] if bounds.high is None else bounds.high


def _one_of(*words: str) -> CoreSchema:
    if words in _CLOSED:
        return core_schema.literal_schema(list(words))
    return _text(_LABEL)


_PLAIN: Final[Mapping[Any, Callable[[Bounds | None], CoreSchema]]] = {
    Any: lambda _: core_schema.any_schema(),
    bool: lambda _: core_schema.bool_schema(),
    str: _text,
    float: _number,
    int: _whole,
}
_COMPOSED: Final[Mapping[Any, Callable[..., CoreSchema]]] = {
    Annotated: _value,
    Literal: _one_of,
    list: lambda part: core_schema.list_schema(_value(part)),
    tuple: lambda *parts: core_schema.tuple_schema([_value(part) for part in parts]),
    dict: lambda _, part: core_schema.dict_schema(_text(WORD), _value(part)),
}
