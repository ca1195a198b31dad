"""Derive the schema of the records of `biomech`: fields, bounds and descriptions are theirs."""

from dataclasses import is_dataclass
from typing import Any, Final, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, with_config

from biomech.records.frame_record import FrameBiomechanics, NoDetail
from biomech.records.person_record import PersonSummary

FINITE: Final = ConfigDict(allow_inf_nan=False, ser_json_inf_nan="constants")
"""Finite numbers only. Records are serialized without validation: a number there that is not finite
is written as such, so that it is seen and refused."""

RECORD: Final = ConfigDict(use_attribute_docstrings=True, **FINITE)
"""The text below a field describes it."""

_STRICT: Final = ConfigDict(extra="forbid", **RECORD)
"""Undescribed fields are refused."""


class ResponseModel(BaseModel):
    """Base of the models of an answer."""

    model_config = FINITE


def records_of(kind: Any) -> set[type]:
    """Return the records that a type is made of, itself included."""
    if is_dataclass(kind) and isinstance(kind, type):
        return {kind}.union(*map(records_of, get_type_hints(kind).values()))
    return set().union(*map(records_of, get_args(kind)))


for _record in records_of(FrameBiomechanics):
    with_config(RECORD)(_record)
for _record in {NoDetail, *records_of(PersonSummary)}:
    with_config(_STRICT)(_record)
