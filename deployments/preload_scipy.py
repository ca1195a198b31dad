"""Import the lazy parts of scipy before the service is ready."""

from importlib import import_module
from typing import Final

ASSIGNING: Final = ("optimize", "sparse.csgraph")
"""For people from frame to frame."""
BIOMECHANICS: Final = ("interpolate", "signal", "special", "stats")


def load_scipy(*parts: str) -> None:
    """Import ``parts``, so that no request has to wait for them."""
    for part in parts:
        import_module(f"scipy.{part}")
