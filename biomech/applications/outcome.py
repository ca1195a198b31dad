"""Build the outcome of an application, and round its numbers."""

import math
from typing import Any, Final, Literal

Status = Literal["ok", "insufficient_data", "not_supplied", "not_comparable"]

OK: Final = "ok"
INSUFFICIENT_DATA: Final = "insufficient_data"
NOT_SUPPLIED: Final = "not_supplied"
NOT_COMPARABLE: Final = "not_comparable"

SINGLE_VALUE: Final = "a single value has no scatter to judge it by"
"""Reason of a null that needs at least two values."""

_DECIMALS: Final = 4

Outcome = dict[str, Any]


def ok(**fields: Any) -> Outcome:
    """Return an outcome with results."""
    return {"status": OK, "reason": None, **fields}


def unavailable(status: Status, reason: str, **fields: Any) -> Outcome:
    """Return an outcome without results, with the reason; ``fields`` are empty lists and nulls."""
    return {"status": status, "reason": reason, **fields}


def number(value: float | None) -> float | None:
    """Round a value to four decimals; return None if it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), _DECIMALS) + 0.0
