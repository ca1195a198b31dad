"""Choose who may call: everybody on loopback, holders of keys, or those whom a gateway lets in."""

import ipaddress
from enum import StrEnum
from typing import Final

from deployments.errors import ConfigurationError
from serve_app.settings import Settings

_REMEDY = (
    "Bind 127.0.0.1 (http_options.host); or make a key (mmpose-service keys add NAME --file FILE) "
    "and set keys_file (MMPOSE_KEYS_FILE); or, where a gateway in front authenticates every "
    "caller, set access: gateway (MMPOSE_ACCESS)."
)
_PAGE = "See Access in docs/operator.md."


class AccessMode(StrEnum):
    """Way in which callers are authenticated; also in the answer of `/healthz`."""

    OPEN = "open"
    KEYS = "keys"
    GATEWAY = "gateway"


SAID: Final = {
    AccessMode.OPEN: "open, without keys; only this machine can reach it.",
    AccessMode.KEYS: "callers need a key or token.",
    AccessMode.GATEWAY: "open; a gateway must authenticate callers.",
}
"""The modes in words."""


def access_mode(settings: Settings) -> AccessMode:
    """Return the mode that the settings choose.

    Raises:
        ConfigurationError: settings contradict each other, or belong together and one is missing.
    """
    oidc = [settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks_url]
    if any(oidc) and not all(oidc):
        raise ConfigurationError(
            "oidc_issuer, oidc_audience and oidc_jwks_url are set together or not at all",
            setting="oidc_issuer",
        )
    has_callers = settings.keys_file is not None or any(oidc)
    if settings.access == "gateway":
        if has_callers:
            raise ConfigurationError(
                "access: gateway checks no key, but keys_file or oidc_issuer is set",
                hint="Remove one of the two.",
                setting="access",
            )
        return AccessMode.GATEWAY
    if settings.access == "keys" and not has_callers:
        raise ConfigurationError(
            f"access: keys needs keys_file or oidc_issuer, and neither is set. {_REMEDY}",
            hint=_PAGE,
            setting="access",
        )
    return AccessMode.KEYS if has_callers else AccessMode.OPEN


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_choice(mode: AccessMode, host: str | None) -> None:
    """Refuse to answer everybody on a network.

    Args:
        mode: of access. host: that the HTTP interface listens on; None where it is not known.

    Raises:
        ConfigurationError: the host is not loopback, and nobody authenticates callers.
    """
    if mode is AccessMode.OPEN and (host is None or not is_loopback(host)):
        found = "an unknown address" if host is None else host or "all interfaces"
        raise ConfigurationError(
            f"the service would answer everybody who reaches {found}: it has no keys. {_REMEDY}",
            hint=_PAGE,
            setting="access",
        )
