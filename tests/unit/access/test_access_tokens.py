"""OIDC tokens: of the operator's issuer, for this audience, by a fixed algorithm."""

import asyncio
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from deployments.errors import NotReadyError
from serve_app.access.caller import Quota
from serve_app.access.tokens import TokenVerifier, caller_id
from tests.support.loopback_server import Server, closed_port, reply

ISSUER, AUDIENCE = "https://login.example.org/", "mmpose"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
KEYS = {
    "keys": [
        json.loads(RSAAlgorithm.to_jwk(RSA.public_key())) | {"kid": "r", "use": "sig"},
        json.loads(ECAlgorithm.to_jwk(EC.public_key())) | {"kid": "e", "use": "sig"},
    ]
}


@pytest.fixture(scope="module")
def issuer():
    with Server(reply(json.dumps(KEYS).encode(), Content_Type="application/json")) as server:
        yield server


@pytest.fixture
def verifier(issuer):
    return TokenVerifier(ISSUER, AUDIENCE, issuer.url("/jwks"), Quota(requests_a_minute=7))


def token(key=RSA, algorithm="RS256", kid="r", headers=None, **claims):
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": time.time() + 300, **claims}
    kept = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(kept, key, algorithm, {"kid": kid, **(headers or {})})


def caller_of(verifier, presented):
    return asyncio.run(verifier.caller(presented))


@pytest.mark.parametrize("given", [(RSA, "RS256", "r"), (EC, "ES256", "e")])
def test_a_token_is_its_subjects_by_a_digest(verifier, given):
    caller = caller_of(verifier, token(*given, aud=["other", AUDIENCE]))
    assert caller.id == caller_id(ISSUER, "anna") != caller_id(ISSUER, "berta")
    assert caller.id.startswith("oidc-")
    assert len(caller.id) == 37
    assert "anna" not in caller.id + caller.name
    assert caller.quota.requests_a_minute == 7


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example.org/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"exp": time.time() - 60},
        {"exp": None},
        {"nbf": time.time() + 600},
        {"sub": None},
    ],
)
def test_a_token_for_others_or_out_of_time_is_nobodys(verifier, claims):
    assert caller_of(verifier, token(**claims)) is None


def test_a_forged_token_is_nobodys(verifier, issuer):
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    head, body, signature = token().split(".")
    forged = [
        token(another),
        token(another, headers={"jku": "http://127.0.0.1:9/jwks"}),
        token("a secret of thirty-two bytes long", "HS256"),
        token(None, "none"),
        token(RSA, "PS256"),
        token(RSA, "RS512"),
        token(kid="unknown"),
        f"{head}.{body}.",
        f"{head}.{body[:-2]}.{signature}",
        "a.b.c",
        "." * 2,
        "x" * 10_000,
    ]
    assert [text for text in forged if caller_of(verifier, text) is not None] == []


def test_keys_are_fetched_once_and_for_unknown_ones_not_at_once_again(verifier, issuer):
    before = issuer.connections
    for _ in range(3):
        caller_of(verifier, token())
    for i in range(3):
        caller_of(verifier, token(kid=f"unknown {i}"))
    assert issuer.connections - before == 1


def test_where_keys_cannot_be_fetched_it_is_not_ready():
    with closed_port() as port:
        verifier = TokenVerifier(ISSUER, AUDIENCE, f"http://127.0.0.1:{port}/jwks", Quota())
        with pytest.raises(NotReadyError) as refused:
            caller_of(verifier, token())
    assert str(port) not in refused.value.detail
