"""Name the environment variable of each setting; share the types and places of settings."""

import sysconfig
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, Field
from pydantic_settings import NoDecode

PREFIX = "MMPOSE_"
ROOT = Path(__file__).resolve().parent.parent


def _shipped() -> Path:
    """Find the folder ``config`` of the checkout, else the copy that the wheel installs."""
    here = ROOT / "config"
    installed = Path(sysconfig.get_path("data"), "share", "mmpose-service", "config")
    return here if (here / "model_config.json").is_file() else installed


CONFIG_FOLDER = _shipped()

_SPECIFICATION_NAMES = {
    "rtmpose_enabled": "RTMPOSE_ENABLED",
    "hrnet_enabled": "HRNET_ENABLED",
    "confidence_threshold": "CONFIDENCE_THRESHOLD",
    "biomechanics_analysis": "BIOMECHANICS_ANALYSIS",
    "mmcv_with_ops": "MMCV_WITH_OPS",
}


def environment_name(field: str) -> str:
    """Return the environment variable that sets ``field``."""
    return _SPECIFICATION_NAMES.get(field, PREFIX + field.upper())


def named(field: str) -> AliasChoices:
    """Return both names by which a field of the specification is set."""
    return AliasChoices(field, _SPECIFICATION_NAMES[field])


Share = Annotated[float, Field(ge=0, le=1)]
Stride = Annotated[int, Field(ge=1, le=60)]
PeopleLimit = Annotated[int, Field(ge=1, le=64)]

HostList = Annotated[frozenset[str], NoDecode]


def _split_address(address: str) -> str:
    """Refuse what `urlsplit` refuses, such as half of an IPv6 address or a port of letters."""
    _ = urlsplit(address).port
    return address


Address = Annotated[str, Field(pattern=r"^https?://[^/]"), AfterValidator(_split_address)]
