"""Make a pandas table where pandas is installed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(columns: Mapping[str, Any], instead: str) -> "pd.DataFrame":
    """Return columns (rows,) as a table.

    Args:
        instead: how to get the columns without pandas, for the message.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            f"to_frame needs pandas, which is not installed. pip install pandas, or take {instead}."
        ) from error
    return pd.DataFrame(columns)
