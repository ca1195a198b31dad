"""Define the colors of the two sides, for the color-blind too (Okabe and Ito's palette)."""

from collections.abc import Mapping
from typing import Final

Rgb = tuple[int, int, int]

SIDE_RGB: Final[Mapping[str, Rgb]] = {"left": (230, 159, 0), "right": (86, 180, 233)}
"""On pictures, and in charts beside them."""

SIDE_RGB_ON_WHITE: Final[Mapping[str, Rgb]] = {"left": (209, 127, 0), "right": (31, 127, 196)}
"""Darker ones of the same hues, for the thin lines of a printed report."""


def hexadecimal(rgb: Rgb) -> str:
    """Return a color as HTML and Matplotlib write it, ``#e69f00``."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)
