"""Name the status of an application, and round its numbers."""

import math
from typing import Final

OK: Final = "ok"
INSUFFICIENT_DATA: Final = "insufficient_data"
NOT_SUPPLIED: Final = "not_supplied"
NOT_COMPARABLE: Final = "not_comparable"

SINGLE_VALUE: Final = "a single value has no scatter to judge it by"
"""Reason of a null that needs at least two values."""

_DECIMALS: Final = 4


def number(value: float | None) -> float | None:
    """Round a value to four decimals; return None if it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return rounded(value)


def rounded(value: float) -> float:
    """Round a finite value to four decimals."""
    return round(float(value), _DECIMALS) + 0.0
