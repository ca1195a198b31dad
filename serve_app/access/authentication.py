"""Authenticate callers, and count what they use."""

import re
from collections.abc import Mapping
from typing import Final

from deployments.errors import UnauthorizedError
from serve_app.access.caller import ANONYMOUS, Caller
from serve_app.access.keys import KeyFile
from serve_app.access.limits import DailyUse, RateLimits
from serve_app.access.links import Links, read_secret, secret_path
from serve_app.access.modes import AccessMode, access_mode
from serve_app.access.tokens import TokenVerifier
from serve_app.settings import Settings
from serve_app.web import DOCS_FILES, PAGE_FILES, SWAGGER_FILES

OPEN_PATHS: Final = frozenset(
    {
        *("/healthz", "/readyz", "/livez"),
        *("/openapi.json", *DOCS_FILES, *SWAGGER_FILES),
        *PAGE_FILES,
    }
)
"""Paths that need no key: probes, the description of the interface, and the page without results.

None has a secret.
"""

LINKED: Final = re.compile(r"/videos/.+|/jobs/[^/]+/(video|source|report)")
"""Paths that a signed link opens for reading: what a browser shows, which sends no key."""

_DOTS_OF_TOKEN: Final = 2
_OLD_LINK: Final = (
    "Send your key with the address before the '?'. GET /jobs/{id} has new links of a job."
)


class Access:
    """Access of all callers; by default everybody's.

    Attributes:
        mode: of authentication. links: that sign and check; None where no key is needed.
        daily: video of each caller today.
    """

    def __init__(
        self,
        mode: AccessMode = AccessMode.OPEN,
        keys: KeyFile | None = None,
        tokens: TokenVerifier | None = None,
        links: Links | None = None,
    ) -> None:
        self.mode = mode
        self.links = links
        self.daily = DailyUse()
        self._keys = keys
        self._tokens = tokens
        self._rates = RateLimits()

    async def authenticate(
        self, headers: Mapping[str, str], path: str = "", query: str = ""
    ) -> Caller:
        """Return who sends a request with these headers.

        Args:
            path, query: of the request, by which a link that did not open it is named as the cause.

        Raises:
            UnauthorizedError: there is no valid key or token.
            NotReadyError: keys cannot be read or fetched.
        """
        if self.mode is not AccessMode.KEYS:
            return ANONYMOUS
        presented = _presented(headers)
        if not presented:
            if LINKED.fullmatch(path) and "signature=" in query:
                raise UnauthorizedError(
                    "the link has expired, was changed, or is not for this method", hint=_OLD_LINK
                )
            raise UnauthorizedError("the request has no key")
        caller: Caller | None = None
        if self._tokens is not None and presented.count(".") == _DOTS_OF_TOKEN:
            caller = await self._tokens.caller(presented)
        elif self._keys is not None:
            caller = self._keys.caller(presented)
        if caller is None:
            raise UnauthorizedError("the key is wrong, expired or revoked")
        return caller

    def count(self, caller: Caller) -> None:
        """Count a request of ``caller``.

        Raises:
            RateLimitedError: the caller has sent too many within a minute.
        """
        self._rates.count(caller)

    def opens(self, method: str, path: str, query: str) -> bool:
        """Return whether the query of a request is a signed link to this path."""
        return (
            self.links is not None
            and method in ("GET", "HEAD")
            and LINKED.fullmatch(path) is not None
            and self.links.check(path, query)
        )

    def linked(self, url: str, path: str) -> str:
        """Return ``url``, which ends with ``path``, as a signed link where callers need one."""
        if self.links is None or not url.endswith(path):
            return url
        return url.removesuffix(path) + self.links.sign(path)


def open_access(settings: Settings) -> Access:
    """Open the files that the settings name.

    Raises:
        ConfigurationError: the settings contradict each other, or a file cannot be read or made.
    """
    mode = access_mode(settings)
    if mode is not AccessMode.KEYS:
        return Access(mode)
    keys = tokens = None
    if settings.keys_file is not None:
        keys = KeyFile(settings.keys_file, settings.quota)
        keys.require_readable()
    if settings.oidc_issuer and settings.oidc_audience and settings.oidc_jwks_url:
        tokens = TokenVerifier(
            settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks_url, settings.quota
        )
    secret = settings.link_secret_file or secret_path(settings.keys_file)
    return Access(mode, keys, tokens, Links(read_secret(secret), settings.link_s))


def _presented(headers: Mapping[str, str]) -> str:
    """Return the key or token of a request; empty without one."""
    if key := headers.get("x-api-key", ""):
        return key.strip()
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
