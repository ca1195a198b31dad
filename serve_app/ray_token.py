"""Find the secret of Ray's token authentication as Ray does, or make it in a private file."""

import os
import secrets
from pathlib import Path

from deployments.errors import ConfigurationError
from serve_app.private_files import create_private

_TOKEN, _PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_HINT = f"Name a file that this user can write, in a separate folder: {_PATH}=FILE."


def token_path() -> Path:
    """Return the token's file: that of RAY_AUTH_TOKEN_PATH, else Ray's own, else this service's."""
    if named := os.environ.get(_PATH):
        return Path(named).absolute()
    rays = Path.home() / ".ray" / "auth_token"
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return rays if rays.exists() else config / "mmpose-service" / "ray_auth_token"


def read_token() -> str | None:
    """Return the token as Ray would find it, or this service's; None where there is none.

    Raises:
        ConfigurationError: its file cannot be read or is empty.
    """
    if token := os.environ.get(_TOKEN):
        return token
    path = token_path()
    try:
        token = path.read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"Ray's token in {path} cannot be read: {error}", hint=_HINT
        ) from error
    if not token:
        raise ConfigurationError(
            f"{path} is empty, where Ray's token should be",
            hint="Delete it: `serve` makes another.",
        )
    return token


def ensure_token() -> Path | None:
    """Make the token where there is none, and point Ray and its processes to its file.

    Returns:
        the file; None where the environment has the token itself.

    Raises:
        ConfigurationError: the file cannot be read, is empty or cannot be made.
    """
    if os.environ.get(_TOKEN):
        return None
    path = token_path()
    if read_token() is None:
        _make(path)
        if read_token() is None:
            raise ConfigurationError(f"{path} is a link to no file", hint=_HINT)
    os.environ[_PATH] = str(path)
    return path


def _make(path: Path) -> None:
    """Write a token, unless another process does so first."""
    try:
        create_private(path, secrets.token_hex(32))
    except OSError as error:
        raise ConfigurationError(
            f"Ray's token cannot be kept in {path}: {error}", hint=_HINT
        ) from error
