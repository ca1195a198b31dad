"""OIDC access tokens: JWTs of the one issuer that the operator names."""

import asyncio
import hashlib
from typing import Final

import jwt

from deployments.errors import NotReadyError
from serve_app.access.caller import TOKEN_OWNER, Caller, Quota

_ALGORITHMS: Final = ("RS256", "ES256")
_REQUIRED: Final = ("exp", "iss", "aud", "sub")
_LEEWAY_S: Final = 30
_FETCH_S: Final = 5.0
_LONGEST: Final = 8192


class TokenVerifier:
    """Verify tokens with the issuer's published keys.

    Keys are fetched from ``jwks_url`` alone, whatever a token names, and again after five minutes,
    or for an unknown key at most every 30 s.
    """

    def __init__(self, issuer: str, audience: str, jwks_url: str, quota: Quota) -> None:
        self._issuer = issuer
        self._audience = audience
        self._quota = quota
        self._jwks = jwt.PyJWKClient(jwks_url, timeout=_FETCH_S)

    async def caller(self, token: str) -> Caller | None:
        """Return who a token is of; None for one that is not valid.

        Raises:
            NotReadyError: the issuer's keys cannot be fetched.
        """
        if len(token) > _LONGEST:
            return None
        return await asyncio.to_thread(self._verified, token)  # it may fetch keys

    def _verified(self, token: str) -> Caller | None:
        try:
            if jwt.get_unverified_header(token).get("alg") not in _ALGORITHMS:
                return None
            claims = jwt.decode(
                token,
                self._jwks.get_signing_key_from_jwt(token).key,
                algorithms=list(_ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": list(_REQUIRED)},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise NotReadyError(
                "the keys of the issuer of tokens cannot be fetched", private=str(error)
            ) from error
        except jwt.PyJWTError:
            return None
        return Caller(caller_id(claims["iss"], claims["sub"]), "token", self._quota)


def caller_id(issuer: str, subject: str) -> str:
    """Return the id of a token's caller: a digest that names neither issuer nor subject."""
    return TOKEN_OWNER + hashlib.sha256(f"{issuer}|{subject}".encode()).hexdigest()[:32]
