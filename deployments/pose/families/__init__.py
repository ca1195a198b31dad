"""Define families of networks, a module each: a new one is a module here and a registry entry."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from deployments.pose.families.family import Family


def _families() -> Iterator[Family]:
    for module in sorted(info.name for info in iter_modules(__path__)):
        family = getattr(import_module(f"{__name__}.{module}"), "FAMILY", None)
        if family is not None:
            yield family


FAMILIES: Final[Mapping[str, Family]] = {family.name: family for family in _families()}
"""By the name that the registry file uses."""
