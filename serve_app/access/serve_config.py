"""Read from a serve config who could call its applications."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from deployments.errors import ConfigurationError
from serve_app.access.authentication import open_access
from serve_app.access.modes import SAID, require_choice
from serve_app.settings import load_settings

IMPORT_PATH: Final = "serve_app.app:build"
_ALL_INTERFACES: Final = "0.0.0.0"  # noqa: S104  Serve's default


def host_of(document: Mapping[str, Any]) -> str:
    """Return the address that the HTTP interface of a config listens on."""
    return str(document.get("http_options", {}).get("host") or _ALL_INTERFACES)


def require_access(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line that says who may call, for each pose application of a valid config.

    Settings that are wrong otherwise are left to the graph, which names them.

    Raises:
        ConfigurationError: everybody on a network could call, or keys cannot be read.
    """
    for application in document["applications"]:
        if application["import_path"] != IMPORT_PATH:
            continue
        try:
            settings = load_settings(application.get("args", {}))
        except ConfigurationError:
            continue
        mode = open_access(settings).mode
        require_choice(mode, host_of(document))
        yield f"Access on {host_of(document)}: {SAID[mode]}"
