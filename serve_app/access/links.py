"""Links that open one path for a time: signed, and useless for any other path."""

import hashlib
import hmac
import os
import re
import secrets
import time
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode

from deployments.errors import ConfigurationError
from serve_app.private_files import create_private

_SECRET: Final = re.compile(r"[0-9a-f]{64}")
_EXPIRES: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_LONGEST_QUERY: Final = 1024
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Links:
    """Sign paths by HMAC-SHA256.

    Args:
        secret: of all processes that sign and check. life_s: seconds that a link is valid.
    """

    def __init__(self, secret: str, life_s: float) -> None:
        self._secret = secret.encode()
        self._life_s = life_s

    def sign(self, path: str) -> str:
        """Return ``path`` with a query that opens it from now on for the life of a link."""
        expires = str(int(time.time() + self._life_s))
        return f"{path}?{urlencode({'expires': expires, 'signature': self._mac(path, expires)})}"

    def check(self, path: str, query: str) -> bool:
        """Return whether ``query`` opens ``path`` now."""
        if len(query) > _LONGEST_QUERY:  # anybody may send one
            return False
        given = parse_qs(query)
        expires, signature = given.get("expires", []), given.get("signature", [])
        if len(expires) != 1 or len(signature) != 1:
            return False
        if not _EXPIRES.fullmatch(expires[0]) or not _SIGNATURE.fullmatch(signature[0]):
            return False
        same = hmac.compare_digest(signature[0], self._mac(path, expires[0]))
        return same and time.time() < int(expires[0])

    def _mac(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{expires}\n{path}".encode(), hashlib.sha256).hexdigest()


def secret_path(keys_file: Path | None) -> Path:
    """Return the default file of the secret: next to the keys, else in the user's folder."""
    if keys_file is not None:
        return keys_file.with_name("link_secret")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return config / "mmpose-service" / "link_secret"


def read_secret(path: Path) -> str:
    """Read the secret, or make it where there is none.

    Raises:
        ConfigurationError: the file cannot be made or read, or holds something else.
    """
    hint = "Name a file that this user can write, the same for all nodes: MMPOSE_LINK_SECRET_FILE."
    try:
        if not path.exists():
            create_private(path, secrets.token_hex(32))
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the secret of links cannot be kept in {path}: {error}", hint=hint
        ) from error
    if not _SECRET.fullmatch(secret):
        raise ConfigurationError(
            f"{path} does not hold a secret of 64 hexadecimal digits",
            hint="Delete it: the service makes another, links given before end, and receivers of "
            "webhooks need their new secret.",
        )
    return secret
