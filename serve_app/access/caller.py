"""Identify who sent a request."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """Sender of a request: the owner of its results, jobs and videos.

    Attributes:
        id: key id or a digest of the token's subject, ``[A-Za-z0-9_-]{1,64}``; empty where the
            service runs without keys. It names the folder of the caller's videos.
        name: for logs and lists, never a secret.
    """

    id: str
    name: str = ""


ANONYMOUS: Final = Caller("", "anonymous")
"""Everybody, where the service runs without keys; also callers with a handle of the graph."""
