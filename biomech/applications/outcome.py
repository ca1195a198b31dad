"""How an application came out, and numbers as they are written."""

import math
from typing import Any, Final, Literal

Status = Literal["ok", "insufficient_data", "not_supplied", "not_comparable"]

OK: Final = "ok"
INSUFFICIENT_DATA: Final = "insufficient_data"
NOT_SUPPLIED: Final = "not_supplied"
NOT_COMPARABLE: Final = "not_comparable"

SINGLE_VALUE: Final = "a single value has no scatter to judge it by"
"""Reason of a null where two values or more are needed."""

_DECIMALS: Final = 4

Outcome = dict[str, Any]


def ok(**fields: Any) -> Outcome:
    """An outcome with something to tell."""
    return {"status": OK, "reason": None, **fields}


def unavailable(status: Status, reason: str, **fields: Any) -> Outcome:
    """An outcome that says why there is nothing to tell; ``fields`` are empty lists and nulls."""
    return {"status": status, "reason": reason, **fields}


def number(value: float | None) -> float | None:
    """The value rounded to four decimals; None where it is not a finite number."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), _DECIMALS) + 0.0
